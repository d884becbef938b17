"""Text on plots: how wide it is, how it is cut and wrapped to fit, and which characters the font has."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dmhelpers.show import stamp
from dmhelpers.show.plots import theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

FONT = "DejaVu Sans"
LINE_PT = theme.TEXT_PT * 1.3
_ELLIPSIS = "…"
_HINTING = 1.03  # letters are moved to whole pixels: lines get up to so much wider than their outlines


def write(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    *,
    at: tuple[str, str] = ("left", "center"),
    offset_pt: tuple[float, float] = (0, 0),
    colour: str = theme.INK,
    bold: bool = False,
    paper: str | None = None,
) -> Text:
    """Write a label at a place in data coordinates, at 12 pt; the layout of the axes does not move for it.

    Args:
        ax: Where.
        x: The place, in data units.
        y: The place, in data units.
        text: What; `drawable` first if a person or a Dockerfile wrote it.
        at: Which side of the text stands there: horizontal, vertical.
        offset_pt: How far from there, in points.
        colour: The text's colour.
        bold: Whether it is bold.
        paper: The colour of a patch behind it, over hatching.
    """
    label = ax.annotate(
        text,
        (x, y),
        xytext=offset_pt,
        textcoords="offset points",
        ha=at[0],
        va=at[1],
        fontsize=theme.TEXT_PT,
        fontweight="bold" if bold else "normal",
        family=FONT,
        color=colour,
        bbox={"facecolor": paper, "edgecolor": "none", "pad": 1.5} if paper else None,
        annotation_clip=False,
        zorder=5,
    )
    label.set_in_layout(False)
    return label


def write_marked(ax: Axes, x: float, y: float, text: str, colour: str, *, up_pt: float) -> None:
    """Write a label behind a small square of the colour that it speaks of, `up_pt` above a place."""
    square = write(ax, x, y, "\N{BLACK SQUARE}", at=("left", "bottom"), offset_pt=(0, up_pt), colour=colour)
    if theme.contrast(colour, theme.PAPER) < 3:
        from matplotlib.patheffects import withStroke

        square.set_path_effects([withStroke(linewidth=1, foreground=theme.FAINT_INK)])
    gap = width_px(ax, "\N{BLACK SQUARE} ") * 72 / theme.figure_of(ax).dpi
    write(ax, x, y, text, at=("left", "bottom"), offset_pt=(gap, up_pt), paper=theme.PAPER)


def line_px(ax: Axes) -> float:
    """Return the height of a line of text, in pixels of the figure."""
    return LINE_PT * theme.figure_of(ax).dpi / 72


def width_px(ax: Axes, text: str, *, bold: bool = False) -> float:
    """Return how wide the longest line of a text is at 12 pt, in pixels of the figure."""
    points = max((_line_pt(line, bold) for line in text.split("\n")), default=0.0)
    return points * _HINTING * theme.figure_of(ax).dpi / 72


def settled_size_px(ax: Axes) -> tuple[float, float]:
    """Return the width and height that the axes have once the layout is done, in pixels of the figure."""
    theme.figure_of(ax).draw_without_rendering()
    box = ax.get_window_extent()
    return box.width, box.height


def make_room(ax: Axes, ends: Sequence[float], widths: Sequence[float]) -> float:
    """Widen the x axis until a label of each width fits behind the bar that ends there.

    Args:
        ax: Axes with bars that start at 0.
        ends: Where each bar ends, in data units.
        widths: How wide its label is, in pixels.

    Returns:
        Pixels for each data unit, from then on.
    """
    ax.set_xlim(0, max(max(ends), 1))
    total, _ = settled_size_px(ax)
    pad = 14 * theme.figure_of(ax).dpi / 72
    limit = max(
        max(end, 1) * total / max(total - width - pad, total * 0.2) for end, width in zip(ends, widths, strict=True)
    )
    ax.set_xlim(0, limit)
    return total / limit


def set_note(ax: Axes, text: str) -> None:
    """Write a note below the axes, wrapped to their width; nothing for an empty one.

    In recorded mode the note ends with what says so.
    """
    text = f"{text} {stamp.note()}".strip()
    limit, _ = settled_size_px(ax)
    rows = wrap(ax, text, limit)
    ax.set_xlabel(
        "\n".join(rows), loc="left", fontsize=theme.TEXT_PT, family=FONT, style="italic", color=theme.FAINT_INK
    ).set_multialignment("left")


def drawable(text: str) -> str:
    """Return the text with what the font cannot draw replaced, and its dollar signs taken for letters."""
    known = _characters()
    letters = (" " if letter.isspace() else letter for letter in text)
    kept = "".join(letter if ord(letter) in known else "\N{REPLACEMENT CHARACTER}" for letter in letters)
    return re.sub(" +", " ", kept).strip().replace("$", r"\$")


def fit(ax: Axes, text: str, limit_px: float, *, bold: bool = False) -> str:
    """Return as much of a text, from its start, as fits into a width; ``""`` where not even a word's start does."""
    if width_px(ax, text, bold=bold) <= limit_px:
        return text
    for length in range(len(text) - 1, 3, -1):
        cut = text[:length].rstrip(" \\") + _ELLIPSIS
        if width_px(ax, cut, bold=bold) <= limit_px:
            return cut
    return ""


def wrap(ax: Axes, text: str, limit_px: float) -> list[str]:
    """Break a text between words into lines that fit into a width; a word too long for it is cut."""
    rows = [""]
    for word in text.split():
        if rows[-1] and width_px(ax, f"{rows[-1]} {word}") > limit_px:
            rows.append("")
        rows[-1] = f"{rows[-1]} {word}".strip()
    return [fit(ax, row, limit_px) for row in rows]


def wrap_name(name: str, *, width: int, lines: int = 2) -> str:
    """Break an image's or kind's name at its separators into lines of at most `width` characters.

    What does not fit into `lines` lines loses its middle: the tag at the end is what tells images apart.
    """
    parts = [part for part in re.split(r"(?<=[/:@ _.-])", drawable(name)) if part]
    rows: list[str] = [""]
    for part in parts:
        if rows[-1] and len(rows[-1].rstrip()) + len(part.rstrip()) > width:
            rows.append("")
        rows[-1] += part
    if len(rows) > lines:
        rows = [*rows[: lines - 1], _ELLIPSIS + "".join(rows[lines - 1 :]).strip()[1 - width :]]
    return "\n".join(_cut_middle(row.strip(), width) for row in rows)


def short_instruction(created_by: str) -> str:
    """Return a history row's instruction as the Dockerfile has it: no shell prefix, no `# buildkit`."""
    text = created_by.removesuffix("# buildkit").strip()
    text = re.sub(r"^/bin/sh -c #\(nop\)\s*", "", text)
    text = re.sub(r"^(RUN )?(\|\d+ .*?)?/bin/sh -c ", "RUN ", text)
    text = re.sub(r"\b(file|dir):[0-9a-f]{12,} in ", "", text)
    return re.sub(r"\s+", " ", text)


def _cut_middle(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    keep = width - 1
    return text[: keep - keep // 2] + _ELLIPSIS + text[len(text) - keep // 2 :]


@functools.lru_cache(maxsize=4096)
def _line_pt(line: str, bold: bool) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=FONT, size=theme.TEXT_PT, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(line.replace(r"\$", "$"), font, ismath=False)
    return float(width)


@functools.cache
def _characters() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(FONT)).get_charmap())
