"""The treemap of an image: what it says, that areas are true to the bytes, and that it can be read."""

from __future__ import annotations

import itertools
import random
import re
import warnings
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pandas as pd
import pytest

from dmhelpers.errors import InputError
from dmhelpers.measure.kind_rules import rules
from dmhelpers.show.figures import plot_treemap as plot_of_table
from dmhelpers.show.pictures import picture_bundle
from dmhelpers.show.plots import kind_looks, save_plot, theme
from dmhelpers.show.plots.treemap import NOTHING, alt_text, plot_treemap
from dmhelpers.show.rectangle import Rectangle as Box
from dmhelpers.show.treemap_layout import Lettering, lay_out
from dmhelpers.show.treemap_model import MOST_FOLDERS, make_model, to_text
from dmhelpers.show.treemap_svg import MAP_HEIGHT_PX, TEXT_PX, WIDTH_PX, Treemap, treemap

mpl.use("Agg")

SVG = "{http://www.w3.org/2000/svg}"
KINDS = list(dict.fromkeys(rule.kind for rule in rules()))
PLACE = Box(10, 20, 960, 600)
LETTERING = Lettering(lambda text, bold: len(text) * (9 if bold else 8), 18, 5)


def table(rows, **attrs):
    """Return a table of contents of (path, size, kind), with attributes."""
    made = pd.DataFrame(rows, columns=["path", "size_bytes", "kind"])
    made.attrs.update(attrs)
    return made


def many(seed=0, *, files=6000, kinds=12):
    """Return what a large image may hold: thousands of files in folders, a few of them large."""
    chance = random.Random(seed)  # noqa: S311
    tops = ["/usr/lib/x86_64-linux-gnu", "/app/node_modules", "/opt/tool/share", "/root/.cache", "/bin", "/usr/share"]
    rows = []
    for number in range(files):
        kind = KINDS[min(int(chance.expovariate(0.45)), kinds - 1)]
        folder = f"{chance.choice(tops)}/{kind[:5].strip()}-{int(chance.expovariate(0.2))}"
        rows.append((f"{folder}/file-{number}.js", int(chance.paretovariate(1.1) * 3000), kind))
    return table(rows, image="my-api:single", base_origin="assembled")


TABLES = {
    "many": many(),
    "every kind": many(1, kinds=len(KINDS)),
    "one file": table([("/server", 7_600_000, "compiled output")], image="go-server:latest"),
    "one kind of 99.9 %": table(
        [
            ("/usr/local/go/bin/go", 999_000_000, "compiler and toolchain"),
            ("/app/main.go", 800_000, "sources"),
            ("/bin/sh", 150_000, "shells"),
            ("/x", 49_999, "other"),
            ("/y", 1, "certificates"),
        ],
        image="registry.example.org/a/name/of/more/than/fifty/letters/that-goes-on:2024-11-12",
    ),
    "strange names": table(
        [
            ("/app/$price$/a&b<c>\"'/日本語/x", 5000, "a kind that no rule names & <more>"),
            ("/app/line\nbreak/\x07bell\ud800", 3000, "other"),
            ("/" + "d" * 300, 2000, "sources"),
        ]
    ),
    "no bytes": table([("/.dockerenv", 0, "other"), ("/etc/link", 0, "system packages")], image="links:1"),
    "nothing": table([], image="empty:1"),
}


@pytest.fixture(autouse=True)
def _close_figures():
    """Close what a test drew."""
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


every_table = pytest.mark.parametrize("contents", TABLES.values(), ids=TABLES.keys())


@every_table
def test_parts_add_up(contents):
    """Kinds add up to the image and folders to their kind, in bytes and in files; the largest stands first."""
    model = make_model(contents)
    assert (model.size_bytes, model.files) == (contents["size_bytes"].sum(), len(contents))
    assert model.size_bytes == sum(part.size_bytes for part in model.kinds)
    for part in model.kinds:
        own = contents[contents["kind"] == part.kind]
        assert (part.size_bytes, part.files) == (own["size_bytes"].sum(), len(own))
        assert part.size_bytes == sum(folder.size_bytes for folder in part.folders)
        assert part.files == sum(folder.files for folder in part.folders)
        assert len(part.folders) <= MOST_FOLDERS + 1
    sizes = [part.size_bytes for part in model.kinds]
    assert sizes == sorted(sizes, reverse=True)


