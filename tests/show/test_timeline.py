"""The timeline of builds: what it shows, and that its text can be read whatever the builds were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dmhelpers.errors import InputError
from dmhelpers.measure.records import BuildRecord, StageState, Step
from dmhelpers.measure.steps import stage_states
from dmhelpers.show.builds import Build
from dmhelpers.show.figures import plot_timeline
from dmhelpers.show.plots import timeline
from dmhelpers.show.plots.stage_looks import stage_colours
from tests.measure.test_recorded_builds import CASES, load
from tests.show import test_plots as plots

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LONG = "registry.example.com:5000/some/very/long/organisation/and-a-really-long-repository-name:2024-11-05-rc1"
SUCCEEDED = [case for case in CASES if not case.startswith(("failing", "bad"))]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def step(stage, number, instruction, state="cached", begin_s=None, duration_s=0.0, shared_with=None):
    """Make a step that began so many seconds after the build."""
    started = None if begin_s is None else BEGIN + timedelta(seconds=begin_s)
    return Step(stage, number, number, number, instruction, state, duration_s, started, "", shared_with)


def record(tag, duration_s, stages, *steps):
    """Make a build's record from (stage, state, seconds) rows and its steps."""
    states = tuple(StageState(*one) for one in stages)
    return BuildRecord("sha256:0", tag, "runtime", "docker build .", duration_s, steps, states, "", (), "names")


_RUN = step("one", 2, "RUN x", "ran", 6.0, 1.0)
STAGES = (("builder", "ran", 16.2), ("test", "not built", 0.0), ("runtime", "ran", 9.1))
COLD = record(
    "my-api:cold",
    21.4,
    STAGES,
    step("builder", 1, "FROM node:20-alpine AS builder"),
    step("builder", 2, "WORKDIR /app", "ran", 0.1, 0.1),
    step("builder", 3, "COPY package*.json ./", "ran", 0.2, 0.1),
    step("builder", 4, "RUN npm ci", "ran", 0.3, 12.0),
    step("builder", 5, "RUN npm run build", "ran", 12.4, 4.0),
    step("runtime", 1, "FROM node:20-alpine"),
    step("runtime", 2, "WORKDIR /app", "ran", 0.1, 0.1, "builder"),
    step("runtime", 3, "RUN npm ci --omit=dev", "ran", 0.3, 9.0),
    step("runtime", 4, "COPY --from=builder /app/dist ./dist", "ran", 16.5, 0.1),
)
WARM = record(
    "my-api:warm",
    0.4,
    (("builder", "cached", 0.0), ("test", "not built", 0.0), ("runtime", "cached", 0.0)),
    *(step("builder", number, "RUN x") for number in range(1, 25)),
    step("runtime", 1, "FROM node:20-alpine"),
)
STRANGE = record(
    LONG,
    7300.0,
    ((LONG, "ran", 7200.0), ("$x_{1}$", "ran", 0.001)),
    step(LONG, 1, plots.STRANGE * 5, "ran", 0.0, 7200.0),
    step("$x_{1}$", 1, plots.STRANGE, "ran", 7200.0, 0.001),
)
MANY = record(
    "many:1",
    20.0,
    [(f"s{number}", "ran", 1.0) for number in range(20)],
    *(step(f"s{number}", 1, "RUN make", "ran", number, 1.0) for number in range(20)),
)


def recorded(case):
    """Return the record of a recorded build."""
    read = load(case, "0.29.1")
    steps = read.steps()
    states = stage_states(read.dockerfile, steps, read.dockerfile.find(read.target))
    return BuildRecord("sha256:0", f"{case}:1", "x", "docker build .", 2.0, steps, states, "", (), "names")


TIMELINES = {
    "cold": (COLD,),
    "warm": (WARM,),
    "both": (COLD, WARM),
    "strange": (STRANGE,),
    "many stages": (MANY, COLD),
    **{case: (recorded(case),) for case in SUCCEEDED},
}
every_timeline = pytest.mark.parametrize("records", TIMELINES.values(), ids=TIMELINES.keys())


@every_timeline
def test_text_can_be_read(records, tmp_path):
    """Whatever the builds were, text overlaps nothing, stays inside, is large and dark enough, and can be drawn."""

    def draw():
        return timeline.plot_timeline(*records)

    plots.test_no_text_overlaps_another_or_leaves_the_picture(draw)
    plots.test_text_is_large_and_dark_enough_for_a_projector(draw)
    plots.test_every_letter_can_be_drawn(draw, tmp_path)


@every_timeline
def test_alt_text_names_every_stage(records):
    """In words the timeline has each build with its seconds, and each stage with what became of it."""
    said = timeline.alt_text(*records)
    for one in records:
        assert f"{timeline._title(one)}:" in said
        assert all(f"stage {state.stage} {state.state}" in said for state in one.stages)


