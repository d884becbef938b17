"""The reduction as a waterfall: from one image's size, kind by kind, to the other's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dmhelpers.show.plots import lettering, theme
from dmhelpers.units import docker_size, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dmhelpers.measure.kinds import Reduction

_BAR = 0.62
_SMALL_SHARE = 0.004
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class _Step:
    """One falling (or rising) bar: it reaches from `low` to `high` bytes."""

    name: str
    drop_bytes: int
    low: int
    high: int


def plot_reduction(steps: Reduction, *, ax: Axes | None = None) -> Axes:
    """Draw a waterfall from one image's size to another's, one bar a kind of what went.

    Args:
        steps: What `dmhelpers.measure.kinds.reduction` returns. Kinds that differ by less than 0.4 % of the larger
            image share one bar, which says how many they are; the bars add up exactly either way.
        ax: Axes to draw on; by default a new figure. Their figure's background becomes white.

    Returns:
        The axes: the first image on top, the largest drop below it, what grew last, the second image at
        the bottom; the base image's share is hatched within the two totals. Sizes are in decimal units.
    """
    falls = _steps(steps)
    last = len(falls) + 1
    ax = theme.open_axes(ax, height_in=max(theme.HEIGHT_IN, 1.8 + 0.5 * (last + 1)))
    _draw_totals(ax, steps, last)
    _draw_steps(ax, falls)
    names = [steps.before, *(fall.name for fall in falls), steps.after]
    ax.set_yticks(range(last + 1), [lettering.wrap_name(name, width=26) for name in names])
    for label in (ax.get_yticklabels()[0], ax.get_yticklabels()[-1]):
        label.set_fontweight("bold")
    ax.set_ylim(last + 0.55, -0.55)
    theme.set_heading(ax, _title(steps))
    ends = [steps.before_bytes, *(fall.high for fall in falls), steps.after_bytes]
    theme.set_size_axis(ax.xaxis, largest_bytes=max(ends))
    lettering.set_note(ax, theme.STAND_IN_NOTE if steps.base_origin == "assembled" else "")
    _label(ax, steps, falls, ends)
    return ax


def alt_text(steps: Reduction) -> str:
    """Return what `plot_reduction` shows, in a sentence, for people who cannot see it."""
    falls = [f"{fall.name} {_change(fall.drop_bytes)}" for fall in _steps(steps)]
    note = f" {theme.STAND_IN_NOTE}" if steps.base_origin == "assembled" else ""
    return (
        f"Waterfall chart from {steps.before}, {docker_size(steps.before_bytes)}, to {steps.after}, "
        f"{docker_size(steps.after_bytes)}: {', '.join(falls) or 'nothing changes'}.{note}"
    )


def _steps(steps: Reduction) -> list[_Step]:
    """Turn the parts into bars, the largest drop first, each starting where the one before ended."""
    limit = _SMALL_SHARE * max(steps.before_bytes, steps.after_bytes)
    small = [part for part in steps.parts if abs(part.size_bytes) < limit]
    if len(small) < 2:
        small = []
    shown = [(part.kind, part.size_bytes) for part in steps.parts if part not in small]
    if small:
        shown.append((f"{len(small)} smaller kinds", sum(part.size_bytes for part in small)))
    level = steps.before_bytes
    falls = []
    for name, drop in sorted(shown, key=lambda one: -one[1]):
        falls.append(_Step(name, drop, min(level, level - drop), max(level, level - drop)))
        level -= drop
    return falls


def _title(steps: Reduction) -> str:
    drop = steps.before_bytes - steps.after_bytes
    if drop == 0:
        return "No difference in size"
    share = f", {percent(abs(drop) / steps.before_bytes)}" if steps.before_bytes else ""
    return f"{docker_size(abs(drop))} {'less' if drop > 0 else 'more'}{share}"


def _draw_totals(ax: Axes, steps: Reduction, last: int) -> None:
    base = (steps.base_before_bytes, steps.base_after_bytes)
    rest = (steps.before_bytes - base[0], steps.after_bytes - base[1])
    if any(base):
        theme.draw_base(ax.barh((0, last), base, height=_BAR, label="base image"))
    label = "on top of it" if any(base) else "whole image"
    ax.barh((0, last), rest, left=base, height=_BAR, color=theme.ADDED, label=label)


def _draw_steps(ax: Axes, falls: list[_Step]) -> None:
    for down, colour, hatch, label in (
        (True, theme.GONE, "", "gone"),
        (False, theme.GROWN, theme.GROWN_HATCH, "came in"),
    ):
        rows = [(place, fall) for place, fall in enumerate(falls, 1) if (fall.drop_bytes >= 0) == down]
        if rows:
            ax.barh(
                [place for place, _ in rows],
                [fall.high - fall.low for _, fall in rows],
                left=[fall.low for _, fall in rows],
                height=_BAR,
                color=colour,
                edgecolor=theme.INK if hatch else colour,
                hatch=hatch,
                linewidth=0.8,
                label=label,
            )
    for place, fall in enumerate(falls, 1):
        start, end = (fall.high, fall.low) if fall.drop_bytes >= 0 else (fall.low, fall.high)
        for level, top in ((start, place - 1), (end, place)):
            ax.plot([level, level], [top + _BAR / 2, top + 1 - _BAR / 2], color=theme.FAINT_INK, linewidth=1)


def _label(ax: Axes, steps: Reduction, falls: list[_Step], ends: list[int]) -> None:
    texts = [docker_size(steps.before_bytes), *(_change(fall.drop_bytes) for fall in falls)]
    texts.append(docker_size(steps.after_bytes))
    widths = [lettering.width_px(ax, text, bold=True) for text in texts]
    per_byte = lettering.make_room(ax, ends, widths)
    for place, (text, end) in enumerate(zip(texts, ends, strict=True)):
        lettering.write(ax, end, place, text, offset_pt=(7, 0), bold=True, paper=theme.PAPER)
    for place, base in ((0, steps.base_before_bytes), (len(falls) + 1, steps.base_after_bytes)):
        part = f"base {docker_size(base)}"
        if lettering.width_px(ax, part) + 12 < base * per_byte:
            lettering.write(ax, base / 2, place, part, at=("center", "center"), paper=theme.BASE)


def _change(drop_bytes: int) -> str:
    sign = "" if drop_bytes == 0 else _MINUS if drop_bytes > 0 else "+"
    return f"{sign}{docker_size(abs(drop_bytes))}"
