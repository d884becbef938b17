"""The picture of a Dockerfile's stages: what it says, where it stands, and that it is the same every time."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree as ET

import pytest

import dmhelpers as dm
from dmhelpers.errors import InputError, StageNotFound
from dmhelpers.measure.dockerfile import parse_dockerfile
from dmhelpers.measure.records import BuildRecord, ImageHistory, LayerRecord, StageState
from dmhelpers.show.builds import Build
from dmhelpers.show.pictures import picture_bundle
from dmhelpers.show.plots import theme
from dmhelpers.show.plots.stage_looks import stage_colours
from dmhelpers.show.rectangle import Rectangle
from dmhelpers.show.stage_graph import StageGraph, stage_graph, svg
from dmhelpers.show.stage_graph.layout import BAND, BOX_WIDTH, MARGIN, TEXT_PX, WIDTH_PX, lay_out
from dmhelpers.show.stage_graph.lettering import SANS_EM, width_px
from dmhelpers.show.stage_graph.model import make_graph
from dmhelpers.show.stage_graph.sizes import Sizes, from_layers, sizes_of

SVG = "{http://www.w3.org/2000/svg}"
TAGS = {"svg", "title", "desc", "g", "rect", "path", "circle", "text"}
THREE = """\
FROM node:20-alpine AS builder
RUN npm run build
FROM builder AS test
RUN --mount=type=bind,from=tools:1,target=/t npm test
FROM node:20-alpine AS runtime
COPY --from=builder /a /a
COPY --from=builder /b /b
COPY --from=nginx:1.27 /etc/nginx /etc/nginx
"""
LONG = "a-stage-with-a-name-of-sixty-characters-which-is-really-long"
TWENTY = "FROM node:20-alpine AS s0\nRUN true\n" + "".join(
    f"FROM {'s' + str(number // 2) if number % 3 else f'image-{number}:1'} AS s{number}\n"
    f"COPY --from=s{number - 1} /a /a\nRUN --mount=type=bind,from=s0,target=/b true\n"
    for number in range(1, 20)
)


def graph_of(text, *, sizes=None, **chosen):
    """Return the graph of a Dockerfile's text; sizes are bytes by stage."""
    dockerfile = parse_dockerfile(text)
    return StageGraph(make_graph(dockerfile, sizes=sizes_of(dockerfile, given=sizes), **chosen))


def record_of(*states, target="runtime"):
    """Return the record of a build with these stages."""
    stages = tuple(StageState(*one) for one in states)
    return BuildRecord("sha256:1", "a:1", target, "docker build .", 2.0, (), stages, "", (), "names")


RECORD = record_of(("builder", "ran", 1.23), ("test", "not built", 0.0), ("runtime", "cached", 0.0))


def parsed(drawn):
    """Return the root of a picture, which must be well-formed."""
    return ET.fromstring(drawn)  # noqa: S314  we wrote it ourselves


def words(graph):
    """Return every text that is written in the picture."""
    return [one.text or "" for one in parsed(graph.svg).iter(f"{SVG}text")]


def test_same_bytes_every_time():
    """Drawn twice, a Dockerfile gives the same bytes."""
    assert graph_of(THREE).svg.encode() == graph_of(THREE).svg.encode()