@every_table
def test_areas_are_proportional_to_bytes(contents):
    """At both levels a box's area is its share of the bytes, boxes lie in their kind's box and overlap nowhere."""
    model = make_model(contents)
    kinds = lay_out(model, PLACE, LETTERING)
    shown = sum(kind.part.size_bytes for kind in kinds)
    assert shown == pytest.approx(model.size_bytes, rel=1e-8)
    for kind in kinds:
        assert kind.box.area == pytest.approx(PLACE.area * kind.part.size_bytes / shown, rel=1e-4)
        assert inside(kind.box, PLACE)
        for folder in kind.folders:
            assert folder.box.area == pytest.approx(PLACE.area * folder.folder.size_bytes / shown, rel=1e-4)
            assert inside(folder.box, kind.box)
        assert_apart([folder.box for folder in kind.folders])
    assert_apart([kind.box for kind in kinds])


def inside(inner, outer, slack=1e-6):
    """Return whether a box lies within another, but for rounding."""
    return (
        inner.x >= outer.x - slack
        and inner.y >= outer.y - slack
        and inner.right <= outer.right + slack
        and inner.bottom <= outer.bottom + slack
    )


def assert_apart(boxes):
    """Hold that no two boxes have an area in common, but for rounding."""
    for one, other in itertools.combinations(boxes, 2):
        wide = min(one.right, other.right) - max(one.x, other.x)
        high = min(one.bottom, other.bottom) - max(one.y, other.y)
        assert wide <= 1e-6 or high <= 1e-6


@pytest.mark.parametrize("place", [PLACE, Box(0, 0, 120, 90), Box(0, 0, 2000, 40), Box(0, 0, 8, 8)])
@every_table
def test_labels_stand_in_their_boxes(contents, place):
    """A label lies within its box with room to the border, and runs into no other one, however small the picture."""
    labels = []
    for kind in lay_out(make_model(contents), place, LETTERING):
        for label, box in [(kind.label, kind.box), *((one.label, one.box) for one in kind.folders)]:
            if label is not None:
                assert inside(label.box, Box(box.x + 4, box.y + 4, box.width - 8, box.height - 8))
                assert max(map(len, label.lines)) * 8 <= label.box.width
                labels.append(label.box)
    assert_apart(labels)


def test_a_folder_is_opened_where_that_says_more():
    """A kind's common folder is passed, large folders are opened, a large file stands alone, small ones together."""
    files = [(f"/app/node_modules/typescript/lib/{name}", size) for name, size in (("tsc.js", 6000), ("a.js", 400))]
    files += [(f"/app/node_modules/{name}/index.js", 900) for name in ("eslint", "vite", "jest")]
    files += [(f"/app/node_modules/small-{number}/index.js", 5) for number in range(20)]
    (part,) = make_model(table([(*one, "dev dependencies") for one in files])).kinds
    assert [(one.label, one.size_bytes) for one in part.folders] == [
        ("/app/node_modules/typescript/lib/tsc.js", 6000),
        ("/app/node_modules/eslint/index.js", 900),
        ("/app/node_modules/jest/index.js", 900),
        ("/app/node_modules/vite/index.js", 900),
        ("/app/node_modules/typescript/lib/a.js", 400),
        ("20 smaller", 100),
    ]


def test_a_folder_of_many_small_files_stays_whole():
    """A folder that would fall into parts too small to show keeps its name."""
    files = [(f"/etc/ssl/certs/{number}.pem", 10, "certificates") for number in range(140)]
    (part,) = make_model(table(files)).kinds
    assert [(one.label, one.files) for one in part.folders] == [("/etc/ssl/certs", 140)]


def test_the_text_is_a_tree():
    """As text: the title with the total and the files, kinds with their share, and their folders with sizes."""
    rows = [("/usr/bin/node", 90_000_000, "language runtime"), ("/app/a.ts", 10_000_000, "sources")]
    assert str(treemap(table(rows, image="my-api:latest"))).splitlines() == [
        "my-api:latest: 100MB by kind and folder, 2 files",
        "  language runtime: 90MB, 90.0%",
        "    /usr/bin/node: 90MB",
        "  sources: 10MB, 10.0%",
        "    /app/a.ts: 10MB",
    ]


@every_table
def test_the_text_has_a_line_a_part(contents):
    """Whatever the names, no part takes more than its line."""
    model = make_model(contents)
    assert len(to_text(model).split("\n")) == 1 + sum(1 + len(part.folders) for part in model.kinds)


@pytest.mark.parametrize("column", ["path", "size_bytes", "kind"])
def test_another_table_is_refused(column):
    """A missing column or a size below zero is an error that names what to give."""
    with pytest.raises(InputError, match=rf"no column '{column}'(.|\n)*dm\.contents"):
        treemap(many().drop(columns=column))
    with pytest.raises(InputError, match="below zero"):
        treemap(table([("/a", -1, "other")]))


