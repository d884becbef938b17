"""The look of stages and of what became of them: one colour a stage, one mark a state, the same in every view.

The graph, the live view, the timeline and the layers all take both from here. A state is told by how a box is filled
and framed, and always by a word beside it: no meaning rests on colour alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from dmhelpers.show.plots import theme

Pattern = Literal["full", "half", "hatched", "crossed", "empty"]

_FIXED = {
    "base": "#56B4E9",
    "builder": "#E69F00",
    "build": "#E69F00",
    "test": "#CC79A7",
    "runtime": "#0072B2",
    "production": "#0072B2",
    "final": "#0072B2",
    "stage-0": "#D55E00",
    "stage-1": "#0072B2",
}
# The two that are left, then light tints for Dockerfiles of many stages.
_OTHERS = ("#009E73", "#F0E442", "#9AD7EE", "#8CD3BC", "#F7F1A1", "#F2B48C", "#E5BCD3")


@dataclass(frozen=True, slots=True)
class StateLook:
    """How a box shows a state: what fills it, and whether its frame is dashed (nothing was done)."""

    pattern: Pattern
    dashed: bool = False


_STATES = {
    "ran": StateLook("full"),
    "running": StateLook("half"),
    "cached": StateLook("hatched"),
    "failed": StateLook("crossed"),
    "cancelled": StateLook("empty"),
    "waiting": StateLook("empty", dashed=True),
    "not run": StateLook("empty", dashed=True),
    "not built": StateLook("empty", dashed=True),
}
_DASHES = ' stroke-dasharray="2 3"'


def stage_colours(*dockerfiles: Iterable[str]) -> dict[str, str]:
    """Return a colour for each stage: a stage has the same one in every view of the course.

    Args:
        dockerfiles: For each Dockerfile the names of all its stages, those that are not drawn too, in any order:
            only so do all views of one Dockerfile agree.

    Returns:
        Name to ``"#RRGGBB"``. The course's own stages (builder, test, runtime …) have theirs for good, any
        other name takes one by its letters; only where two of those meet does the later name take another.
        A name that several of the Dockerfiles have keeps the colour of the first.
    """
    colours: dict[str, str] = {}
    for names in dockerfiles:
        wanted = sorted(set(names))
        taken = {colours[name] for name in wanted if name in colours and name not in _FIXED}
        for name in wanted:
            if name in colours:
                continue
            colours[name] = _FIXED.get(name) or _free(name, taken)
            taken.add(colours[name])
    return colours


def look_of_state(state: str) -> StateLook:
    """Return how a state is shown, by the word that stands for it: ``"ran"``, say, or ``"not built"``."""
    return _STATES[state]


def bar_style(state: str, colour: str) -> dict[str, Any]:
    """Return how matplotlib draws a bar or a patch of a state, on paper.

    Args:
        state: The state's word.
        colour: The stage's colour, which fills it if it ran.
    """
    pattern = look_of_state(state).pattern
    hatch = {"hatched": "//////", "crossed": "xx"}.get(pattern, "")
    fill = colour if pattern == "full" else theme.PAPER
    return {"facecolor": fill, "edgecolor": theme.INK, "hatch": hatch, "linewidth": 0.8}


def state_mark(state: str, colour: str, *, x: float, y: float, width: float, height: float, ink: str) -> str:
    """Return a state's box as SVG, on one line.

    Args:
        state: The state's word.
        colour: The stage's colour, which fills it as far as it ran.
        x: Where it stands.
        y: Where it stands.
        width: How wide it is, its frame included.
        height: How high it is.
        ink: The colour of its frame and strokes.
    """
    look = look_of_state(state)
    left, top, across, down = x + 0.5, y + 0.5, max(width - 1, 1), height - 1
    line = f'stroke="{ink}" stroke-width="1"'
    fill = colour if look.pattern == "full" else "none"
    box = f'<rect {_place(left, top, across, down)} fill="{fill}" {line}{_DASHES if look.dashed else ""}/>'
    if look.pattern == "half":
        return f'<rect {_place(left, top, across / 2, down)} fill="{colour}"/>{box}'
    strokes = {"hatched": _hatching, "crossed": _cross}.get(look.pattern)
    if strokes is None:
        return box
    return f'{box}<path d="{"".join(strokes(left, top, across, down))}" {line} fill="none"/>'


def _free(name: str, taken: set[str]) -> str:
    start = zlib.crc32(name.encode()) % len(_OTHERS)
    order = _OTHERS[start:] + _OTHERS[:start]
    return next((colour for colour in order if colour not in taken), order[0])


def _place(x: float, y: float, width: float, height: float) -> str:
    return f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'


def _hatching(x: float, y: float, width: float, height: float) -> Iterator[str]:
    reach = min(height, width)
    for offset in range(0, max(1, int(width - reach) + 1), 5):
        yield f"M{x + offset:.1f} {y + height:.1f}l{reach:.1f} -{height:.1f}"


def _cross(x: float, y: float, width: float, height: float) -> Iterator[str]:
    yield f"M{x:.1f} {y:.1f}l{width:.1f} {height:.1f}M{x:.1f} {y + height:.1f}l{width:.1f} -{height:.1f}"
