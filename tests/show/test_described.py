"""A plot's words become the alternative text of its picture in a notebook."""

from __future__ import annotations

import base64
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from dmhelpers.show.figures import plot_sizes
from dmhelpers.show.pictures import png_image
from dmhelpers.show.plots import sizes, theme

mpl.use("Agg")
FRAME = pd.DataFrame(
    {"image": ['a"<b>:1'], "size_bytes": [5_000_000], "added_bytes": [None], "reduction_fraction": [0.0]}
)


@pytest.fixture
def shell():
    """Give an IPython shell with its inline backend, as a kernel has it."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.pylabtools import select_figure_formats

    made = InteractiveShell.instance()
    select_figure_formats(made, {"png"})
    yield made
    InteractiveShell.clear_instance()
    plt.close("all")


def test_a_notebook_gets_the_plot_with_its_words(shell):
    """The picture is an HTML image with the plot's words, and the same PNG beside it."""
    ax = plot_sizes(FRAME)
    bundle, metadata = shell.display_formatter.format(theme.figure_of(ax))
    png = bundle["image/png"]
    coded = base64.b64encode(png).decode() if isinstance(png, bytes) else png.replace("\n", "")
    assert bundle["text/html"] == png_image(coded, sizes.alt_text(FRAME))
    assert metadata["image/png"]["alt"] == sizes.alt_text(FRAME)
    (alt,) = re.findall('alt="([^"]*)"', bundle["text/html"])
    assert "a&quot;&lt;b&gt;:1 5MB" in alt


def test_stored_outputs_have_the_picture_once(shell, monkeypatch):
    """Where outputs are stored and compared, there is no HTML: the words are the picture's metadata."""
    monkeypatch.setenv("DMHELPERS_PROGRESS", "plain")
    bundle, metadata = shell.display_formatter.format(theme.figure_of(plot_sizes(FRAME)))
    assert set(bundle) == {"image/png", "text/plain"}
    assert metadata["image/png"]["alt"] == sizes.alt_text(FRAME)


def test_the_callers_figure_is_left_alone(shell):
    """A figure that the caller made is shown as before: what else stands in it, its words would not say."""
    figure, ax = plt.subplots()
    plot_sizes(FRAME, ax=ax)
    bundle, _ = shell.display_formatter.format(figure)
    assert "text/html" not in bundle


def test_without_a_notebook_nothing_is_registered():
    """In a plain Python a plot has its words and no one is told."""
    ax = plot_sizes(FRAME)
    assert theme.figure_of(ax).words == sizes.alt_text(FRAME)
    plt.close("all")