def test_every_kind_has_a_look_of_its_own():
    """No two kinds share colour and hatching, and text on each has a contrast of 4.5:1 or more."""
    looks = {kind: kind_looks.look_of(kind) for kind in KINDS}
    assert set(KINDS) == set(kind_looks._LOOKS)
    assert len({*looks.values(), kind_looks.SMALLER}) == len(KINDS) + 1
    for look in (*looks.values(), *kind_looks._OTHERS, kind_looks.SMALLER):
        assert theme.contrast(look.fill, look.ink) >= 4.5
    assert not set(looks.values()) & set(kind_looks._OTHERS)


def parsed(drawn):
    """Return the root of a picture, which must be well-formed."""
    return ET.fromstring(drawn)  # noqa: S314  we wrote it ourselves


@every_table
def test_the_svg_is_a_static_document_with_words(contents):
    """The SVG is well-formed, has title and description, no script, link, id or font from elsewhere."""
    drawn = treemap(contents)
    root = parsed(drawn.svg)
    assert root.get("role") == "img"
    assert [one.tag for one in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert root[1].text == str(drawn).encode("utf-8", "replace").decode().replace("?", "\N{REPLACEMENT CHARACTER}")
    tags = {"svg", "title", "desc", "g", "rect", "path", "text"}
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= tags
    assert not re.search(r"\bid=|href|url\(|@import|<script", drawn.svg)
    assert set(re.findall('font-family="([^"]*)"', drawn.svg)) == {"ui-monospace, monospace"}


@every_table
def test_the_svg_is_the_same_bytes_every_time(contents, tmp_path):
    """Drawn twice, from rows in another order too, a table gives the same bytes; saved, they are in the file."""
    again = contents.iloc[::-1].reset_index(drop=True)
    again.attrs.update(contents.attrs)
    assert treemap(contents).svg == treemap(contents.copy()).svg == treemap(again).svg
    assert treemap(contents).save(tmp_path / "a.svg").read_text(encoding="utf-8") == treemap(contents).svg


@every_table
def test_no_text_leaves_the_svg(contents):
    """Every line of text begins and ends within the picture, at 13 pixels or more."""
    root = parsed(treemap(contents).svg)
    for text in root.iter(f"{SVG}text"):
        size = float(text.get("font-size", TEXT_PX))
        wide = sum(2 if ord(letter) > 0x2E80 else 1 for letter in text.text) * 0.61 * size
        assert size >= 13
        assert float(text.get("x")) + wide <= WIDTH_PX
        assert float(text.get("y")) <= float(root.get("height"))


def test_small_kinds_stand_in_the_legend():
    """A kind whose name does not fit is named below with its size; several too small to see share one area."""
    texts = [one.text for one in parsed(treemap(TABLES["one kind of 99.9 %"]).svg).iter(f"{SVG}text")]
    assert texts[1:] == [
        "/usr/local/go/bin/go 999MB",
        "compiler and toolchain 999MB",
        "sources 800kB",
        "3 smaller kinds 200kB",
    ]
    assert "…" in texts[0]
    assert texts[0].endswith("2024-11-12: 1GB by kind and folder")


def test_the_hatching_ends_at_its_box():
    """Lines are cut to the box that they fill."""
    root = parsed(treemap(TABLES["one kind of 99.9 %"]).svg)
    numbers = [
        tuple(map(float, pair))
        for path in root.iter(f"{SVG}path")
        for pair in re.findall(r"([\d.]+) ([\d.]+)", path.get("d"))
    ]
    assert numbers
    assert all(0 < x <= WIDTH_PX - 19 and 0 < y <= MAP_HEIGHT_PX + 120 for x, y in numbers)


def test_a_notebook_gets_picture_and_text():
    """A notebook is given the SVG, and the tree for who cannot show it."""
    shown = treemap(TABLES["many"])
    assert shown._repr_mimebundle_() == picture_bundle(shown._repr_svg_(), str(shown))
    assert repr(shown) == f"<Treemap {shown.model.title}>"


def visible_texts(ax):
    """Return every text that the figure shows, with its box in pixels at the resolution of the saved file."""
    figure = theme.figure_of(ax)
    figure.set_dpi(theme.SAVED_DPI)
    figure.canvas.draw()
    found = [ax._left_title, ax.xaxis.label, *ax.texts, *ax.get_legend().get_texts()]
    return [(text, text.get_window_extent()) for text in found if text.get_text().strip()]


@every_table
def test_plot_texts_stand_free_and_large(contents):
    """On the plot no text overlaps another or leaves the figure; each is of 12 pt or more and dark enough."""
    ax = plot_of_table(contents)
    texts = visible_texts(ax)
    paper = theme.figure_of(ax).bbox
    for text, box in texts:
        assert box.x0 >= 0, text
        assert box.x1 <= paper.x1, text
        assert box.y0 >= 0, text
        assert box.y1 <= paper.y1, text
        patch = text.get_bbox_patch()
        behind = mpl.colors.to_hex(patch.get_facecolor()) if patch else theme.PAPER
        assert text.get_fontsize() >= 12
        assert theme.contrast(mpl.colors.to_hex(text.get_color()), behind) >= 4.5, text
    for (one, first), (other, second) in itertools.combinations(texts, 2):
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        high = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert wide <= 1 or high <= 1, f"{one.get_text()!r} overlaps {other.get_text()!r}"


@every_table
def test_plot_labels_stand_in_areas(contents):
    """As drawn by matplotlib, each label lies within the rectangle of its folder or kind."""
    ax = plot_of_table(contents)
    visible_texts(ax)
    areas = [patch.get_window_extent() for patch in ax.patches if not patch.get_fill()]
    for text in ax.texts:
        box = text.get_window_extent()
        corners = [(box.x0, box.y0), (box.x1, box.y1)]
        held = [
            area
            for area in areas
            if all(area.x0 - 1 <= x <= area.x1 + 1 and area.y0 - 1 <= y <= area.y1 + 1 for x, y in corners)
        ]
        assert held or text.get_text() == NOTHING, text


@every_table
def test_every_letter_can_be_drawn(contents, tmp_path):
    """Saving warns of nothing, and the same table gives the same file."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("a", "b"):
            save_plot(plot_of_table(contents), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_each_kind_is_named_once():
    """A kind's name stands on its area or in the legend, never in both, and none is missing."""
    model = make_model(TABLES["every kind"])
    ax = plot_treemap(model)
    legend = " ".join(text.get_text() for text in ax.get_legend().get_texts())
    written = " ".join(text.get_text() for text in ax.texts if text.get_fontweight() == "bold")
    small = [part.kind for part in model.kinds if part.size_bytes < 0.0005 * model.size_bytes]
    for part in model.kinds:
        if part.kind not in small or len(small) == 1:
            assert (part.kind in legend) != (part.kind in written), part.kind


def test_the_callers_axes_are_used():
    """With `ax=` the plot goes there, and no new figure is opened."""
    import matplotlib.pyplot as plt

    plt.close("all")
    _, (left, right) = plt.subplots(1, 2, figsize=(16, 6), layout="constrained")
    before = dict(mpl.rcParams)
    assert plot_of_table(TABLES["many"], ax=right) is right
    assert not left.has_data()
    assert len(plt.get_fignums()) == 1
    assert dict(mpl.rcParams) == before


def test_a_stand_in_is_said_to_be_one():
    """Where the base image is assembled, the pictures and their text say so; elsewhere they do not."""
    for name, said in (("many", True), ("one file", False)):
        model = make_model(TABLES[name])
        assert ("stand-in" in alt_text(model)) is said
        assert ("stand-in" in Treemap(model).svg) is said
        assert ("stand-in" in plot_treemap(model).get_xlabel()) is said


def test_alt_text_says_what_the_picture_shows():
    """The alternative text has the title, and each kind with its size and share."""
    rows = [("/usr/bin/node", 90_000_000, "language runtime"), ("/app/a.ts", 10_000_000, "sources")]
    assert alt_text(make_model(table(rows, image="a:1"))) == (
        "Treemap. a:1: 100MB by kind and folder: language runtime 90MB (90.0%), sources 10MB (10.0%)."
    )
    assert alt_text(make_model(TABLES["nothing"])).endswith("no files.")


def test_an_image_by_its_name(monkeypatch):
    """An image's name is looked up by `dm.contents`, and says whether its base is a stand-in."""
    import sys
    from types import SimpleNamespace

    from dmhelpers.measure import images

    asked = []
    module = SimpleNamespace(contents=lambda image: asked.append(image) or TABLES["one file"])
    monkeypatch.setitem(sys.modules, "dmhelpers.show.contents", module)
    monkeypatch.setattr(images, "base_origin_of", lambda _: "assembled")
    model = treemap("go-server:1").model
    assert asked == ["go-server:1"]
    assert (model.image, model.base_origin, model.size_bytes) == ("go-server:1", "assembled", 7_600_000)