@pytest.mark.parametrize("text", [THREE, TWENTY, "FROM scratch\n"])
def test_a_static_document_with_words_for_who_cannot_see_it(text):
    """The SVG is well-formed, has title and description, no script, link, id or font from elsewhere."""
    drawn = graph_of(text)
    root = parsed(drawn.svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert [one.tag for one in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert root[1].text == str(drawn)
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= TAGS
    assert not re.search(r"\bid=|href|url\(|@import|<script", drawn.svg)
    assert all(
        family.split(", ")[-1] in ("sans-serif", "monospace") for family in re.findall('family="([^"]*)"', drawn.svg)
    )


def test_text():
    """As text: each stage in file order with its lines, and under it what it takes, with kind, source and line."""
    assert str(graph_of(THREE)).splitlines() == [
        "Dockerfile: 3 stages, target runtime",
        "0 builder (lines 1-2)",
        "  FROM node:20-alpine, line 1",
        "1 test (lines 3-4): not built for runtime",
        "  FROM builder (stage 0), line 3",
        "  RUN --mount from tools:1, line 4",
        "2 runtime (lines 5-8): target",
        "  FROM node:20-alpine, line 5",
        "  COPY --from builder (stage 0), lines 6, 7",
        "  COPY --from nginx:1.27, line 8",
        "images from outside: node:20-alpine, tools:1, nginx:1.27",
    ]


def test_kinds_of_lines():
    """FROM, COPY --from and RUN --mount differ by their label and by their dashes, and each comes from its source."""
    drawn = graph_of(THREE)
    for label in ("FROM builder · line 3", "COPY --from builder · lines 6, 7", "RUN --mount from tools:1 · line 4"):
        assert label in words(drawn)
    assert len(set(svg.DASHES.values())) == 3
    for dashes in filter(None, svg.DASHES.values()):
        assert f'stroke-dasharray="{dashes}"' in drawn.svg
    nginx = next(link for link in drawn.graph.links if link.source == "nginx:1.27")
    assert (nginx.kind, nginx.from_stage, drawn.graph.images[nginx.from_image].name) == ("copy", None, "nginx:1.27")


def test_lines_begin_at_their_source_and_end_at_their_stage():
    """Each line leaves the box of what is taken and its arrow touches the stage that takes it."""
    plan = lay_out(graph_of(TWENTY).graph)
    count = len(plan.graph.stages)
    for line in plan.lines:
        link = line.link
        source = plan.boxes[link.from_stage if link.from_stage is not None else count + link.from_image].place
        taker = plan.boxes[link.to_stage].place
        for (x, y), place in ((line.points[0], source), (line.points[-1], taker)):
            assert x == place.right
            assert place.y < y < place.bottom


def test_what_the_target_does_not_need():
    """A stage that the target does not need says so in words; for another target it is another one."""
    assert "not built for runtime" in words(graph_of(THREE))
    other = graph_of(THREE, target="test")
    assert [stage.needed for stage in other.graph.stages] == [True, True, False]
    assert [image.needed for image in other.graph.images] == [True, True, False]
    assert "not built for test" in words(other)
    assert graph_of(THREE, target=1).svg == other.svg


def test_an_unknown_target():
    """A mistyped target, or a size of a stage that is not there, is answered with the close name."""
    with pytest.raises(StageNotFound, match="'runtime'"):
        graph_of(THREE, target="runtme")
    with pytest.raises(StageNotFound, match="'builder'"):
        graph_of(THREE, sizes={"bilder": 1})


def test_after_a_build():
    """After a build each stage says what became of it; without one there is neither a state nor a second."""
    after = graph_of(THREE, record=RECORD, sizes={"runtime": 138_000_000})
    assert {"ran 1.2s", "not built for runtime", "cached, 138MB"} <= set(words(after))
    assert "0 builder (lines 1-2): ran 1.2s" in str(after)
    before = graph_of(THREE)
    assert not re.search(r"\d\.\ds\b|\bran\b|\bcached\b", before.svg + str(before))


def test_what_varies_changes_only_words_and_marks():
    """Whether a stage ran or came from the cache changes its words and its mark; all else stays where it is."""
    cached = record_of(("builder", "cached", 0.0), ("test", "not built", 0.0), ("runtime", "ran", 75.0))
    pictures = [graph_of(THREE, record=one).svg for one in (RECORD, cached)]
    bare = [re.sub(r'<g data-state="(?:ran|cached)">.*?</g>', "MARK", one) for one in pictures]
    bare = [re.sub(r"\bran (?:[\d.]+s|\d+m \d\ds)|\bcached", "BUILT", one) for one in bare]
    assert bare[0] == bare[1]
    assert bare[0].count("MARK") == 2


def test_states_have_the_marks_of_every_view():
    """After a build each stage has its state's mark, before one only what is left out has one."""
    marks = re.findall(r'<g data-state="(.*?)">(.*?)</g>', graph_of(THREE, record=RECORD).svg)
    assert [state for state, _ in marks] == ["ran", "not built", "cached"]
    fills = [stage_colours(["builder", "test", "runtime"])["builder"], "none", "none"]
    assert [f'fill="{fill}"' in drawn for fill, (_, drawn) in zip(fills, marks, strict=True)] == [True] * 3
    assert ["stroke-dasharray" in drawn for _, drawn in marks] == [False, True, False]
    assert re.findall(r'<g data-state="(.*?)">', graph_of(THREE).svg) == ["not built"]


def history_of(*layers):
    """Return an image's history from (stage, bytes) rows, oldest first."""
    rows = [LayerRecord("RUN x", size, None, "", stage, 1) for stage, size in layers]
    return ImageHistory("a:1", "sha256:1", tuple(reversed(rows)))


CHAIN = """\
FROM node:20-alpine AS base
RUN a
FROM base AS builder
RUN b
FROM base AS runtime
COPY --from=builder /a /a
"""


def test_sizes_from_the_layers_of_the_image():
    """A stage weighs its layers and those below; one that is only copied from is not known."""
    dockerfile = parse_dockerfile(CHAIN)
    history = history_of((None, 100), (None, 30), ("base", 7), ("runtime", 5))
    assert from_layers(dockerfile, dockerfile.find("runtime"), history) == ({0: 137, 2: 142}, {"node:20-alpine": 130})
    elsewhere = history_of((None, 100), (None, 30))
    assert from_layers(dockerfile, dockerfile.find("runtime"), elsewhere) == ({2: 130}, {})


def test_sizes_say_where_they_come_from():
    """Picture and text end with where the sizes come from; a stage without one says nothing, no note stands alone."""
    dockerfile = parse_dockerfile(CHAIN)
    sizes = Sizes({0: 137_000_000}, {"node:20-alpine": 130_000_000}, "Sizes, unpacked: from a:1.", stand_in=True)
    drawn = StageGraph(make_graph(dockerfile, sizes=sizes))
    assert {"137MB", "node:20-alpine · 130MB", "Sizes, unpacked: from a:1.", theme.STAND_IN_NOTE} <= set(words(drawn))
    assert str(drawn).splitlines()[-3:] == [
        "images from outside: node:20-alpine (130MB)",
        "Sizes, unpacked: from a:1.",
        theme.STAND_IN_NOTE,
    ]
    assert "0 base (lines 1-2): 137MB" in str(drawn)
    assert "1 builder (lines 3-4)\n" in str(drawn)
    assert '[("node:20-alpine<br/>130MB")]' in drawn.to_mermaid()
    assert "Sizes" not in str(graph_of(CHAIN))
    assert str(graph_of(CHAIN, sizes={"builder": 5})).endswith("Sizes, unpacked: builder as given.")


def test_notes_stand_below_all_boxes():
    """However narrow the picture, its notes are broken into lines below the last box and within its frame."""
    sizes = Sizes({0: 1}, {}, "Sizes, unpacked: " + "from the layers of a name that is long; " * 8, stand_in=False)
    plan = lay_out(make_graph(parse_dockerfile("FROM node:20-alpine\nRUN x\n"), sizes=sizes))
    assert len(plan.notes) > 3
    assert plan.notes[0][0] - TEXT_PX > max(box.place.bottom for box in plan.boxes)
    assert plan.notes[-1][0] < plan.height
    assert all(width_px(row, TEXT_PX, letter_em=SANS_EM) <= plan.width - 2 * MARGIN for _, row in plan.notes)


def test_a_build_of_something_else():
    """A build of other stages, or of another target than was asked for, is refused with what to do."""
    with pytest.raises(InputError, match="has others"):
        graph_of(THREE, record=record_of(("runtime", "ran", 1.0)))
    with pytest.raises(InputError, match="target="):
        graph_of(THREE, record=RECORD, target="test")


def test_names_are_text():
    """What a Dockerfile calls an image is shown as text, never taken for markup."""
    name = "<script>\"&'\x01"
    drawn = StageGraph(make_graph(parse_dockerfile("ARG X\nFROM ${X} AS a\n", build_args={"X": name})))
    parsed(drawn.svg)
    assert "<script" not in drawn.svg
    assert any("<script>\"&'" in one for one in words(drawn))
    assert "<" not in drawn.to_mermaid().replace("<br/>", "")


def test_long_names_are_cut_in_the_picture_and_whole_in_the_text():
    """A name of sixty characters ends with an ellipsis in the picture, and stands whole in the text."""
    assert len(LONG) == 60
    drawn = graph_of(f"FROM node:20-alpine AS {LONG}\nFROM scratch\nCOPY --from={LONG} /a /a\n")
    assert any(one.endswith("…") and one[:-1] in LONG for one in words(drawn))
    assert LONG not in words(drawn)
    assert f"COPY --from {LONG} (stage 0), line 3" in str(drawn)


@pytest.mark.parametrize("text", [THREE, TWENTY, TWENTY.replace("s0", LONG).replace("image-", LONG)])
def test_nothing_overlaps(text):
    """No box or label lies on another, no line runs through either, and all stand within 900 pixels."""
    plan = lay_out(graph_of(text).graph)
    places = [box.place for box in plan.boxes] + [line.label_place for line in plan.lines]
    assert not [pair for pair in itertools.combinations(places, 2) if pair[0].overlaps(pair[1])]
    assert plan.width <= WIDTH_PX
    sheet = Rectangle(0, 0, plan.width, plan.height)
    for place in places:
        assert 0 < place.x < place.right < sheet.right
        assert 0 < place.y < place.bottom < sheet.bottom
    for line in plan.lines:
        for (x0, y0), (x1, y1) in itertools.pairwise(line.points):
            stroke = Rectangle(min(x0, x1), min(y0, y1) - 1, abs(x1 - x0), abs(y1 - y0) + 2)
            assert not [place for place in places if stroke.overlaps(place)]


def test_lines_of_different_sources_never_lie_on_each_other():
    """Two lines share a lane only where they carry the same from the same source."""
    plan = lay_out(graph_of(TWENTY).graph)
    for one, other in itertools.combinations(plan.lines, 2):
        same = (one.link.kind, one.link.source) == (other.link.kind, other.link.source)
        (x, low), (_, high) = one.points[1:3]
        (x2, low2), (_, high2) = other.points[1:3]
        if x == x2 and not same:
            assert max(low, high) < min(low2, high2) or max(low2, high2) < min(low, high)


def test_colours_can_be_read():
    """Text has a contrast of 4.5:1 or more on what it stands on, lines and frames 3:1."""
    for paper in (theme.PAPER, svg.SKIPPED_PAPER):
        assert theme.contrast(theme.INK, paper) >= 4.5
        assert theme.contrast(theme.FAINT_INK, paper) >= 4.5
        assert theme.contrast(svg.SKIPPED_LINE, paper) >= 3
    assert theme.contrast(theme.FAINT_INK, theme.BASE) >= 4.5
    for colour in stage_colours([f"s{number}" for number in range(20)] + ["builder", "test", "runtime"]).values():
        assert theme.contrast(theme.ink_on(colour), colour) >= 4.5


def test_numbers_fit_their_band():
    """A stage's number stands in the coloured band, and there is room for words beside it."""
    assert BAND < BOX_WIDTH / 4
    assert {"0", "19"} <= set(words(graph_of(TWENTY)))


def test_mermaid():
    """In Mermaid's language: a node a stage and image, an arrow of its own for each kind, the rest by class."""
    rows = [row.strip() for row in graph_of(THREE).to_mermaid().splitlines()]
    assert rows[0] == "flowchart BT"
    assert 'image0[("node:20-alpine")]' in rows
    assert 'stage0 -->|"FROM, line 3"| stage1' in rows
    assert 'stage0 -.->|"COPY --from, lines 6, 7"| stage2' in rows
    assert 'image1 ==>|"RUN --mount from, line 4"| stage1' in rows
    assert "class stage1 skipped" in rows
    node = r"(?:stage|image)\d+"
    shape = rf'flowchart BT|{node}\[\(?"[^"]+"\)?\]|{node} (?:-->|-\.->|==>)\|"[^"]+"\| stage\d+|class(?:Def)? .+'
    assert all(re.fullmatch(shape, row) for row in rows)


def test_of_a_project(project):
    """`dm.stage_graph` reads a project's Dockerfile, shows picture and text, and saves what it shows."""
    folder = project({"Dockerfile": THREE, "other.Dockerfile": "FROM scratch AS only\n"})
    drawn = dm.stage_graph(folder, build=Build(RECORD))
    assert drawn._repr_mimebundle_(include=None, exclude=None) == picture_bundle(drawn.svg, str(drawn))
    assert drawn._repr_svg_() == drawn.svg
    assert drawn.save(folder / "graph.svg").read_text(encoding="utf-8") == drawn.svg
    assert repr(drawn) == "<StageGraph Dockerfile: 3 stages, target runtime>"
    assert "scratch (empty)" in words(stage_graph(folder, file="other.Dockerfile"))
