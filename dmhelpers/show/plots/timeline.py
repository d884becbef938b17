"""When each step of a build ran: a lane a stage, on one axis of seconds for all the builds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dmhelpers.errors import InputError
from dmhelpers.measure.records import BuildRecord, StageState, Step
from dmhelpers.show.plots import lettering, stage_looks, theme
from dmhelpers.units import seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_BAR = 0.6
_MARK_PT, _GAP_PT, _PAD_PT = 9, 3, 8
_MOST_MARKS = 10
_LANE_IN = 0.5
_LEAST_S = 0.5
_LOOK_UP_S = 0.1
_ROUND_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800)
_NOTE = "Each bar is a step. A hatched mark is a step from the build cache: it takes no time."


@dataclass(frozen=True, slots=True)
class _Bar:
    """A step that ran; seconds count from the first step of its build. `lent`: another stage ran it for this one."""

    instruction: str
    begin_s: float
    end_s: float
    lent: bool


@dataclass(frozen=True, slots=True)
class _Lane:
    """A stage of a build: its bars by their beginning, how many steps came from the cache, and its state in words."""

    stage: str
    bars: tuple[_Bar, ...]
    cached: int
    words: str

    @property
    def end_s(self) -> float:
        return max((bar.end_s for bar in self.bars), default=0.0)


def plot_timeline(*records: BuildRecord, ax: Axes | None = None) -> Axes:
    """Draw the steps of builds as bars, a lane a stage in file order, the builds below each other.

    Args:
        records: The builds, drawn from top to bottom on one axis, so that their seconds compare.
        ax: Axes to draw on; by default a new figure. Their figure's background becomes white.

    Returns:
        The axes, in seconds from each build's first step. Stages at the same place ran in parallel; one that was
        not built has no bar and says so.

    Raises:
        InputError: There is no build.
    """
    blocks = _blocks(records)
    rows = sum(1 + len(lanes) for _, lanes in blocks)
    ax = theme.open_axes(ax, height_in=max(theme.HEIGHT_IN, 2.2 + _LANE_IN * rows))
    places = list(_places(blocks))
    lanes = [(place, lane) for place, _, lane in places if lane is not None]
    ax.set_yticks([place for place, _ in lanes], [lettering.wrap_name(one.stage, width=20) for _, one in lanes])
    ax.set_ylim(rows - 0.4, -0.6)
    theme.set_heading(ax, "When each step ran", _handles(blocks))
    ax.set_xticks([])
    ax.set_xticks([0], ["0"])
    lettering.set_note(ax, _NOTE)
    per_s, left_s = _scale(ax, [lane for _, lane in lanes])
    colours = stage_looks.stage_colours(*([one.stage for one in lanes] for _, lanes in blocks))
    for place, title, lane in places:
        if lane is None:
            text = lettering.fit(ax, title, 0.95 * lettering.settled_size_px(ax)[0], bold=True)
            lettering.write(ax, left_s, place, text, offset_pt=(_PAD_PT, 0), bold=True, paper=theme.PAPER)
        else:
            _draw(ax, place, lane, colours[lane.stage], per_s)
    return ax


def alt_text(*records: BuildRecord) -> str:
    """Return what `plot_timeline` shows, in sentences, for people who cannot see it."""
    return "Timeline of builds. " + " ".join(
        f"{title}: {'; '.join(map(_lane_words, lanes))}." for title, lanes in _blocks(records)
    )


def _lane_words(lane: _Lane) -> str:
    bars = [f"{one.instruction} from {one.begin_s:.1f}s to {one.end_s:.1f}s" for one in lane.bars]
    return ", ".join([f"stage {lane.stage} {lane.words}", *bars])


def _blocks(records: Sequence[BuildRecord]) -> list[tuple[str, list[_Lane]]]:
    if not records:
        raise InputError("There is no build to draw.", hint="Give what dm.build(...) returned, one build or more.")
    return [(_title(one), _lanes(one)) for one in records]


def _title(record: BuildRecord) -> str:
    return f"{lettering.drawable(record.tag)}, {seconds(record.duration_s)} in all"


def _lanes(record: BuildRecord) -> list[_Lane]:
    steps = [one for one in record.steps if not _is_look_up(one)]
    begins = [step.started for step in steps if step.started and step.state != "cached"]
    zero = min(begins, default=None)
    return [_lane(state, [one for one in steps if one.stage == state.stage], zero) for state in record.stages]


def _is_look_up(step: Step) -> bool:
    """Say whether it is a FROM whose image was there: nothing was done, and BuildKit calls it done all the same."""
    return step.instruction.upper().startswith("FROM ") and step.state == "ran" and step.duration_s < _LOOK_UP_S


def _lane(state: StageState, steps: Sequence[Step], zero: datetime | None) -> _Lane:
    bars = []
    for step in steps:
        if zero is not None and step.started is not None and step.state != "cached":
            begin_s = (step.started - zero).total_seconds()
            text = lettering.drawable(step.instruction)
            bars.append(_Bar(text, begin_s, begin_s + step.duration_s, step.shared_with is not None))
    cached = sum(step.state == "cached" for step in steps)
    return _Lane(state.stage, tuple(sorted(bars, key=lambda one: one.begin_s)), cached, _words(state, cached))


def _words(state: StageState, cached: int) -> str:
    if state.state == "ran":
        from_cache = f", {cached} cached" if cached else ""
        return f"ran {seconds(state.duration_s)}{from_cache}"
    if state.state == "cached":
        return f"cached, {cached} step{'s' * (cached != 1)}"
    return state.state


def _places(blocks: Sequence[tuple[str, list[_Lane]]]) -> Iterator[tuple[int, str, _Lane | None]]:
    """Yield the rows from the top: a build's title, then its lanes."""
    count = itertools.count()
    for title, lanes in blocks:
        yield next(count), title, None
        for lane in lanes:
            yield next(count), "", lane


