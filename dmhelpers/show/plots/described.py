"""Figures that carry what they show in words, so that a notebook has an alternative text for each picture."""

from __future__ import annotations

import base64
import functools
import html
import sys
from typing import TYPE_CHECKING, Any

from dmhelpers.show import stamp
from dmhelpers.show.plots import theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@functools.cache
def described_figure() -> type[Figure]:
    """Return the class of figures with words, made when it is first used: matplotlib comes with it."""
    from matplotlib.figure import Figure

    class DescribedFigure(Figure):
        """A figure whose `words` say what it shows; ``""`` until it is drawn."""

        words = ""

    return DescribedFigure


def describe(ax: Axes, words: str) -> Axes:
    """Give a plot its words, for people who cannot see it, and return its axes.

    In a notebook its picture is then an image with these words as its alternative text: neither JupyterLab nor
    nbconvert gives one to a picture that comes as PNG alone. A figure that the caller made stays as it is.

    Args:
        ax: What a plot function drew.
        words: What it shows.
    """
    figure = theme.figure_of(ax)
    if isinstance(figure, described_figure()):
        figure.words = f"{words} {stamp.note()}".strip()  # type: ignore[attr-defined]
        _register()
    return ax


def image_with_words(png_base64: str, words: str) -> str:
    """Return a picture as an HTML image with its words; nothing is fetched for it."""
    style = 'style="max-width:100%;height:auto"'
    return f'<img alt="{html.escape(words)}" {style} src="data:image/png;base64,{png_base64}"/>'


def _register() -> None:
    """Tell IPython, where it runs, to show such figures as HTML too."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None:
        return
    formatters = shell.display_formatter.formatters
    formatters["text/html"].for_type(described_figure(), functools.partial(_as_html, formatters["image/png"]))


def _as_html(png_formatter: Any, figure: Any) -> str | None:
    # PNG is what the notebook's own settings make of it; without them (SVG alone was chosen) there is none.
    drawn = png_formatter(figure)
    raw = drawn[0] if isinstance(drawn, tuple) else drawn
    if not raw or not figure.words:
        return None
    coded = base64.b64encode(raw).decode() if isinstance(raw, bytes) else str(raw)
    return image_with_words(coded.replace("\n", ""), figure.words)
