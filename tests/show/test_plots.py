"""The plots: what they show, that their text can be read, and that they leave matplotlib as it was."""

from __future__ import annotations

import itertools
import subprocess
import sys
import warnings

import matplotlib as mpl
import pandas as pd
import pytest

from dmhelpers.errors import InputError
from dmhelpers.measure.kinds import subtract
from dmhelpers.measure.records import ImageHistory, KindBytes, LayerRecord
from dmhelpers.show.plots import (
    layers,
    lettering,
    plot_layers,
    plot_reduction,
    plot_sizes,
    reduction,
    save_plot,
    sizes,
    stage_looks,
    theme,
)
from dmhelpers.show.plots.stage_looks import stage_colours

mpl.use("Agg")
MB = 1_000_000
LONG = "registry.example.com:5000/some/very/long/organisation/and-a-really-long-repository-name:2024-11-05-rc1"
STRANGE = 'RUN echo "$HOME" "$PATH_$x^2$" 漢字 \N{ROCKET} für\tdich \\frac'


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def table(*rows, **columns):
    """Make what dm.compare returns from (image, MB, added MB) rows, the first one measured against."""
    first = rows[0][1]
    made = [
        {
            "image": image,
            "size_bytes": int(size * MB),
            "added_bytes": None if added is None else int(added * MB),
            "reduction_fraction": 1 - size / first if first else 0.0,
        }
        for image, size, added in rows
    ]
    return pd.DataFrame(made).assign(**columns)


def history(image, *rows):
    """Make a history from (instruction, MB, stage) rows, oldest first."""
    made = [LayerRecord(text, int(size * MB), None, "", stage, 1) for text, size, stage in rows]
    return ImageHistory(image, "sha256:0", tuple(reversed(made)))


def kinds(**sizes_mb):
    """Make bytes by kind: underscores stand for spaces."""
    return [KindBytes(name.replace("_", " "), int(size * MB), 1) for name, size in sizes_mb.items()]


NODE = [("ADD system", 2.8, None), ("ADD node", 130.6, None)]
MY_API = (
    history("node:20-alpine", *NODE),
    history("my-api:single", *NODE, ("COPY . .", 0.03, "stage-0"), ("RUN npm ci", 57.7, "stage-0")),
    history(
        "my-api:test",
        *NODE,
        ("RUN npm ci", 57.7, "builder"),
        ("COPY a", 0.03, "builder"),
        ("RUN npm test", 1, "test"),
    ),
    history(
        "my-api:latest",
        *NODE,
        ("COPY p", 0.03, "runtime"),
        ("RUN npm ci --omit=dev", 5.8, "runtime"),
        ("COPY d", 0.01, "runtime"),
    ),
)
GO = (
    history(
        "go-server:builder",
        ("ADD go", 209, None),
        ("RUN CGO_ENABLED=0 GOOS=linux go build -o /server .", 72, "builder"),
    ),
    history("go-server:latest", ("COPY /server /server", 7.02, "stage-1")),
)
STAGES = ["base", "deps", "lint", "docs", "builder", "test", "assets", "runtime"]
EIGHT = tuple(
    history(
        f"my-api:{name}-{i}",
        ("ADD /", 77, None),
        (STRANGE, 20 + 7 * i, name),
        ("RUN x", 9, STAGES[i - 3]),
        ("y", 0.3, name),
        ("z", 0.2, name),
    )
    for i, name in enumerate(STAGES)
)
SIZES = {
    "my-api": table(
        ("my-api:single", 190, 58),
        ("node:20-alpine", 132, 0),
        ("my-api:latest", 138, 6),
        base_origin="assembled",
        role=["single", "base", "runtime"],
    ),
    "go": table(("go-server:builder", 281, 72), ("go-server:latest", 7.02, -202)),
    "one": table(("my-api:latest", 138, 6)),
    "no base": table(("a:1", 138, None), ("b:1", 190, None)),
    "eight": table(*((f"my-api:variant-{i}", 132 + 9 * i, 9 * i) for i in range(8)), base_origin="assembled"),
    "long and strange": table((LONG, 132, 3), ("m", 0, 0), base_origin="assembled", role=STRANGE),
    "nothing": table(("a:1", 0, 0)),
}
REDUCTIONS = {
    "my-api": subtract(
        "my-api:single",
        "my-api:latest",
        kinds(
            base_image=133.4,
            caches=28.9,
            dev_dependencies=23.7,
            type_definitions=2.7,
            production_dependencies=2.404,
            sources=0.034,
            compiled_output=0.004,
        ),
        kinds(base_image=133.4, caches=3.4, production_dependencies=2.4, sources=0.03, compiled_output=0.004),
        base_origin="assembled",
    ),
    "go": subtract(
        "go:builder",
        "go:1",
        kinds(base_image=209, caches=69, sources=0.007, compiled_output=7),
        kinds(compiled_output=7),
    ),
    "nothing": subtract("a:1", "b:1", kinds(base_image=5), kinds(base_image=5)),
    "no bytes": subtract("a:1", "b:1", [], []),
    "grown": subtract(
        LONG,
        "b:2",
        kinds(base_image=132, sources=3, covered=8),
        kinds(base_image=132, dev_dependencies=23, production_dependencies=30),
    ),
    "many kinds": subtract("a:1", "b:1", kinds(**{f"some_kind_of_bytes_{i}": 10 + i for i in range(12)}), []),
}
LAYERS = {
    "my-api": MY_API,
    "go": GO,
    "one": MY_API[-1:],
    "eight": EIGHT,
    "nothing": (history("empty:1"),),
    "long": (history(LONG, *NODE), MY_API[1]),
    "elsewhere": (history("nginx:1", ("ADD a", 70, None), ("RUN b", 60, None), ("c", 1, None), ("d", 1, None)),),
}
DRAWN = {
    **{f"sizes: {name}": (lambda df=df, **ax: plot_sizes(df, **ax)) for name, df in SIZES.items()},
    **{f"layers: {name}": (lambda many=many, **ax: plot_layers(*many, **ax)) for name, many in LAYERS.items()},
    **{f"reduction: {name}": (lambda one=one, **ax: plot_reduction(one, **ax)) for name, one in REDUCTIONS.items()},
}
one_of_each = pytest.mark.parametrize(
    "draw",
    [DRAWN[f"{kind}: my-api"] for kind in ("sizes", "layers", "reduction")],
    ids=["sizes", "layers", "reduction"],
)
every_plot = pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())


