"""The last lines of what a step prints, kept at a bounded cost however much it prints."""

from __future__ import annotations

import re
from collections import deque

from dmhelpers.measure.run_hints import without_address

_PIECES = 64
_CHARS = 4000
_SHORT = _CHARS // _PIECES
_WIDTH = 160
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Tail:
    """A step's output, of which only the end is kept. Adding a piece costs the same however long it has run."""

    def __init__(self) -> None:
        self._pieces: deque[str] = deque(maxlen=_PIECES)

    def add(self, text: str) -> None:
        """Take in a piece of output: lines, or a part of one."""
        pieces = self._pieces
        if pieces and len(pieces[-1]) + len(text) < _SHORT:
            pieces[-1] += text  # a step that prints dots would else leave nothing but dots
        else:
            pieces.append(text[-_CHARS:])

    def lines(self, most: int) -> tuple[str, ...]:
        """Return the last lines as a terminal would show them: no colours, only the last state of a progress bar.

        Args:
            most: How many at most.
        """
        kept: list[str] = []
        room = _CHARS
        for piece in reversed(self._pieces):
            kept.append(piece[-room:])
            room -= len(kept[-1])
            if room <= 0:
                break
        rows = (_shown(row) for row in "".join(reversed(kept)).replace("\r\n", "\n").split("\n"))
        return tuple(row for row in rows if row)[-most:]


def _shown(row: str) -> str:
    row = _ESCAPE.sub("", row).rstrip("\r").rpartition("\r")[2]
    row = without_address(_CONTROL.sub("", row.replace("\t", "    ")).rstrip())
    return row if len(row) <= _WIDTH else row[: _WIDTH - 1] + "…"
