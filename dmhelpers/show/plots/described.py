"""Figures that carry what they show in words, so that a notebook has an alternative text for each picture."""

from __future__ import annotations

import base64
import functools
import sys
from typing import TYPE_CHECKING, Any

from dmhelpers.show import stamp
from dmhelpers.show.pictures import is_stored, png_image
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

    In a notebook its picture is then an image with these words as its alternative text; where outputs are stored,
    they are the metadata of the PNG. A figure that the caller made stays as it is.

    Args:
        ax: What a plot function drew.
        words: What it shows.
    """
    figure = theme.figure_of(ax)
    if isinstance(figure, described_figure()):
        figure.words = f"{words} {stamp.note()}".strip()  # type: ignore[attr-defined]
        _register()
    return ax


def _register() -> None:
    """Tell IPython, where it runs, how such figures are shown."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is not None:
        formatters = shell.display_formatter.formatters
        formatters["image/png"].for_type(described_figure(), functools.partial(_as_png, formatters["image/png"]))
        formatters["text/html"].for_type(described_figure(), functools.partial(_as_html, formatters["image/png"]))


def _as_png(formatter: Any, figure: Any) -> tuple[Any, dict[str, Any]] | None:
    """Return the picture that the notebook's own settings make, and its words as its metadata."""
    from matplotlib.figure import Figure

    try:
        drawn = formatter.lookup_by_type(Figure)(figure)
    except KeyError:  # another format than PNG was chosen
        return None
    picture, metadata = drawn if isinstance(drawn, tuple) else (drawn, {})
    return None if picture is None else (picture, {**metadata, **({"alt": figure.words} if figure.words else {})})


def _as_html(png_formatter: Any, figure: Any) -> str | None:
    if is_stored() or not figure.words:
        return None
    drawn = _as_png(png_formatter, figure)
    if drawn is None:
        return None
    return png_image(base64.b64encode(drawn[0]).decode() if isinstance(drawn[0], bytes) else drawn[0], figure.words)