def visible_texts(ax):
    """Return every text that the figure shows, with its box in pixels at the resolution of the saved file."""
    figure = theme.figure_of(ax)
    figure.set_dpi(theme.SAVED_DPI)
    figure.canvas.draw()
    low_x, high_x = sorted(ax.get_xlim())
    low_y, high_y = sorted(ax.get_ylim())
    found = [ax.title, ax._left_title, ax.xaxis.label, *ax.texts]
    found += [
        label for place, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True) if low_x <= place <= high_x
    ]
    found += [
        label for place, label in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True) if low_y <= place <= high_y
    ]
    legend = ax.get_legend()
    found += legend.get_texts() if legend else []
    return [(text, text.get_window_extent()) for text in found if text.get_visible() and text.get_text().strip()]


@every_plot
def test_no_text_overlaps_another_or_leaves_the_picture(draw):
    """Whatever the names and numbers, every label stands free and within the figure."""
    ax = draw()
    texts = visible_texts(ax)
    paper = theme.figure_of(ax).bbox
    for text, box in texts:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= paper.x1 and box.y1 <= paper.y1
        assert inside, f"{text.get_text()!r} is clipped: {box} in {paper}"
    for (one, first), (other, second) in itertools.combinations(texts, 2):
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        high = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert wide <= 1 or high <= 1, f"{one.get_text()!r} overlaps {other.get_text()!r}"


@every_plot
def test_text_is_large_and_dark_enough_for_a_projector(draw):
    """No text is below 12 pt, and each has a contrast of 4.5:1 or more to what it stands on."""
    for text, _ in visible_texts(draw()):
        if text.get_text() == "\N{BLACK SQUARE}":
            continue  # the legend's colour, not a letter
        assert text.get_fontsize() >= 12
        patch = text.get_bbox_patch()
        behind = mpl.colors.to_hex(patch.get_facecolor()) if patch else theme.PAPER
        assert theme.contrast(mpl.colors.to_hex(text.get_color()), behind) >= 4.5, text.get_text()


@every_plot
def test_every_letter_can_be_drawn(draw, tmp_path):
    """Dollar signs are no formulas and letters that the font lacks are replaced: saving warns of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_plot(draw(), tmp_path / "plot.png")


@one_of_each
def test_drawing_twice_gives_the_same_file(draw, tmp_path):
    """The same numbers give the same bytes."""
    for name in ("a", "b"):
        save_plot(draw(), tmp_path / name, alt="The same.")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@one_of_each
def test_matplotlib_is_left_as_it_was(draw):
    """No plot changes a setting of the person's own matplotlib."""
    before = dict(mpl.rcParams)
    draw()
    assert dict(mpl.rcParams) == before


