"""An image's layers as a stack, coloured by the stage that each comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from dmhelpers.errors import InputError
from dmhelpers.show.plots import lettering, theme
from dmhelpers.show.plots.stage_looks import stage_colours
from dmhelpers.units import docker_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

    from dmhelpers.measure.records import ImageHistory

_BAR = 0.82
_SMALL_SHARE = 0.01
_LINES_ABOVE = 2
_LINES_INSIDE = 4
_SMALL_STAGE = ""


@dataclass(frozen=True, slots=True)
class _Segment:
    """One part of a stack, from `bottom_bytes` up; `stage` None is the base image, ``""`` are the small ones."""

    stage: str | None
    text: str
    size_bytes: int
    bottom_bytes: int


def plot_layers(*histories: ImageHistory, ax: Axes | None = None, base_origin: str = "") -> Axes:
    """Stack each image's layers, oldest at the bottom, coloured by the stage that each comes from.

    Args:
        *histories: One record an image, drawn from left to right. A layer without a stage counts as the base's.
        ax: Axes to draw on; by default a new figure. Their figure's background becomes white.
        base_origin: ``"assembled"`` writes the note that a stand-in base image is in use.

    Returns:
        The axes. A segment carries its instruction and size where they fit; what does not fit inside is
        written above the stack. The base image's layers are one segment (each its own where no layer has a
        stage), and so are layers below 1 % of the largest image. Sizes are in decimal units, as Docker prints them.

    Raises:
        InputError: No history was given.
    """
    if not histories:
        raise InputError("There is no image to draw.", hint='Name at least one: dm.plot_layers("my-api:latest")')
    tallest = max(history.size_bytes for history in histories)
    stacks, colours = _stacks(histories), _colours(histories)
    ax = theme.open_axes(ax, width_in=max(theme.WIDTH_IN, 1.0 + 1.3 * len(histories)))
    spare = max(0.0, 0.75 - 0.25 * len(stacks))
    ax.set_xlim(-0.5 - spare, len(stacks) - 0.5 + spare)
    theme.set_heading(ax, "Layers of each image, by stage", _handles(stacks, colours))
    ax.set_ylim(0, max(tallest, 1))
    theme.set_size_axis(ax.yaxis, largest_bytes=tallest)
    _name_images(ax, histories)
    lettering.set_note(ax, theme.STAND_IN_NOTE if base_origin == "assembled" else "")
    _draw(ax, stacks, tallest, colours)
    return ax


def alt_text(*histories: ImageHistory) -> str:
    """Return what `plot_layers` shows, in a sentence an image, for people who cannot see it."""
    said = []
    for history, stack in zip(histories, _stacks(histories), strict=True):
        parts = [f"{segment.text} {docker_size(segment.size_bytes)}{_aside(segment)}" for segment in stack]
        said.append(f"{history.image}, {docker_size(history.size_bytes)}: {', '.join(parts) or 'no layers'}.")
    return "Stacked bars of image layers, oldest first. " + " ".join(said)


def _stacks(histories: Sequence[ImageHistory]) -> list[list[_Segment]]:
    """Return a stack an image; the base's layers are one segment where there are stages to look at instead."""
    tallest = max((history.size_bytes for history in histories), default=0)
    staged = any(layer.stage is not None for history in histories for layer in history.layers)
    return [_segments(history, _SMALL_SHARE * tallest, one_base=staged) for history in histories]


def _segments(history: ImageHistory, limit_bytes: float, *, one_base: bool) -> list[_Segment]:
    """Return a stack from the bottom up: the layers from the oldest on, the small ones together on top."""
    layers = [layer for layer in reversed(history.layers) if layer.size_bytes > 0]
    base = [layer for layer in layers if layer.stage is None] if one_base else []
    parts: list[tuple[str | None, str, int]] = []
    if base:
        parts.append((None, "base image", sum(layer.size_bytes for layer in base)))
    own = [layer for layer in layers if layer not in base]
    small = [layer for layer in own if layer.size_bytes < limit_bytes]
    if len(small) < 2:
        small = []
    parts += [
        (layer.stage, lettering.short_instruction(layer.created_by), layer.size_bytes)
        for layer in own
        if layer not in small
    ]
    if small:
        parts.append((_SMALL_STAGE, f"{len(small)} small layers", sum(layer.size_bytes for layer in small)))
    bottoms = accumulate((size_bytes for _, _, size_bytes in parts), initial=0)
    return [_Segment(*part, bottom) for part, bottom in zip(parts, bottoms, strict=False)]


def _stage_label(stage: str | None) -> str:
    """Return a stage as the legend names it; BuildKit's own ``stage-1`` says already what it is."""
    if stage is None:
        return "base image"
    return stage if stage == _SMALL_STAGE or stage.startswith("stage-") else f"stage {stage}"


def _aside(segment: _Segment) -> str:
    return "" if segment.stage in {None, _SMALL_STAGE} else f" ({_stage_label(segment.stage)})"


def _colours(histories: Sequence[ImageHistory]) -> dict[str | None, str]:
    """Return each stage's colour; all stages of a Dockerfile count, for in the graph it is drawn with them all."""
    known = [
        (*history.stages, *(layer.stage for layer in history.layers if layer.stage is not None))
        for history in histories
    ]
    colours: dict[str | None, str] = {None: theme.BASE, _SMALL_STAGE: theme.SMALL}
    colours.update(stage_colours(*known))
    return colours


