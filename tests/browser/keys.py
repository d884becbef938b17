"""A person at JupyterLab who has a keyboard and nothing else."""

from __future__ import annotations

import ast
import re
import time
from typing import Any

from dmhelpers.course.notebooks import Json, source, tags
from tests.browser.notebook_page import NotebookPage

MOST_TABS = 80
WIDGET_LIMIT_MS = 600_000
SELECT_LIMIT_S = 60
FOCUSED = """() => {
  const one = document.activeElement
  return ['BUTTON', 'INPUT'].includes(one?.tagName) ? (one.closest('label') ?? one).innerText.trim() : ''
}"""
LABELS = "all => all.map(one => one.closest('label').innerText.trim())"
ACTIVE = """all => all.findIndex(one => one.classList.contains('jp-mod-active'))"""
COUNT_POINTERS = """
window.pointers = 0
for (const kind of ['mousedown', 'pointerdown', 'touchstart', 'dragstart', 'wheel'])
  window.addEventListener(kind, () => { window.pointers += 1 }, true)
"""
CONTROL = re.compile(r"dm\.(parsons|quiz|stage_picker)\(")


class Keys:
    """Goes from button to button with Tab, from a cell on.

    Args:
        notebook: The open notebook.
        cell: The cell's id; None where it is the one that has the focus already.
    """

    def __init__(self, notebook: NotebookPage, cell: str | None = None) -> None:
        self.page = notebook.page
        if cell is not None:
            notebook.cell(cell).locator(".cm-content").focus()
            self.page.keyboard.press("Escape")

    def tab_to(self, words: str, *, back: bool = False) -> None:
        """Press Tab until what has the focus shows these words."""
        for _ in range(MOST_TABS):
            if words in self.page.evaluate(FOCUSED):
                return
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
        raise AssertionError(f"no focus on {words!r}; it is on {self.page.evaluate(FOCUSED)!r}")

    def press(self, words: str, key: str = "Enter", *, back: bool = False) -> None:
        """Go to a button and press it."""
        self.tab_to(words, back=back)
        self.page.keyboard.press(key)


class Learner:
    """Works through a learner copy from its first cell to its last, with the solution's answers.

    Args:
        notebook: The learner copy, just opened.
        solution: The solution, with its outputs.
    """

    def __init__(self, notebook: NotebookPage, solution: Json) -> None:
        self.notebook, self.keyboard = notebook, notebook.page.keyboard
        self.solved = {one["id"]: one for one in solution["cells"]}
        self.keys = Keys(notebook)

    def work_through(self) -> None:
        """Run or answer each cell; the last one, which is text, is only reached."""
        self.keyboard.press("Escape")
        for cell_id in self.notebook.ids[:-1]:
            self._require_active(cell_id)
            cell = self.solved[cell_id]
            if cell["cell_type"] == "markdown":
                self.keyboard.press("Shift+Enter")
            elif CONTROL.search(source(cell)):
                self._work(cell_id, cell)
            else:
                self._run(cell_id, cell)
        self._require_active(self.notebook.ids[-1])

    def save(self) -> Json:
        """Press Ctrl+S and return what was saved."""
        self.notebook.press_save()
        return self.notebook.lab.saved(self.notebook.name)

    def _run(self, cell_id: str, cell: Json) -> None:
        if "exercise" in tags(cell) and "puzzle" not in tags(cell):
            self.keyboard.press("Enter")
            self.keyboard.press("Control+A")
            self.keyboard.insert_text(source(cell))
        self.keyboard.press("Shift+Enter")
        self.notebook.wait_until_run(cell_id)

    def _work(self, cell_id: str, cell: Json) -> None:
        self.keyboard.press("Control+Enter")
        self.notebook.wait_until_run(cell_id)
        shown = self.notebook.cell(cell_id).locator(".jp-Cell-outputArea")
        shown.locator("button").first.wait_for()
        if "stage_picker" in source(cell):
            self.keys.press("runtime (line")
            shown.get_by_text("Skipped: test").first.wait_for()
        elif "parsons" in source(cell):
            self._put_in_order(shown, self._answer(cell_id))
        else:
            self._tick(shown, self._answer(cell_id))
        self.keyboard.press("ArrowDown")

    def _put_in_order(self, shown: Any, order: list[int]) -> None:
        for at, number in enumerate(order, start=1):
            self.keys.press(f"{number}  ", back=at > 1 and number < order[at - 2])
            shown.get_by_text(f"(place {at})").first.wait_for()
        self.keys.press("Build and check")
        shown.get_by_text(": solved.").wait_for(timeout=WIDGET_LIMIT_MS)
        self.keyboard.press("Shift+Tab")  # the button was off meanwhile, and lost the focus

    def _tick(self, shown: Any, chosen: list[int | str]) -> None:
        shown.locator("input[type=checkbox]").first.wait_for()
        items = shown.locator("input[type=checkbox]").evaluate_all(LABELS)
        for one in sorted(items.index(one) if isinstance(one, str) else one - 1 for one in chosen):
            self.keys.press(items[one], "Space")
        self.keys.press("Ask the engine")
        shown.get_by_text(re.compile(r"(\d+) of \1 right\.")).wait_for(timeout=WIDGET_LIMIT_MS)
        self.keyboard.press("Shift+Tab")

    def _answer(self, cell_id: str) -> list[Any]:
        rest = self.notebook.ids[self.notebook.ids.index(cell_id) + 1 :]
        given = next(self.solved[one] for one in rest if {"puzzle", "exercise"} <= tags(self.solved[one]))
        return list(ast.literal_eval(source(given).partition(".answer(")[2].rstrip().removesuffix(")")))

    def _require_active(self, cell_id: str) -> None:
        cells = self.notebook.panel.locator(".jp-Notebook .jp-Cell")
        deadline = time.monotonic() + SELECT_LIMIT_S
        there = cells.evaluate_all(ACTIVE)
        while self.notebook.ids[there] != cell_id and time.monotonic() < deadline:
            self.notebook.page.wait_for_timeout(50)
            there = cells.evaluate_all(ACTIVE)
        assert self.notebook.ids[there] == cell_id, f"{self.notebook.ids[there]} is selected, not {cell_id}"
