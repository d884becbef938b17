"""What a learner does with a notebook in JupyterLab, by mouse and keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.browser.going import go

RUN_LIMIT_MS = 900_000
OPEN_LIMIT_MS = 300_000
OPENINGS = 4
SIZES = """all => Promise.all(all.map(async one => {
  await one.decode().catch(() => {})
  return [one.naturalWidth, one.naturalHeight]
}))"""
"""What pictures measure once they are drawn; one that is broken measures nothing."""


class NotebookPage:
    """One notebook, open in JupyterLab.

    Args:
        page: The browser's page.
        lab: The server.
        name: The notebook.
    """

    def __init__(self, page: Any, lab: Any, name: str) -> None:
        self.page, self.lab, self.name = page, lab, name
        self.ids = [one["id"] for one in lab.saved(name)["cells"]]
        self.code_ids = [one["id"] for one in lab.saved(name)["cells"] if one["cell_type"] == "code"]
        self._open()

    @property
    def panel(self) -> Any:
        """The notebook's own part of the window."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def cell(self, cell_id: str) -> Any:
        """Return a cell by its id."""
        return self.panel.locator(".jp-Notebook .jp-Cell").nth(self.ids.index(cell_id))

    def run_all(self) -> None:
        """Use the menu Run, Run All Cells, and wait until no code cell waits any more."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator("[data-command='runmenu:run-all']").click()
        self.wait_until_run(self.code_ids[0])
        # After an error JupyterLab runs no further cell: those have no number then, and wait for nothing.
        waiting = self.panel.locator(".jp-CodeCell .jp-InputPrompt", has_text="[*]")
        waiting.first.wait_for(state="detached", timeout=RUN_LIMIT_MS)
        self._wait_until_idle()

    def type_into(self, cell_id: str, text: str) -> None:
        """Replace what stands in a cell by typing."""
        self.cell(cell_id).locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(text)

    def run(self, cell_id: str) -> str:
        """Select a cell, press Ctrl+Enter, wait until it has run, and return what it shows."""
        before = self.prompt(cell_id)
        self.cell(cell_id).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        self.wait_until_run(cell_id, before)
        return self.shown(cell_id)

    def wait_until_run(self, cell_id: str, before: str = "") -> None:
        """Wait until a cell has another number than before, and nothing runs any more."""
        prompt = self.cell(cell_id).locator(".jp-InputPrompt").element_handle()
        self.page.wait_for_function(
            r"([one, before]) => /^\[\d+\]/.test(one.textContent) && one.textContent !== before",
            arg=[prompt, before],
            timeout=RUN_LIMIT_MS,
        )
        self._wait_until_idle()

    def shown(self, cell_id: str) -> str:
        """Return the text that a cell's outputs show."""
        return str(self.cell(cell_id).locator(".jp-Cell-outputArea").inner_text())

    def prompt(self, cell_id: str) -> str:
        """Return what stands to the left of a cell: ``[ ]:``, ``[*]:`` or ``[3]:``."""
        return str(self.cell(cell_id).locator(".jp-InputPrompt").inner_text())

    def save(self) -> None:
        """Press Ctrl+S, as a learner does."""
        self.cell(self.code_ids[-1]).click()
        self.press_save()

    def press_save(self) -> None:
        """Press Ctrl+S and wait until what was asked for then is saved, not what JupyterLab saves by itself."""
        with self.page.expect_request(lambda one: "/api/contents/" in one.url and one.method == "PUT") as asked:
            self.page.keyboard.press("Control+S")
        assert asked.value.response().ok

    def picture_sizes(self) -> list[tuple[int, int]]:
        """Return width and height, in pixels of the picture itself, of each picture in the outputs."""
        found = self.panel.locator(".jp-OutputArea-output img")
        sizes = found.evaluate_all(SIZES)
        return [(width, height) for width, height in sizes]

    def picture_boxes(self) -> list[Any]:
        """Return where each picture in the outputs stands in the page, in pixels."""
        return [one.bounding_box() for one in self.panel.locator(".jp-OutputArea-output img").all()]

    def screenshots(self, folder: Path, name: str) -> list[Path]:
        """Scroll through the notebook from its top, a window at a time, and return a picture of each."""
        scroller = self.panel.locator(".jp-WindowedPanel-outer").first
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{name}-??.png"):
            old.unlink()
        paths: list[Path] = []
        top, height, whole = 0, *scroller.evaluate("one => [one.clientHeight, one.scrollHeight]")
        while top < whole:
            scroller.evaluate("(one, top) => { one.scrollTop = top }", top)
            self.page.wait_for_timeout(150)  # what comes into view is drawn only then
            paths.append(folder / f"{name}-{len(paths) + 1:02}.png")
            self.page.screenshot(path=paths[-1])
            top += height - 40
        return paths

    def _open(self) -> None:
        dialog = self.page.locator(".jp-Dialog")
        for _ in range(OPENINGS):
            go(self.page, self.lab.url(self.name))
            dialog.or_(self._idle()).first.wait_for(timeout=OPEN_LIMIT_MS)
            # On a busy machine JupyterLab gives up on its own style sheet, and says so: load the page again.
            if not dialog.is_visible():
                return
        raise AssertionError(f"JupyterLab asks: {dialog.inner_text()}")

    def _idle(self) -> Any:
        # The notebook's own sign says idle before there is a kernel; the status bar does not.
        return self.page.locator("#jp-main-statusbar").get_by_text("(ipykernel) | Idle")

    def _wait_until_idle(self) -> None:
        self._idle().wait_for(timeout=RUN_LIMIT_MS)
