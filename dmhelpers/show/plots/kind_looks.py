"""The look of each kind of file: a colour of the theme and a hatching, the same in every picture.

Two kinds never share both, so that they are told apart without seeing colours; borders and names do the rest.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

from dmhelpers.show.plots import theme

Hatch = Literal["", "/", "\\", "|", "-", "x", "+"]


@dataclass(frozen=True, slots=True)
class KindLook:
    """A fill as ``"#RRGGBB"``, and the direction of the lines on it; ``""`` for none."""

    fill: str
    hatch: Hatch = ""

    @property
    def ink(self) -> str:
        """The colour of text on it."""
        return theme.ink_on(self.fill)

    @property
    def hatch_ink(self) -> str:
        """The colour of its lines: the fill, a third of the way to the text's."""
        return _mix(self.fill, self.ink, 0.3)


SMALLER = KindLook("#FFFFFF", "\\")
_LOOKS = {
    "base image": KindLook(theme.BASE, "/"),
    "language runtime": KindLook("#0072B2"),
    "production dependencies": KindLook("#56B4E9"),
    "system packages": KindLook("#9AD7EE", "\\"),
    "dev dependencies": KindLook("#E69F00"),
    "type definitions": KindLook("#F2B48C", "|"),
    "compiler and toolchain": KindLook("#D55E00", "\\"),
    "package-manager caches": KindLook("#F0E442", "x"),
    "bytecode caches": KindLook("#F7F1A1", "x"),
    "compiled output": KindLook("#009E73"),
    "build intermediates": KindLook("#8CD3BC", "/"),
    "application": KindLook("#8CD3BC"),
    "sources": KindLook("#CC79A7"),
    "shells": KindLook("#E5BCD3", "+"),
    "certificates": KindLook("#F7F1A1"),
    "documentation": KindLook("#FFFFFF", "x"),
    "other": KindLook("#FFFFFF"),
}
_OTHERS = tuple(
    KindLook(fill, hatch)
    for hatch in ("|", "+", "/")
    for fill in ("#E5BCD3", "#F7F1A1", "#9AD7EE", "#F2B48C", "#FFFFFF")
    if KindLook(fill, hatch) not in _LOOKS.values()
)


def look_of(kind: str) -> KindLook:
    """Return how a kind is drawn; one that the rules do not name takes a look by its letters."""
    return _LOOKS.get(kind) or _OTHERS[zlib.crc32(kind.encode()) % len(_OTHERS)]


def _mix(one: str, other: str, share: float) -> str:
    pairs = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)
