"""One visual language for stages: the same colour, label and mark in graph, live view, timeline and layers."""

from __future__ import annotations

import itertools
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from dmhelpers.measure.dockerfile import parse_dockerfile
from dmhelpers.measure.records import BuildRecord, ImageHistory, LayerRecord, StageState, Step
from dmhelpers.show.live.model import LiveBuild
from dmhelpers.show.live.picture import to_html
from dmhelpers.show.plots import layers, theme, timeline
from dmhelpers.show.plots.kind_looks import look_of
from dmhelpers.show.plots.stage_looks import bar_style, look_of_state, stage_colours, state_mark
from dmhelpers.show.stage_graph import StageGraph
from dmhelpers.show.stage_graph.model import make_graph

THEMES = Path(sys.prefix) / "share" / "jupyter" / "lab" / "themes" / "@jupyterlab"
NAMES = [f"s{number}" for number in range(30)]
# Two stages whose names would take the same colour, if each were alone.
FIRST, SECOND = next(
    pair for pair in itertools.combinations(NAMES, 2) if len({stage_colours([one])[one] for one in pair}) == 1
)
DOCKERFILE = parse_dockerfile(
    f"FROM node:20-alpine AS {FIRST}\nRUN a\nFROM node:20-alpine AS test\nRUN t\n"
    f"FROM node:20-alpine AS {SECOND}\nCOPY --from={FIRST} /a /a\n"
)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = BuildRecord(
    "sha256:1",
    "a:1",
    SECOND,
    "docker build .",
    2.0,
    (
        Step(FIRST, 1, 1, 1, "FROM node:20-alpine", "cached", 0.0),
        Step(FIRST, 2, 2, 2, "RUN a", "ran", 1.0, BEGIN),
        Step(SECOND, 1, 5, 5, "FROM node:20-alpine", "cached", 0.0),
        Step(SECOND, 2, 6, 6, f"COPY --from={FIRST} /a /a", "ran", 1.0, BEGIN),
    ),
    (StageState(FIRST, "ran", 1.0), StageState("test", "not built", 0.0), StageState(SECOND, "ran", 1.0)),
    "",
    (),
    "names",
)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def in_the_graph():
    """Return the colour of each stage's band in the graph."""
    drawn = StageGraph(make_graph(DOCKERFILE, record=RECORD)).svg
    bands = re.findall(r'<g><title>\d+ (\S+)</title>.*?<path d="M[^"]*z" fill="(#\w+)"/>', drawn, re.DOTALL)
    return {name: colour for name, colour in bands if name != "test"}


def in_the_live_view():
    """Return the colour of each stage's number in the live view of the finished build."""
    model = LiveBuild(DOCKERFILE, DOCKERFILE.find(SECOND), title="a:1")
    model.succeed(RECORD)
    rows = re.findall(
        r'background:(#\w+);color:[^"]*">\d+</span>.*?<strong[^>]*>(\S+?)</strong>', to_html(model.view())
    )
    return {name: colour for colour, name in rows if name != "test"}


def in_the_timeline():
    """Return the colour of each stage's bars in the timeline."""
    ax = timeline.plot_timeline(RECORD)
    names = {round(tick): text.get_text() for tick, text in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)}
    bars = [bar for bars in ax.containers for bar in bars if not bar.get_hatch()]
    return {names[round(bar.get_y() + bar.get_height() / 2)]: hexed(bar.get_facecolor()) for bar in bars}


def in_the_layers():
    """Return the colour of the stage that the image's own layers come from, the only one that they know."""
    rows = (LayerRecord("COPY /a /a", 9_000_000, None, "", SECOND, 6),)
    ax = layers.plot_layers(ImageHistory("a:1", "sha256:1", rows, (FIRST, "test", SECOND)))
    return {SECOND: hexed(ax.containers[0][0].get_facecolor())}


def hexed(colour):
    """Return a colour as ``"#RRGGBB"``."""
    return mpl.colors.to_hex(colour).upper()


def test_a_stage_has_one_colour_in_every_view():
    """Graph, live view, timeline and layers give a stage one colour, also where another name would take it."""
    wanted = stage_colours([FIRST, "test", SECOND])
    assert wanted[FIRST] != wanted[SECOND]
    both = {name: wanted[name] for name in (FIRST, SECOND)}
    assert in_the_graph() == in_the_live_view() == in_the_timeline() == both
    assert in_the_layers() == {SECOND: wanted[SECOND]}


