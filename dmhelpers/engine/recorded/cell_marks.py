"""The mark below each cell of a notebook in recorded mode whose output does not carry it by itself.

What the course's own calls return says where it comes from. A notebook makes more of it: prints, tables and plots of
its own. So what a cell shows is looked at on its way out: tables and figures get the mark, all else one line below.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Callable
from typing import Any

from dmhelpers.engine.recorded import marks, session
from dmhelpers.engine.recorded.replaying import BANNER

_OURS = "dmhelpers"


def watch() -> None:
    """Look at what cells show from now on, once for each shell; outside of notebooks there is nothing to look at."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or isinstance(getattr(shell.display_formatter, "format", None), _Format):
        return
    cell = _Cell()
    shell.display_formatter.format = _Format(shell.display_formatter.format, cell)
    shell.events.register("pre_run_cell", cell.begin)
    shell.events.register("post_run_cell", cell.end)
    cell.begin()


class _Cell:
    """What the cell that runs now has shown: something that needs the mark, or the mark itself."""

    def __init__(self) -> None:
        self.marked = self.unmarked = False
        self._asked = 0
        self._stream: Any = None

    def begin(self, *_: Any) -> None:
        """Begin with a cell: what it prints is looked at."""
        self._release()
        found = session.player()
        self.marked = self.unmarked = False
        self._asked = 0 if found is None else found.asked
        if found is not None:
            self._stream, write = sys.stdout, sys.stdout.write
            self._stream.write = self._looking(write)

    def end(self, *_: Any) -> None:
        """Say below a cell that its output comes from a recording, where nothing in it says so."""
        self._release()
        found = session.player()
        if found is None or not found.asked or self.marked:
            return
        if self.unmarked or found.asked > self._asked:
            print(marks.note())  # noqa: T201  this is what is shown

    def saw(self, text: str) -> None:
        """Note what was shown as text."""
        if marks.sentence()[1:] in text:
            self.marked = True
        elif text.strip() and not text.startswith(BANNER):
            self.unmarked = True

    def _looking(self, write: Callable[[str], int]) -> Callable[[str], int]:
        def looked_at(text: str) -> int:
            self.saw(text)
            return write(text)

        return looked_at

    def _release(self) -> None:
        if self._stream is not None:
            del self._stream.write  # what lies below is the stream's own
            self._stream = None


class _Format:
    """A display formatter's `format`, which puts the mark on tables and figures."""

    def __init__(self, inner: Callable[..., Any], cell: _Cell) -> None:
        self._inner, self._cell = inner, cell

    def __call__(self, shown: Any, include: Any = None, exclude: Any = None) -> Any:
        found = session.player()
        if found is None or not found.asked:
            return self._inner(shown, include=include, exclude=exclude)
        figure = _is_a(shown, "matplotlib.figure", "Figure")
        if figure:
            _mark_figure(shown)
            self._cell.marked = True
        data, metadata = self._inner(shown, include=include, exclude=exclude)
        if figure or _is_a(shown, "pandas", "DataFrame") or _is_a(shown, "pandas", "Series"):
            data = _with_note(data)
        told = "\n".join(str(data[kind]) for kind in ("text/plain", "text/html", "image/svg+xml") if kind in data)
        # The course's own objects carry the mark, or at least the word, where what they say comes from the recording.
        if not figure and ("recorded" in told or not type(shown).__module__.startswith(_OURS)):
            self._cell.saw(told)
        return data, metadata


def _is_a(shown: Any, module: str, name: str) -> bool:
    there = sys.modules.get(module)
    return there is not None and isinstance(shown, getattr(there, name))


def _with_note(data: dict[str, Any]) -> dict[str, Any]:
    note = marks.note()
    told = {"text/plain": f"\n{note}", "text/html": f"<p><em>{html.escape(note)}</em></p>"}
    return {kind: one if kind not in told or note in str(one) else f"{one}{told[kind]}" for kind, one in data.items()}


def _mark_figure(figure: Any) -> None:
    from matplotlib.text import Text

    note = marks.note()
    texts = [" ".join(one.get_text().split()) for one in figure.findobj(Text)]
    if not any(marks.sentence()[1:] in one for one in texts):
        figure.text(0.0, -0.02, note, va="top", fontsize=9)