def test_it_is_drawn_like_the_other_plots(tmp_path):
    """The same builds give the same bytes, on the caller's axes if given, with matplotlib left as it was."""

    def draw(**ax):
        return plot_timeline(Build(COLD), Build(WARM), **ax)

    plots.test_drawing_twice_gives_the_same_file(draw, tmp_path)
    plots.test_matplotlib_is_left_as_it_was(draw)
    import matplotlib.pyplot as plt

    plt.close("all")
    plots.test_the_callers_axes_are_used(draw)


def bars(ax, *, hatched):
    """Return the rectangles with or without a hatch, as (row, left, right) in data units."""
    found = [bar for bars in ax.containers for bar in bars if bool(bar.get_hatch()) is hatched]
    spans = (
        (bar.get_y() + bar.get_height() / 2, *sorted((bar.get_x(), bar.get_x() + bar.get_width()))) for bar in found
    )
    return sorted((round(row), left, right) for row, left, right in spans)


def test_parallel_steps_stand_above_each_other():
    """Steps stand at their seconds in their stage's lane, so parallel stages share a stretch of the axis."""
    drawn = bars(timeline.plot_timeline(COLD), hatched=False)
    assert (1, pytest.approx(0.2), pytest.approx(12.2)) in drawn
    assert (3, pytest.approx(0.2), pytest.approx(9.2)) in drawn
    assert len(drawn) == 7


def test_cache_hits_are_hatched_and_take_no_seconds():
    """A step from the cache is a hatched mark before second 0; a build from the cache alone has no other."""
    ax = timeline.plot_timeline(COLD, WARM)
    assert all(right <= 0 for _, _, right in bars(ax, hatched=True))
    rows = [row for row, *_ in bars(ax, hatched=True)]
    assert [rows.count(row) for row in range(8)] == [0, 1, 0, 1, 0, timeline._MOST_MARKS, 0, 1]
    assert max(row for row, *_ in bars(ax, hatched=False)) == 3
    assert "cached, 24 steps" in plots.shown(ax)


def test_what_takes_no_time_fills_no_axis():
    """A step of a fifth of a millisecond, the longest of its build, is a line, no bar across the picture."""
    brief = record(
        "my-api:warm",
        0.4,
        (("builder", "cached", 0.0),),
        step("builder", 1, "WORKDIR /app", "ran", 0.0, 0.0002),
        step("builder", 2, "RUN npm ci"),
    )
    ax = timeline.plot_timeline(brief)
    ((_, left, right),) = bars(ax, hatched=False)
    low, high = ax.get_xlim()
    assert (right - left) / (high - low) < 0.01


def test_two_builds_share_one_axis():
    """A second build stands below the first, each under its name and seconds; what was not built says so in both."""
    texts = plots.shown(timeline.plot_timeline(COLD, WARM))
    assert texts.count("not built") == 2
    assert {"my-api:cold, 21.4s in all", "my-api:warm, 0.4s in all", "10s"} <= set(texts)


def test_a_stage_has_its_colour():
    """A stage's bars have the colour that it has in every plot."""
    import matplotlib as mpl

    ax = timeline.plot_timeline(COLD)
    fills = {mpl.colors.to_hex(bar.get_facecolor()).upper() for bars in ax.containers for bar in bars}
    assert {stage_colours(["builder"])["builder"], stage_colours(["runtime"])["runtime"]} <= fills


def test_a_base_image_that_was_there_is_no_step():
    """A FROM that only looked its image up has no bar and begins no axis; one that fetched it has both."""
    there = record("a:1", 2.0, (("one", "ran", 1.0),), step("one", 1, "FROM a", "ran", 0, 0.01), _RUN)
    fetched = record("a:1", 8.0, (("one", "ran", 7.0),), step("one", 1, "FROM a", "ran", 0, 5.0), _RUN)
    assert bars(timeline.plot_timeline(there), hatched=False) == [(1, 0, pytest.approx(1.0))]
    assert len(bars(timeline.plot_timeline(fetched), hatched=False)) == 2
    assert "FROM" not in timeline.alt_text(there)


def test_a_narrow_bar_names_the_command():
    """Where an instruction does not fit its bar, what RUN runs is named before the word RUN."""
    wide = record("a:1", 99.0, (("one", "ran", 99.0),), step("one", 1, "RUN make all", "ran", 0, 99.0))
    narrow = record("a:1", 20.0, (("one", "ran", 14.0),), step("one", 1, "RUN make all", "ran", 0, 13.0))
    texts = plots.shown(timeline.plot_timeline(wide, narrow))
    assert "RUN make all" in texts
    assert "make all" in texts


def test_no_build_is_refused():
    """Without a build there is an error that says what to give."""
    with pytest.raises(InputError, match=r"dm\.build"):
        plot_timeline()
