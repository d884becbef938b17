"""Every picture of the course has its words: in what is stored, and on the pages that are made of it."""

from __future__ import annotations

import re

import pytest

from dmhelpers.course.notebook_pictures import with_words, words_of
from dmhelpers.course.notebook_run import clean
from dmhelpers.course.notebooks import METADATA, NAMES, read, shelf
from dmhelpers.show.pictures import png_image, svg_image


def pictures(notebook):
    """Yield each output that is a picture, with its cell's id."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if {"image/png", "image/svg+xml"} & set(output.get("data", ())):
                yield cell["id"], output


@pytest.mark.parametrize("name", NAMES)
def test_every_stored_picture_has_words(name):
    """No picture of a solution is without words, and on a page made of it each is an image with them."""
    notebook = read(shelf().solution(name))
    assert [cell_id for cell_id, output in pictures(notebook) if not words_of(output)] == []
    for _, output in pictures(with_words(notebook)):
        (alt,) = re.findall(r'<img alt="([^"]+)"', output["data"]["text/html"])
        assert len(alt) > 20


def cell(*outputs):
    """Return a notebook of one cell with these outputs."""
    only = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "execution_count": 1,
        "outputs": list(outputs),
        "source": "x",
    }
    return {"cells": [only], "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def output(data, metadata=None):
    """Return an output that shows data."""
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def test_pages_get_images():
    """PNG takes its words from its metadata, SVG from the text beside it; what is HTML or has none stays."""
    png = output({"image/png": "iVBO"}, {"image/png": {"alt": "Bars."}})
    svg = output({"image/svg+xml": ["<svg>", "</svg>"], "text/plain": ["Two ", "stages"]})
    ready = output({"text/html": "<b>x</b>", "image/png": "iVBO"}, {"image/png": {"alt": "Bars."}})
    bare = output({"image/png": "iVBO"})
    before = cell(png, svg, ready, bare)
    shown = [one["data"].get("text/html") for one in with_words(before)["cells"][0]["outputs"]]
    assert shown == [png_image("iVBO", "Bars."), svg_image("<svg></svg>", "Two stages"), "<b>x</b>", None]
    assert "text/html" not in before["cells"][0]["outputs"][0]["data"], "what is stored stays as it is"


def test_words_are_stored_and_nothing_else_of_the_metadata():
    """When a notebook is cleaned, the words of its pictures stay, and what the machine adds goes."""
    made = clean(
        cell(output({"image/png": "iVBO"}, {"image/png": {"alt": "Bars.", "width": 5}, "needs_background": "x"}))
    )
    assert made["cells"][0]["outputs"][0]["metadata"] == {"image/png": {"alt": "Bars."}}
