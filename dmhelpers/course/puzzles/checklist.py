"""The widget of a quiz: a checkbox an item, and a button that asks the engine."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any

from dmhelpers.errors import DmHelpersError

_STYLE = """<style>
.dm-quiz button:focus-visible { box-shadow: 0 0 0 3px var(--jp-brand-color1, #1976d2); }
.dm-quiz input:focus-visible { outline: 3px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.dm-quiz label { font-family: var(--jp-code-font-family, monospace); }
.dm-quiz .widget-html-content { line-height: 1.5; }
.dm-quiz th, .dm-quiz td { padding: 3px 14px 3px 0; vertical-align: top; }
</style>"""


class Checklist:
    """Binds checkboxes to what answers; `widget` is the ipywidgets box, `result` what was answered last.

    Args:
        question: The question.
        items: What can be ticked.
        answer: Called with the ticked items; its result shows itself as HTML.
    """

    def __init__(self, question: str, items: Iterable[str], answer: Callable[[list[str | int]], Any]) -> None:
        import ipywidgets

        self._answer = answer
        self.result: Any = None
        self.boxes = [ipywidgets.Checkbox(description=one, indent=False, layout={"width": "auto"}) for one in items]
        self.check = ipywidgets.Button(description="Ask the engine", icon="play", layout={"width": "max-content"})
        self.verdict = ipywidgets.HTML()
        self.check.on_click(lambda _: self._ask())
        head = ipywidgets.HTML(f"{_STYLE}<strong>{html.escape(question)}</strong> Tick those for yes.")
        self.widget = ipywidgets.VBox([head, *self.boxes, self.check, self.verdict])
        self.widget.add_class("dm-quiz")

    @property
    def ticked(self) -> list[str | int]:
        """The items that are ticked."""
        return [one.description for one in self.boxes if one.value]

    def _ask(self) -> None:
        self.check.disabled = True
        self.verdict.value = '<p role="status">The engine is asked …</p>'
        try:
            self.result = self._answer(self.ticked)
            self.verdict.value = f'<div role="status">{self.result._repr_html_()}</div>'
        except DmHelpersError as error:
            self.verdict.value = f'<p role="status">{html.escape(str(error))}</p>'
        except BaseException:
            self.verdict.value = '<p role="status">Nothing was answered: it was interrupted.</p>'
            raise
        finally:
            self.check.disabled = False
