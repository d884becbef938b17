"""Image sizes as bars: what the base weighs, and what was added to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dmhelpers.errors import InputError
from dmhelpers.show.plots import lettering, theme
from dmhelpers.units import docker_size, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLUMNS = ("image", "size_bytes", "added_bytes", "reduction_fraction")
_BAR = 0.62


@dataclass(frozen=True, slots=True)
class _Row:
    image: str
    role: str
    size_bytes: int
    base_bytes: int
    reduction_fraction: float
    base_origin: str

    @property
    def added_bytes(self) -> int:
        return self.size_bytes - self.base_bytes

    @property
    def change(self) -> str:
        """The reduction in words; ``""`` where there is none to speak of."""
        shown = percent(abs(self.reduction_fraction))
        if math.isnan(self.reduction_fraction) or shown == "0.0%":
            return ""
        return f"{shown} {'less' if self.reduction_fraction > 0 else 'more'}"


def plot_sizes(df: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each image's size as a bar: the base image's part, and what was added to it.

    Args:
        df: What `dm.compare` returns: columns `image, size_bytes, added_bytes, reduction_fraction`, one row
            an image, drawn from top to bottom; a `role` is written below the name, and a `base_origin`
            of ``"assembled"`` gets a note that a stand-in base image is in use.
        ax: Axes to draw on; by default a new figure. Their figure's background becomes white.

    Returns:
        The axes. Sizes are in decimal units, as Docker prints them.

    Raises:
        InputError: A column is missing, or there is no row.
    """
    rows = _rows(df)
    ax = theme.open_axes(ax, height_in=max(theme.HEIGHT_IN, 1.8 + 0.72 * len(rows)))
    _draw_bars(ax, rows)
    ax.set_yticks(range(len(rows)), [_name(row) for row in rows])
    spare = max(0, 3 - len(rows)) / 2
    ax.set_ylim(len(rows) - 0.45 + spare, -0.55 - spare)
    theme.set_heading(ax, "Size of each image")
    theme.set_size_axis(ax.xaxis, largest_bytes=max(row.size_bytes for row in rows))
    lettering.set_note(ax, _note(rows))
    _label(ax, rows)
    return ax


def alt_text(df: pd.DataFrame) -> str:
    """Return what `plot_sizes` shows, in a sentence, for people who cannot see it."""
    rows = _rows(df)
    said = [
        f"{row.image} {docker_size(row.size_bytes)}, of which {docker_size(row.added_bytes)} added"
        + (f" ({row.change})" if row.change else "")
        for row in rows
    ]
    return f"Bar chart of image sizes: {'; '.join(said)}. {_note(rows)}".rstrip()


def _rows(df: pd.DataFrame) -> list[_Row]:
    missing = [name for name in _COLUMNS if name not in df.columns]
    if missing:
        raise InputError(
            f"The table has no column {missing[0]!r}.",
            hint="Give what dm.compare(...) returns, e.g. dm.compare('a', 'b').",
        )
    records: list[dict[Any, Any]] = df.to_dict("records")
    if not records:
        raise InputError("The table has no row to draw.", hint="Give dm.compare(...) at least one image.")
    return [_row(record) for record in records]


def _row(record: dict[Any, Any]) -> _Row:
    size_bytes = int(record["size_bytes"])
    added = record["added_bytes"]
    # Without a base (None or NaN), or smaller than it (FROM scratch): all of the image is its own.
    has_base = added is not None and added == added and 0 <= added <= size_bytes
    return _Row(
        image=str(record["image"]),
        role=_text(record.get("role")),
        size_bytes=size_bytes,
        base_bytes=size_bytes - int(added) if has_base else 0,
        reduction_fraction=float(record["reduction_fraction"]),
        base_origin=_text(record.get("base_origin")),
    )


def _note(rows: list[_Row]) -> str:
    compared = "Less or more: than the image on top." if any(row.change for row in rows) else ""
    stand_in = theme.STAND_IN_NOTE if any(row.base_origin == "assembled" for row in rows) else ""
    return f"{compared} {stand_in}".strip()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _name(row: _Row) -> str:
    name = lettering.wrap_name(row.image, width=26)
    return f"{name}\n{lettering.wrap_name(row.role, width=26, lines=1)}" if row.role else name


def _draw_bars(ax: Axes, rows: list[_Row]) -> None:
    places = range(len(rows))
    base = [row.base_bytes for row in rows]
    if any(base):
        theme.draw_base(ax.barh(places, base, height=_BAR, label="base image"))
    ax.barh(
        places,
        [row.added_bytes for row in rows],
        left=base,
        height=_BAR,
        color=theme.ADDED,
        label="added to it" if any(base) else "whole image",
    )


def _label(ax: Axes, rows: list[_Row]) -> None:
    """Write the size and the change behind each bar, and the parts into it where they fit."""
    below = [_second_line(row) for row in rows]
    widths = [
        max(lettering.width_px(ax, docker_size(row.size_bytes), bold=True), lettering.width_px(ax, text))
        for row, text in zip(rows, below, strict=True)
    ]
    per_byte = lettering.make_room(ax, [row.size_bytes for row in rows], widths)
    for place, (row, text) in enumerate(zip(rows, below, strict=True)):
        both = bool(text)
        size = docker_size(row.size_bytes)
        side = ("left", "bottom" if both else "center")
        lettering.write(ax, row.size_bytes, place, size, at=side, offset_pt=(6, 1), bold=True, paper=theme.PAPER)
        if both:
            lettering.write(ax, row.size_bytes, place, text, at=("left", "top"), offset_pt=(6, -2), paper=theme.PAPER)
        part = f"base {docker_size(row.base_bytes)}"
        if lettering.width_px(ax, part) + 12 < row.base_bytes * per_byte:
            lettering.write(ax, row.base_bytes / 2, place, part, at=("center", "center"), paper=theme.BASE)


def _second_line(row: _Row) -> str:
    added = f"{docker_size(row.added_bytes)} added" if row.base_bytes and row.added_bytes else ""
    return ", ".join(part for part in (added, row.change) if part)