def _style(stage: str | None, colour: str) -> dict[str, Any]:
    if stage is None:
        return {"facecolor": colour, "edgecolor": theme.BASE_HATCH_INK, "hatch": theme.BASE_HATCH, "linewidth": 0.8}
    if stage == _SMALL_STAGE:
        return {"facecolor": colour, "edgecolor": theme.FAINT_INK, "hatch": "....", "linewidth": 0.8}
    return {"facecolor": colour, "edgecolor": theme.INK, "linewidth": 0.5}


def _handles(stacks: list[list[_Segment]], colours: Mapping[str | None, str]) -> list[Patch]:
    """Return the legend's entries: the base image first, the small layers last, stages as they come."""
    from matplotlib.patches import Patch

    seen = dict.fromkeys(segment.stage for stack in stacks for segment in stack)
    order = sorted(seen, key=lambda stage: (stage is not None, stage == _SMALL_STAGE))
    return [
        Patch(label=lettering.drawable(_stage_label(stage)) or "small layers", **_style(stage, colours[stage]))
        for stage in order
    ]


def _name_images(ax: Axes, histories: Sequence[ImageHistory]) -> None:
    width, _ = lettering.settled_size_px(ax)
    low, high = ax.get_xlim()
    slot = 0.94 * width / (high - low)
    letters = max(4, int(slot / lettering.width_px(ax, "n")))
    ax.set_xticks(
        range(len(histories)), [lettering.wrap_name(one.image, width=letters, lines=3) for one in histories]
    )


def _draw(ax: Axes, stacks: list[list[_Segment]], tallest: int, colours: Mapping[str | None, str]) -> None:
    """Draw and label the stacks, with room above the tallest for its total and the lines that fit nowhere else."""
    width, height = lettering.settled_size_px(ax)
    line = lettering.line_px(ax)
    top = max(tallest, 1) * height / max(height - (1 + _LINES_ABOVE) * line - line / 2, height / 3)
    ax.set_ylim(0, top)
    per_byte = height / top
    low, high = ax.get_xlim()
    bar_px = _BAR * width / (high - low)
    for place, stack in enumerate(stacks):
        for segment in stack:
            ax.bar(
                place,
                segment.size_bytes,
                bottom=segment.bottom_bytes,
                width=_BAR,
                **_style(segment.stage, colours[segment.stage]),
            )
        outside = [
            segment
            for segment in stack
            if not _label(ax, place, segment, colours[segment.stage], (bar_px, segment.size_bytes * per_byte))
        ]
        _label_above(ax, place, stack, outside, colours, bar_px * (1 + 1 / _BAR) / 2)


def _label(ax: Axes, place: int, segment: _Segment, fill: str, room_px: tuple[float, float]) -> bool:
    """Write a segment's instruction and size into it; False where not even the size fits."""
    width = room_px[0] - lettering.width_px(ax, "nn")
    lines = int(room_px[1] / lettering.line_px(ax))
    text = _fitted(ax, segment, width, min(lines, _LINES_INSIDE))
    if text:
        middle = segment.bottom_bytes + segment.size_bytes / 2
        ink = theme.ink_on(fill)
        lettering.write(ax, place, middle, text, at=("center", "center"), colour=ink, paper=fill)
    return bool(text)


def _label_above(
    ax: Axes,
    place: int,
    stack: list[_Segment],
    outside: list[_Segment],
    colours: Mapping[str | None, str],
    width_px: float,
) -> None:
    """Write the total above a stack and, between the two, the segments that are too thin for their label."""
    total = sum(segment.size_bytes for segment in stack)
    left = place - _BAR / 2
    line_pt = lettering.LINE_PT
    shown = sorted(outside, key=lambda segment: -segment.size_bytes)[:_LINES_ABOVE]
    shown.sort(key=lambda segment: segment.bottom_bytes)
    for row, segment in enumerate(shown):
        mark = lettering.width_px(ax, "\N{BLACK SQUARE} ")
        text = _fitted(ax, segment, width_px - mark, 1)
        if text:
            lettering.write_marked(ax, left, total, text, colours[segment.stage], up_pt=4 + row * line_pt)
    up = 4 + len(shown) * line_pt
    lettering.write(
        ax, left, total, docker_size(total), at=("left", "bottom"), offset_pt=(0, up), bold=True, paper=theme.PAPER
    )


def _fitted(ax: Axes, segment: _Segment, limit_px: float, lines: int) -> str:
    """Return instruction and size in at most so many lines, the instruction cut if it must be; else ``""``."""
    size = docker_size(segment.size_bytes)
    text = lettering.drawable(segment.text)
    if lines < 1 or lettering.width_px(ax, size) > limit_px:
        return ""
    one_line = f"{text}  {size}"
    if lettering.width_px(ax, one_line) <= limit_px:
        return one_line
    if lines == 1:
        if segment.stage == _SMALL_STAGE:
            text = text.removesuffix(" layers")
        start = lettering.fit(ax, text, limit_px - lettering.width_px(ax, f"  {size}"))
        return f"{start}  {size}" if start else size
    rows = lettering.wrap(ax, text, limit_px)
    if len(rows) > lines - 1:
        rows = [*rows[: lines - 2], lettering.fit(ax, " ".join(rows[lines - 2 :]), limit_px)]
    return "\n".join([*filter(None, rows), size])