def test_a_name_keeps_its_colour_through_several_dockerfiles():
    """In a picture of several builds a stage of all of them has the colour that it has in the first."""
    alone = stage_colours([FIRST, SECOND])
    together = stage_colours([FIRST, SECOND], [SECOND, "other"], [FIRST])
    assert {name: together[name] for name in alone} == alone
    assert together["other"] != together[SECOND]


def test_a_state_has_one_mark_in_every_view():
    """What ran is full, what came from the cache is hatched, in the graph, the live view and the timeline."""
    graph = StageGraph(make_graph(DOCKERFILE, record=RECORD)).svg
    colours = stage_colours([FIRST, "test", SECOND])
    assert re.findall(r'<g data-state="(.*?)">', graph) == ["ran", "not built", "ran"]
    model = LiveBuild(DOCKERFILE, DOCKERFILE.find(SECOND), title="a:1")
    model.succeed(RECORD)
    html = to_html(model.view())
    ran, cached = (
        state_mark(state, colours[FIRST], x=x, y=0.5, width=89, height=11, ink="currentColor")
        for state, x in (("cached", 0.5), ("ran", 90.5))
    )
    assert ran in html
    assert cached in html
    bars = [bar for bars in timeline.plot_timeline(RECORD).containers for bar in bars]
    assert {bar.get_hatch() for bar in bars} == {bar_style(one, "#000000")["hatch"] for one in ("ran", "cached")}


def test_states_differ_without_colour():
    """Ran, running, cached, failed and not done differ in pattern or frame; a mark is one line of SVG."""
    looks = [look_of_state(one) for one in ("ran", "running", "cached", "failed", "cancelled", "not built")]
    assert len(set(looks)) == len(looks)
    for state in ("ran", "running", "cached", "failed", "cancelled", "waiting", "not run", "not built"):
        drawn = state_mark(state, "#0072B2", x=0, y=0, width=26, height=12, ink="#000000")
        assert "\n" not in drawn
        assert ("stroke-dasharray" in drawn) == look_of_state(state).dashed


def test_the_base_image_looks_the_same_everywhere():
    """Plots, graph and treemap draw a base image in the same grey, hatched in the same direction."""
    look = look_of("base image")
    assert look.fill == theme.BASE
    assert look.hatch == theme.BASE_HATCH[0]


def variables(name):
    """Return the colours of one of JupyterLab's own themes, by name."""
    text = (THEMES / f"theme-{name}-extension" / "index.css").read_text(encoding="utf-8")
    return dict(re.findall(r"(--[\w-]+):\s*([^;}]+)", text))


def shown(value, known, ground=(255, 255, 255)):
    """Return a theme's colour as it is seen on a ground, as ``"#RRGGBB"``."""
    while found := re.fullmatch(r"var\((--[\w-]+)[^)]*\)", value.strip()):
        value = known[found[1]]
    value = value.strip()
    if value == "white":
        return "#FFFFFF"
    if value.startswith("#"):
        digits = value[1:]
        return "#" + ("".join(one * 2 for one in digits) if len(digits) == 3 else digits)
    red, green, blue, share = (float(one) for one in re.findall(r"[\d.]+", value))
    mixed = (own * share + under * (1 - share) for own, under in zip((red, green, blue), ground, strict=True))
    return "#" + "".join(f"{round(one):02X}" for one in mixed)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_live_view_can_be_read_in_both_themes(name):
    """In JupyterLab's light and dark theme text has a contrast of 4.5:1 or more, frames and bars 3:1."""
    known = variables(name)
    paper = shown("var(--jp-layout-color0)", known)
    ground = tuple(int(paper[at : at + 2], 16) for at in (1, 3, 5))
    ink, faint = (shown(f"var(--jp-content-font-color{number})", known, ground) for number in (1, 2))
    assert theme.contrast(ink, paper) >= 4.5
    assert theme.contrast(faint, paper) >= 4.5
    assert theme.contrast(theme.GROWN, paper) >= 3, "the bar beside an error"
    for colour in stage_colours(["builder", "test", "runtime", "stage-0", "base", *NAMES]).values():
        assert theme.contrast(theme.ink_on(colour), colour) >= 4.5, "a stage's number on its colour"
