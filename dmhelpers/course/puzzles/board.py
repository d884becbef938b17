"""The widget of a Parsons problem: buttons only, so that Tab, Enter and Space reach all of it.

No button is ever made anew, only its words change: the focus stays where a person left it.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from dmhelpers.course.puzzles.ordering import Ordering
from dmhelpers.course.puzzles.records import Judged
from dmhelpers.errors import DmHelpersError

STYLE = """<style>
.dm-puzzle .dm-line { width: calc(100% - 4px); height: auto; min-height: 30px; padding: 3px 8px; text-align: left;
  font-family: var(--jp-code-font-family, monospace); white-space: pre-wrap; overflow-wrap: anywhere;
  line-height: 1.35; }
.dm-puzzle .dm-line.dm-chosen { outline: 2px solid currentColor; outline-offset: -2px; font-weight: bold; }
.dm-puzzle button:focus-visible { box-shadow: 0 0 0 3px var(--jp-brand-color1, #1976d2); }
.dm-puzzle .widget-html-content { line-height: 1.5; }
.dm-puzzle th { padding-right: 1em; vertical-align: top; }
</style>"""


class Board:
    """Binds an ordering and a judge to buttons; `widget` is the ipywidgets box, `result` what was judged last.

    Args:
        ordering: The learner's order.
        check: Called by "Build and check"; returns the verdict.
    """

    def __init__(self, ordering: Ordering, check: Callable[[], Judged]) -> None:
        import ipywidgets

        self.ordering, self._judge = ordering, check
        self.result: Judged | None = None
        problem = ordering.problem
        self.lines = [_line(ipywidgets) for _ in problem.lines]
        self.slots = [_line(ipywidgets) for _ in problem.lines]
        self.up, self.down, self.out = (
            ipywidgets.Button(description=words, tooltip=f"{words}: the chosen line", layout={"width": "auto"})
            for words in ("Move up", "Move down", "Take out")
        )
        self.check = ipywidgets.Button(description="Build and check", icon="play", layout={"width": "max-content"})
        self.status, self.verdict = ipywidgets.HTML(), ipywidgets.HTML()
        self._bind()
        self.widget = self._assembled()
        self.show()

    def show(self) -> None:
        """Write the ordering onto the buttons."""
        order, chosen = self.ordering.order, self.ordering.chosen
        for line, button in zip(self.ordering.problem.lines, self.lines, strict=True):
            place = f"   (place {order.index(line.number) + 1})" if line.number in order else ""
            button.description = f"{line.number}  {line.text}{place}"
        for at, button in enumerate(self.slots):
            button.layout.display = None if at < len(order) else "none"
            number = order[at] if at < len(order) else None
            is_chosen = number is not None and number == chosen
            text = self.ordering.problem.lines[number - 1].text if number else ""
            button.description = f"{'▸' if is_chosen else ' '} {at + 1}  {text}"
            (button.add_class if is_chosen else button.remove_class)("dm-chosen")
        self.status.value = f'<p role="status">{html.escape(self._status())}</p>'

    def _assembled(self) -> Any:
        import ipywidgets

        posed = self.ordering.problem
        task = f"<p><strong>{html.escape(posed.title)}</strong> ({posed.level}). {html.escape(posed.task)}</p>"
        column = {"width": "26em", "flex": "1 1 26em", "margin": "0 12px 8px 0"}
        row = {"flex_flow": "row wrap"}
        given = _heading(ipywidgets, "Lines: press one to put it in or out")
        made = _heading(ipywidgets, "Your Dockerfile: press a line to choose it")
        moves = ipywidgets.HBox([self.up, self.down, self.out], layout=row)
        left = ipywidgets.VBox([given, *self.lines], layout=column)
        right = ipywidgets.VBox([made, *self.slots, moves, self.status], layout=column)
        both = ipywidgets.HBox([left, right], layout=row)
        box = ipywidgets.VBox([ipywidgets.HTML(STYLE + task), both, self.check, self.verdict])
        box.add_class("dm-puzzle")
        return box

    def _status(self) -> str:
        order, place = self.ordering.order, self.ordering.place
        if not order:
            return "No line is in yet."
        words = f"{len(order)} line{'s' * (len(order) > 1)} in; chosen: place {place + 1}, {self._text(order[place])}"
        return " ".join(filter(None, [words, self.ordering.trouble]))

    def _text(self, number: int) -> str:
        return self.ordering.problem.lines[number - 1].text

    def _bind(self) -> None:
        for line, button in zip(self.ordering.problem.lines, self.lines, strict=True):
            button.on_click(lambda _, number=line.number: self._do(self.ordering.press, number))
        for at, button in enumerate(self.slots):
            button.on_click(lambda _, at=at: self._do(self._choose, at))
        self.up.on_click(lambda _: self._do(self.ordering.move, -1))
        self.down.on_click(lambda _: self._do(self.ordering.move, 1))
        self.out.on_click(lambda _: self._do(self.ordering.take_out))
        self.check.on_click(lambda _: self._build())

    def _choose(self, at: int) -> None:
        if at < len(self.ordering.order):
            self.ordering.choose(self.ordering.order[at])

    def _do(self, act: Callable[..., None], *arguments: int) -> None:
        act(*arguments)
        self.show()

    def _build(self) -> None:
        self.check.disabled = True
        self.verdict.value = '<p role="status">The engine builds your Dockerfile …</p>'
        try:
            self.result = self._judge()
            self.verdict.value = f'<div role="status">{self.result._repr_html_()}</div>'
        except DmHelpersError as error:
            self.verdict.value = f'<p role="status">{html.escape(str(error))}</p>'
        except BaseException:
            self.verdict.value = '<p role="status">Nothing was judged: it was interrupted.</p>'
            raise
        finally:
            self.check.disabled = False


def _line(ipywidgets: Any) -> Any:
    made = ipywidgets.Button()
    made.add_class("dm-line")
    return made


def _heading(ipywidgets: Any, words: str) -> Any:
    return ipywidgets.HTML(f"<strong>{words}</strong>")
