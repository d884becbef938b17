"""Which cells of a notebook become slides, and how much of their words."""

from __future__ import annotations

import copy

import pytest

from dmhelpers.course.notebooks import read, shelf, stub, tags
from dmhelpers.course.slides import LEFT_OUT, blocks, slides

NAMES = shelf().written()


def text(source):
    """Return a text cell."""
    return {"cell_type": "markdown", "id": "x", "metadata": {}, "source": source}


def code(source, *marks, outputs=(), given=None):
    """Return a code cell with tags, and with a stub where one is given."""
    metadata = {"tags": list(marks)} | ({"dmhelpers": {"stub": given}} if given else {})
    made = {"cell_type": "code", "id": "x", "metadata": metadata, "outputs": list(outputs), "execution_count": 1}
    return made | {"source": source}


def made(*cells):
    """Return (slide type, source) of the slides made of these cells."""
    found = slides({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    return [(one["metadata"]["slideshow"]["slide_type"], one["source"]) for one in found["cells"]]


def result(**data):
    """Return a displayed output."""
    return {"output_type": "display_data", "metadata": {}, "data": data}


def test_headings_begin_slides_and_prose_goes_to_the_notes():
    """A heading and the first sentence below it are shown; the whole text is the speaker's, and nothing is lost."""
    shown = made(
        text('## Building\n\nIt has "two." Each one\nis used. More of it.\n\n### Predict\n\nGuess first. Then build.')
    )
    assert shown == [
        ("slide", '## Building\n\nIt has "two."'),
        ("notes", 'It has "two." Each one\nis used. More of it.'),
        ("subslide", "### Predict\n\nGuess first."),
        ("notes", "Guess first. Then build."),
    ]


def test_code_lists_and_tables_are_shown_with_what_leads_to_them():
    """Of a text around code, a list or a table, the sentence before it stays, and the first of each item."""
    command = "The command is\n\n```console\ndocker build .\n\n# heading?\n```\n\n"
    cell = f"Long talk. {command}- One. And more.\n- Two\n  goes on.\n\n| a |\n|---|"
    shown = made(text(cell))
    assert shown[0] == ("subslide", f"{command}- One.\n- Two goes on.\n\n| a |\n|---|")
    assert shown[1] == ("notes", cell)


def test_a_guess_shows_all_of_its_questions():
    """Under Predict the slide has what the guess is about and every question, not only the first sentence."""
    asked = made(text("### Predict\n\nOne line is changed. Take your time. Which steps run? And why?"))
    assert asked[0] == ("subslide", "### Predict\n\nOne line is changed. Which steps run? And why?")
    for name in NAMES:
        shown = [
            one["source"] for one in slides(read(shelf().solution(name)))["cells"] if "# Predict" in one["source"]
        ]
        assert not [one for one in shown if "?" not in one and "guess" not in one.lower()], name


def test_a_sentence_that_speaks_back_keeps_the_one_before_it():
    """What leads to code stands with the sentence that says what "it" is."""
    shown = made(text("Talk. A table has rows. It has columns too.\n\n```console\nls\n```"))
    assert shown[0] == ("subslide", "A table has rows. It has columns too.\n\n```console\nls\n```")


def test_a_long_result_has_a_slide_of_its_own():
    """Short code is not drawn small because its result is long."""
    long = {"output_type": "stream", "name": "stdout", "text": "line\n" * 30}
    assert [kind for kind, _ in made(text("Print it."), code("print(it)", "do", outputs=[long]))][-2:] == [
        "-",
        "subslide",
    ]


def test_a_guess_shows_the_question_and_no_exercise_its_answer():
    """A prediction shows its stub; exercises, checks, hints, set-up and clean-up are not shown at all."""
    shown = made(
        code("dm.predict(secret=5)", "exercise", "predict", given="dm.predict(secret=...)"),
        code("SECRET", "exercise", given="..."),
        *(code("dm", one) for one in sorted(LEFT_OUT)),
    )
    assert shown == [("fragment", "dm.predict(secret=...)")]


def test_what_is_done_comes_before_its_result():
    """Code stands below its lead and its result comes with the next key: a short one's below, a picture's alone."""
    picture = result(**{"image/png": "iVBO", "text/plain": "<Axes>"})
    graph = result(**{"image/svg+xml": "<svg/>", "text/plain": "builder -> runtime"})
    log = {"output_type": "stream", "name": "stdout", "text": "#1 building"}
    cells = [
        text("Talk. *In words: two\nbars.* Now draw it."),
        code("plot()", "do", outputs=[log, picture]),
        code("dm.claim()", "claim", outputs=[result(**{"text/html": "holds"})]),
        text("| a |\n|---|"),
        code("short", outputs=[log]),
        code("graph", outputs=[graph]),
    ]
    found = slides({"cells": cells, "metadata": {}})["cells"]
    assert [(one["metadata"]["slideshow"]["slide_type"], one["source"], one.get("outputs")) for one in found] == [
        ("notes", cells[0]["source"], None),
        ("subslide", "Now draw it.", None),
        ("-", "plot()", []),
        ("subslide", "plot()", [picture | {"metadata": {"image/png": {"alt": "two bars."}}}]),
        ("subslide", "dm.claim()", [result(**{"text/html": "holds"})]),
        ("subslide", "| a |\n|---|", None),
        ("notes", "| a |\n|---|", None),
        ("subslide", "short", []),
        ("fragment", "short", [log]),
        ("subslide", "graph", []),
        ("subslide", "graph", [graph | {"metadata": {"image/svg+xml": {"alt": "builder -> runtime"}}}]),
    ]
    assert [bool(one["metadata"].get("transient")) for one in found if one["cell_type"] == "code"] == [
        False, True, True, False, True, False, True,
    ]  # fmt: skip


def test_the_recap_is_the_last_slide():
    """What follows the recap leads to the next notebook, and is not shown."""
    recap = text("## Recap\n\n- One.") | {"metadata": {"tags": ["recap"]}}
    assert made(recap, text("Next: [it](x.ipynb)."))[-1] == ("notes", "- One.")


@pytest.mark.parametrize("cell", ["", "#hashtag\n", "```\nunclosed", "1. a\n2. b", "words\n- item at once"])
def test_blocks_lose_no_line(cell):
    """Whatever a text looks like, its parts together are the text."""
    assert "\n".join(one.text for one in blocks(cell)).split() == cell.split()


@pytest.mark.parametrize("name", NAMES)
def test_every_notebook_has_slides_without_answers(name):
    """Each notebook opens with its title and ends with its recap; pictures are kept, and no answer is in it."""
    notebook = read(shelf().solution(name))
    before = copy.deepcopy(notebook)
    found = slides(notebook)["cells"]
    assert notebook == before, "the notebook stays as it is"
    assert found[0]["source"].startswith(f"# {name[:2]} · ")
    assert any(one["source"].startswith("## Recap") for one in found[-3:])
    shown = {one["source"] for one in found}
    assert not {"".join(one["source"]) for one in notebook["cells"] if stub(one) is not None} & shown
    drawn = [out for one in found for out in one.get("outputs", ()) if "image/png" in out.get("data", {})]
    assert all(one["metadata"]["image/png"]["alt"] for one in drawn), "each picture is described"
    left_out = LEFT_OUT | {"exercise"}
    assert len(drawn) == sum(
        "image/png" in out.get("data", {})
        for one in notebook["cells"]
        if not tags(one) & left_out
        for out in one.get("outputs", ())
    )