@one_of_each
def test_a_dark_style_changes_nothing_that_is_read(draw):
    """Under a person's dark style the paper stays white, and the text dark."""
    import matplotlib.pyplot as plt

    with plt.style.context("dark_background"):
        test_text_is_large_and_dark_enough_for_a_projector(draw)
        ax = draw()
    assert mpl.colors.to_hex(theme.figure_of(ax).get_facecolor()) == "#ffffff"


@one_of_each
def test_the_callers_axes_are_used(draw):
    """With `ax=` the plot goes there, and no new figure is opened."""
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2, figsize=(16, 6), layout="constrained")
    assert draw(ax=right) is right
    assert right.has_data()
    assert not left.has_data()
    assert len(plt.get_fignums()) == 1


def shown(ax):
    """Return what stands on the plot, whole lines."""
    return [text.get_text() for text, _ in visible_texts(ax)]


def test_sizes_are_printed_as_docker_prints_them():
    """The bars carry Docker's own form of the size, what was added and the reduction in percent."""
    texts = shown(plot_sizes(SIZES["my-api"]))
    assert {"190MB", "138MB", "58MB added", "6MB added, 27.4% less", "base 132MB", "50MB"} <= set(texts)


def test_base_and_added_part_differ_by_more_than_colour():
    """The base's part is hatched as well as grey, so that it is told apart without seeing colours."""
    base, added = plot_sizes(SIZES["my-api"]).containers
    assert {bar.get_hatch() for bar in base} == {theme.BASE_HATCH}
    assert {bar.get_hatch() for bar in added} == {None}


def test_a_stand_in_is_said_to_be_one():
    """Where the base image is assembled, the plot says so; where it is the original, it does not."""
    assert any("stand-in" in text for text in shown(plot_sizes(SIZES["my-api"])))
    assert any("stand-in" in text for text in shown(plot_reduction(REDUCTIONS["my-api"])))
    assert any("stand-in" in text for text in shown(plot_layers(*GO, base_origin="assembled")))
    assert not any("stand-in" in text for text in shown(plot_sizes(SIZES["go"])))


def test_an_image_smaller_than_the_base_is_all_its_own():
    """An image from scratch has no base part, though its size less the base's is below zero."""
    base, added = plot_sizes(SIZES["go"]).containers
    assert [bar.get_width() for bar in base] == [209 * MB, 0]
    assert [bar.get_width() for bar in added] == [72 * MB, 7_020_000]


def test_a_table_of_another_kind_is_refused():
    """A missing column or an empty table is an error that names dm.compare."""
    with pytest.raises(InputError, match=r"no column 'added_bytes'(.|\n)*dm\.compare"):
        plot_sizes(SIZES["go"].drop(columns="added_bytes"))
    with pytest.raises(InputError, match="no row"):
        plot_sizes(SIZES["go"].iloc[:0])
    with pytest.raises(InputError, match="no image to draw"):
        plot_layers()


def test_layers_stack_up_to_the_size_of_the_image():
    """The segments of each stack add up to its image, base at the bottom, and overlap nowhere."""
    for one, stack in zip(MY_API, layers._stacks(MY_API), strict=True):
        assert sum(segment.size_bytes for segment in stack) == one.size_bytes
        assert stack[0].stage is None
        assert all(a.bottom_bytes + a.size_bytes == b.bottom_bytes for a, b in itertools.pairwise(stack))


def test_small_layers_share_one_segment():
    """Layers too small to see are one segment that says how many they are; a single one keeps its name."""
    *_, runtime = layers._stacks(MY_API)
    assert [segment.text for segment in runtime] == [
        "base image",
        "RUN npm ci --omit=dev",
        "2 small layers",
    ]
    assert [segment.text for segment in layers._stacks(MY_API)[1]][-1] == "RUN npm ci"


def test_what_does_not_fit_into_a_segment_stands_above():
    """A 7 MB image beside a 281 MB one still shows its instruction and size."""
    assert {"281MB", "7.02MB", "COPY /server /server  7.02MB"} <= set(shown(plot_layers(*GO)))


def test_without_stages_every_layer_shows():
    """An image built elsewhere, whose stages are unknown, is drawn layer by layer."""
    (stack,) = layers._stacks(LAYERS["elsewhere"])
    assert [segment.text for segment in stack] == ["ADD a", "RUN b", "2 small layers"]