def _handles(blocks: Sequence[tuple[str, list[_Lane]]]) -> list[Patch]:
    from matplotlib.patches import Patch

    lanes = [lane for _, lanes in blocks for lane in lanes]
    handles = (
        [Patch(label="ran", **stage_looks.bar_style("ran", theme.FAINT_INK))]
        if any(lane.bars for lane in lanes)
        else []
    )
    if any(lane.cached for lane in lanes):
        handles.append(Patch(label="from the build cache", **stage_looks.bar_style("cached", theme.PAPER)))
    if any(bar.lent for lane in lanes for bar in lane.bars):
        handles.append(Patch(label="run once for two stages", facecolor=theme.PAPER, edgecolor=theme.INK))
    return handles


def _scale(ax: Axes, lanes: Sequence[_Lane]) -> tuple[float, float]:
    """Set the axis of seconds, with room at its left for the marks and at its right for each lane's words.

    Returns:
        Pixels a second, and where the axis begins, in seconds: before 0, where the marks stand.
    """
    point = theme.figure_of(ax).dpi / 72
    total, _ = lettering.settled_size_px(ax)
    marks = min(max(lane.cached for lane in lanes), _MOST_MARKS)
    gutter = (marks * (_MARK_PT + _GAP_PT) + (_PAD_PT if marks else 0)) * point
    # Where all comes from the cache, what is left takes no time that says anything: it is not to fill the axis.
    longest = max(_LEAST_S, *(lane.end_s for lane in lanes))
    per_s = min(
        max(total - gutter - lettering.width_px(ax, lane.words) - 3 * _PAD_PT * point, total * 0.2)
        / (lane.end_s or longest / 2)
        for lane in lanes
    )
    per_s = min(per_s, (total - gutter) / longest)
    ax.set_xlim(-gutter / per_s, (total - gutter) / per_s)
    _set_seconds(ax, (total - gutter) / per_s, total - gutter)
    return per_s, -gutter / per_s


def _set_seconds(ax: Axes, reach_s: float, reach_px: float) -> None:
    room = reach_px / (2 * lettering.width_px(ax, "0.00s"))
    most = max(2.0, min(8.0, room))
    step = next((one for one in _ROUND_S if reach_s / one <= most), reach_s / 2)
    ticks = [index * step for index in range(int(reach_s / step) + 1)]
    # A label at the very end would be cut off with the picture.
    ticks = [one for one in ticks if (reach_s - one) / reach_s * reach_px > lettering.width_px(ax, "0.00s") / 2] or [
        0
    ]
    ax.set_xticks(ticks, [f"{one:g}s" if one else "0" for one in ticks])
    ax.xaxis.grid(visible=True, color=theme.GRID, linewidth=0.8)


def _draw(ax: Axes, place: int, lane: _Lane, colour: str, per_s: float) -> None:
    point = theme.figure_of(ax).dpi / 72
    for number in range(min(lane.cached, _MOST_MARKS)):
        right = -(_PAD_PT + number * (_MARK_PT + _GAP_PT)) * point / per_s
        ax.barh(
            place, -_MARK_PT * point / per_s, left=right, height=_BAR, **stage_looks.bar_style("cached", theme.PAPER)
        )
    for index, bar in enumerate(lane.bars):
        fill = theme.PAPER if bar.lent else colour
        ax.barh(
            place,
            bar.end_s - bar.begin_s,
            left=bar.begin_s,
            height=_BAR,
            **stage_looks.bar_style("ran", fill),
        )
        ends = [bar.end_s, *(later.begin_s for later in lane.bars[index + 1 :])]
        room = (min(ends) - bar.begin_s) * per_s - 2 * _PAD_PT * point
        text = lettering.fit(ax, bar.instruction, room)
        if text != bar.instruction:  # what RUN runs says more than the word
            text = lettering.fit(ax, bar.instruction.removeprefix("RUN "), room)
        if text:
            ink = theme.ink_on(fill)
            lettering.write(ax, bar.begin_s, place, text, offset_pt=(_PAD_PT, 0), colour=ink, paper=fill)
    ink = theme.INK if lane.bars or lane.cached else theme.FAINT_INK
    lettering.write(ax, lane.end_s, place, lane.words, offset_pt=(_PAD_PT, 0), colour=ink, paper=theme.PAPER)
