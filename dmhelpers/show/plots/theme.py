"""The one visual language of the course's plots: colours, type sizes, axes in Docker's units.

Colours are those of Okabe and Ito, "Color Universal Design" (2008), which people with any of the common
colour-vision deficiencies tell apart; no meaning rests on colour alone. Text keeps a contrast of 4.5:1 or
more (WCAG 2.1, 1.4.3) and is never below 12 pt on a figure of 10 x 5.6 inches.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dmhelpers.errors import InputError
from dmhelpers.units import docker_size

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

PAPER = "#FFFFFF"
INK = "#1A1A1A"
FAINT_INK = "#595959"
GRID = "#D0D0D0"
BASE = "#DCDCDC"
BASE_HATCH_INK = "#8A8A8A"
BASE_HATCH = "///"
ADDED = "#0072B2"
GONE = "#009E73"
GROWN = "#D55E00"
GROWN_HATCH = "xx"
SMALL = "#FFFFFF"

TEXT_PT = 12
TITLE_PT = 16
WIDTH_IN = 10.0
HEIGHT_IN = 5.6
SAVED_DPI = 150

_LEGEND_COLUMNS = 5
_LEGEND_ROW_PT = 20
STAND_IN_NOTE = "The base image is a stand-in made from packages; the original's size differs."


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two ``"#RRGGBB"`` colours, from 1 to 21 (WCAG 2.1, "contrast ratio")."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def ink_on(fill: str) -> str:
    """Return the text colour that stands out best on this fill: dark or white."""
    return max((INK, PAPER), key=lambda ink: contrast(ink, fill))


def open_axes(ax: Axes | None, *, width_in: float = WIDTH_IN, height_in: float = HEIGHT_IN) -> Axes:
    """Return the axes to draw on, dressed: white paper, quiet frame, 12 pt.

    Args:
        ax: The caller's axes, or None for a new figure.
        width_in: The width of a new figure, in inches.
        height_in: Its height.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        from dmhelpers.show.plots.described import described_figure

        figure, ax = plt.subplots(figsize=(width_in, height_in), FigureClass=described_figure())
        figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    figure_of(ax).set_facecolor(PAPER)
    ax.set_facecolor(PAPER)
    ax.set_axisbelow(True)
    ax.grid(visible=False)
    for side, spine in ax.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(FAINT_INK)
    ax.tick_params(
        labelsize=TEXT_PT, labelcolor=INK, color=FAINT_INK, length=0, labelfontfamily="DejaVu Sans", which="both"
    )
    return ax


def figure_of(ax: Axes) -> Figure:
    """Return the whole figure that the axes stand in."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise InputError("These axes belong to no figure.", hint="Make axes with: figure, ax = plt.subplots()")
    return figure


def set_size_axis(axis: Axis, *, largest_bytes: float) -> None:
    """Print an axis of bytes in Docker's decimal units (0, 50MB, 100MB …), with a faint grid.

    Args:
        axis: `ax.xaxis` or `ax.yaxis`.
        largest_bytes: The largest size on it, from which the steps are chosen.
    """
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    axis.set_major_locator(MultipleLocator(_step(largest_bytes)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: docker_size(value) if value else "0"))
    axis.grid(visible=True, color=GRID, linewidth=0.8)


def set_heading(
    ax: Axes, title: str, handles: Sequence[Artist] | None = None, *, most_columns: int = _LEGEND_COLUMNS
) -> None:
    """Write the title at the left edge, and the legend between it and the axes.

    Args:
        ax: Where.
        title: The title; one line.
        handles: The legend's entries; by default what was drawn with a label.
        most_columns: How many of them stand beside each other at most.
    """
    entries = list(ax.get_legend_handles_labels()[0] if handles is None else handles)
    rows = -(-len(entries) // most_columns)
    columns = -(-len(entries) // max(rows, 1))
    font = {"family": "DejaVu Sans", "size": TEXT_PT}
    ax.legend(
        handles=entries,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.4,
        borderpad=0,
        ncols=max(columns, 1),
        frameon=False,
        prop=font,
        labelcolor=INK,
        handlelength=1.6,
        columnspacing=1.4,
    )
    ax.set_title(
        title,
        loc="left",
        fontsize=TITLE_PT,
        fontweight="bold",
        color=INK,
        pad=10 + rows * _LEGEND_ROW_PT,
        family="DejaVu Sans",
    )


def draw_base(bars: BarContainer) -> None:
    """Give bars the look of a base image: grey and hatched, in every plot."""
    for bar in bars:
        bar.set(facecolor=BASE, edgecolor=BASE_HATCH_INK, hatch=BASE_HATCH, linewidth=0.8)


def save_plot(ax: Axes, path: Path, *, alt: str = "") -> None:
    """Write the plot as PNG at 150 dpi; the same plot gives the same bytes.

    Args:
        ax: What a plot function returned.
        path: Where to; its folder must exist.
        alt: A sentence for people who cannot see the picture; it is kept in the file as its description.
    """
    metadata = {"Software": None, **({"Description": alt} if alt else {})}
    figure_of(ax).savefig(path, dpi=SAVED_DPI, facecolor=PAPER, format="png", metadata=metadata)


def _step(largest: float) -> float:
    """Return the round number that cuts 0…largest into four to six parts."""
    if largest <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= largest:
        power *= 10
    return next((power * part for part in (0.2, 0.25, 0.5, 1.0, 2.0) if largest / (power * part) <= 6), power * 2)


def _luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