def test_a_waterfall_ends_where_the_second_image_begins():
    """The steps lead from the first size to the second without a gap, the largest drop first."""
    for one in REDUCTIONS.values():
        level = one.before_bytes
        for step in reduction._steps(one):
            assert step.high == level if step.drop_bytes >= 0 else step.low == level
            level -= step.drop_bytes
        assert level == one.after_bytes
        drops = [step.drop_bytes for step in reduction._steps(one)]
        assert drops == sorted(drops, reverse=True)


def test_kinds_too_small_to_see_share_a_step():
    """Differences below 0.4 % of the larger image are one step that says how many they are."""
    assert [step.name for step in reduction._steps(REDUCTIONS["my-api"])] == [
        "caches",
        "dev dependencies",
        "type definitions",
        "2 smaller kinds",
    ]


def test_alt_text_says_what_the_picture_shows():
    """Each plot has a sentence with its names and sizes, and the note of a stand-in."""
    assert "my-api:latest 138MB, of which 6MB added (27.4% less)" in sizes.alt_text(SIZES["my-api"])
    assert "RUN npm ci --omit=dev 5.8MB (stage runtime)" in layers.alt_text(*MY_API)
    said = reduction.alt_text(REDUCTIONS["my-api"])
    assert "dev dependencies \N{MINUS SIGN}23.7MB" in said
    assert "stand-in" in said


def test_alt_text_is_kept_in_the_file(tmp_path):
    """A saved plot carries its alternative text as the PNG's description, at 150 dpi."""
    from PIL import Image

    save_plot(plot_sizes(SIZES["one"]), tmp_path / "a.png", alt="One bar.")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.info["Description"] == "One bar."
        assert picture.size == (1500, 840)


def test_a_stage_has_one_colour_in_every_plot():
    """The course's stages keep their colour whatever else is drawn, and no two of them share one."""
    alone = {name: stage_colours([name])[name] for name in ("builder", "test", "runtime", "deps")}
    together = stage_colours(["runtime", "deps", "test", "builder", "builder"])
    assert together == alone
    assert len(set(together.values())) == 4
    assert len(set(stage_colours(STAGES).values())) == len(STAGES)


def test_more_stages_than_colours_is_no_error():
    """A Dockerfile of fifty stages repeats colours instead of failing."""
    assert len(stage_colours(f"s{i}" for i in range(50))) == 50


def test_text_stands_out_on_every_fill():
    """On each stage's colour, dark or white text has a contrast of 4.5:1 or more."""
    for fill in (*stage_looks._FIXED.values(), *stage_looks._OTHERS, theme.BASE, theme.SMALL, theme.ADDED):
        assert theme.contrast(theme.ink_on(fill), fill) >= 4.5, fill


def test_contrast_is_that_of_the_standard():
    """Black on white is 21:1, equal colours 1:1, and #767676 on white the known 4.54:1."""
    assert theme.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert theme.contrast("#336699", "#336699") == pytest.approx(1)
    assert theme.contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(
    ("created_by", "short"),
    [
        ("RUN /bin/sh -c npm ci # buildkit", "RUN npm ci"),
        ("COPY /app/dist ./dist # buildkit", "COPY /app/dist ./dist"),
        ("RUN |2 A=1 B=x y /bin/sh -c go build # buildkit", "RUN go build"),
        ('/bin/sh -c #(nop)  CMD ["node"]', 'CMD ["node"]'),
        ("/bin/sh -c #(nop) ADD file:0123456789abcdef01 in / ", "ADD /"),
        ("/bin/sh -c apk  add\tcurl", "RUN apk add curl"),
        ("", ""),
    ],
)
def test_instructions_are_shown_as_the_dockerfile_has_them(created_by, short):
    """A history row loses what Docker put around the instruction."""
    assert lettering.short_instruction(created_by) == short


def test_names_keep_their_end():
    """A name too long for its place loses its middle, for the tag at the end tells images apart."""
    assert lettering.wrap_name("my-api:latest", width=26) == "my-api:latest"
    rows = lettering.wrap_name(LONG, width=26).split("\n")
    assert len(rows) == 2
    assert rows[-1].endswith("2024-11-05-rc1")
    assert all(len(row) <= 26 for row in rows)


def test_importing_the_plots_imports_neither_matplotlib_nor_pandas():
    """Matplotlib and pandas are imported when something is drawn, not before."""
    code = "import sys, dmhelpers.show.plots; sys.exit('matplotlib' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
