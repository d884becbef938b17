"""`dm.treemap`: what an image is made of, as a picture in SVG and as a tree in text.

The picture stands on white paper of its own and names only generic font families. Nothing in it has an id, so that
several on one page cannot disturb each other; the hatching is drawn as lines for that reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from dmhelpers.engine.recorded import marks
from dmhelpers.show import stamp
from dmhelpers.show.pictures import picture_bundle
from dmhelpers.show.plots import theme
from dmhelpers.show.plots.kind_looks import SMALLER, KindLook, look_of
from dmhelpers.show.plots.treemap import NOTHING
from dmhelpers.show.rectangle import Rectangle as Box
from dmhelpers.show.stage_graph.lettering import cut, drawable, width_px
from dmhelpers.show.treemap_layout import KindBox, Label, Lettering, lay_out
from dmhelpers.show.treemap_model import TreemapModel, make_model, to_text
from dmhelpers.units import docker_size

if TYPE_CHECKING:
    import pandas as pd

WIDTH_PX = 880
MAP_HEIGHT_PX = 600
MARGIN = 20
HEAD = 56
TEXT_PX = 13
TITLE_PX = 18
LINE_PX = 18
_LEGEND_ROW = 26
_LONGEST_NAME = 50
_SWATCH = 16
_HATCH_STEP = 9
_LETTERING = Lettering(lambda text, _: width_px(drawable(text), TEXT_PX), LINE_PX, 5)


@dataclass(frozen=True)
class Treemap:
    """An image's bytes by kind and folder. A notebook shows the picture, else the tree in text."""

    model: TreemapModel

    @cached_property
    def svg(self) -> str:
        """The picture as an SVG document: no script, no font or file from elsewhere, the same bytes every time."""
        return draw(self.model)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture as an SVG file, for a page or a slide.

        Args:
            path: Where to; its folder must exist.

        Returns:
            The file's path.
        """
        written = Path(path)
        written.write_text(self.svg, encoding="utf-8", newline="\n")
        return written

    def __str__(self) -> str:
        return to_text(self.model)

    def __repr__(self) -> str:
        said = marks.sentence()
        return f"<Treemap {self.model.title}{', ' if said else ''}{said}>"

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return picture_bundle(self.svg, str(self))


def treemap(contents: pd.DataFrame | str) -> Treemap:
    """Draw what an image is made of: an area for each kind of file, and within it for each folder.

    Args:
        contents: An image's name or ID, or what `dm.contents` returned for one.

    Returns:
        The treemap. It shows itself in a notebook; `str()` is a tree in text, `.save(path)` writes the SVG.

    Raises:
        ImageNotFound: The engine has no such image.
        InputError: The table is no table of contents.
    """
    return Treemap(read_model(contents))


def read_model(contents: pd.DataFrame | str) -> TreemapModel:
    """Return what to draw of an image by its name or ID, or of a table of contents."""
    if not isinstance(contents, str):
        return make_model(contents)
    from dmhelpers.measure.images import base_origin_of

    frame = import_module("dmhelpers.show.contents").contents(contents)
    return make_model(frame, image=contents, base_origin=base_origin_of(contents))


def draw(model: TreemapModel) -> str:
    """Return the picture as a whole SVG document.

    Args:
        model: What to show.
    """
    place = Box(MARGIN, HEAD, WIDTH_PX - 2 * MARGIN, MAP_HEIGHT_PX if model.size_bytes else 2 * LINE_PX)
    kinds = lay_out(model, place, _LETTERING)
    legend, foot = _legend([kind for kind in kinds if kind.label is None], place.bottom + 14)
    stand_in = theme.STAND_IN_NOTE if model.base_origin == "assembled" else ""
    note = f"{stand_in} {stamp.note()}".strip()
    height = foot + (24 if note else 0) + MARGIN
    title = model.title.replace(model.image, _middle(model.image), 1) if model.image else model.title
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH_PX}" height="{_number(height)}" '
        f'viewBox="0 0 {WIDTH_PX} {_number(height)}" style="max-width:100%;height:auto" font-size="{TEXT_PX}" '
        f'font-family="ui-monospace, monospace" fill="{theme.INK}">',
        f"<title>{_safe(model.title)}</title>",
        f"<desc>{_safe(to_text(model))}</desc>",
        _rectangle(Box(0.5, 0.5, WIDTH_PX - 1, height - 1), f'rx="8" fill="{theme.PAPER}" stroke="{theme.GRID}"'),
        _text(MARGIN, 36, cut(title, WIDTH_PX - 2 * MARGIN, TITLE_PX), f' font-size="{TITLE_PX}" font-weight="bold"'),
        *(row for kind in kinds for row in _kind(kind)),
        *(row for kind in kinds for row in _labels(kind)),
        *(_rectangle(kind.box, f'fill="none" stroke="{theme.INK}" stroke-width="2.5"') for kind in kinds),
        *([] if kinds else [_text(MARGIN + 5, HEAD + 20, NOTHING)]),
        *legend,
        *([_text(MARGIN, foot + 14, note, f' font-style="italic" fill="{theme.FAINT_INK}"')] if note else []),
        "</svg>",
    ]
    return "\n".join(rows) + "\n"


def _kind(kind: KindBox) -> Iterator[str]:
    look = _look(kind)
    yield f"<g><title>{_safe(kind.part.kind)} {docker_size(kind.part.size_bytes)}</title>"
    yield from _fill(kind.box, look)
    for folder in kind.folders:
        words = f"{kind.part.kind}: {folder.folder.label} {docker_size(folder.folder.size_bytes)}"
        frame = _attributes(folder.box)
        yield (
            f'<rect {frame} fill="none" pointer-events="all" stroke="{theme.INK}" stroke-width="0.7">'
            f"<title>{_safe(words)}</title></rect>"
        )
    yield "</g>"


def _labels(kind: KindBox) -> Iterator[str]:
    look = _look(kind)
    for label in (*(folder.label for folder in kind.folders), kind.label):
        if label is not None:
            yield from _label(label, look, bold=label is kind.label)


def _middle(name: str) -> str:
    """Return a name, without its middle if it is long: the tag at the end tells images apart."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME // 2]}…{name[1 - _LONGEST_NAME // 2 :]}"


def _label(label: Label, look: KindLook, *, bold: bool) -> Iterator[str]:
    """Give a label's lines, on a patch of plain colour where there are lines behind it."""
    box = label.box
    if look.hatch or bold:
        ground = label.patch(_LETTERING.pad) if bold else Box(box.x - 2, box.y - 1, box.width + 4, box.height + 1)
        yield _rectangle(ground, f'fill="{look.fill}"')
    style = (f' fill="{look.ink}"' if look.ink != theme.INK else "") + (' font-weight="bold"' if bold else "")
    for number, line in enumerate(label.lines):
        yield _text(box.x, box.y + number * LINE_PX + TEXT_PX, line, style)


def _legend(kinds: list[KindBox], top: float) -> tuple[list[str], float]:
    """Return the rows that name the kinds whose areas are too small for it, and where they end."""
    words = [f"{kind.part.kind} {docker_size(kind.part.size_bytes)}" for kind in kinds]
    column = max((width_px(one, TEXT_PX) for one in words), default=0) + _SWATCH + 30
    across = max(1, int((WIDTH_PX - 2 * MARGIN) // column))
    rows = []
    for number, (kind, text) in enumerate(zip(kinds, words, strict=True)):
        x, y = MARGIN + number % across * column, top + number // across * _LEGEND_ROW
        swatch = Box(x, y, _SWATCH, _SWATCH)
        rows += [*_fill(swatch, _look(kind)), _rectangle(swatch, f'fill="none" stroke="{theme.INK}"')]
        rows.append(_text(x + _SWATCH + 8, y + TEXT_PX, text))
    return rows, top + -(-len(kinds) // across) * _LEGEND_ROW


def _fill(box: Box, look: KindLook) -> Iterator[str]:
    yield _rectangle(box, f'fill="{look.fill}"')
    strokes = "".join(_strokes(box, look))
    if strokes:
        yield f'<path d="{strokes}" stroke="{look.hatch_ink}" stroke-width="1"/>'


def _strokes(box: Box, look: KindLook) -> Iterator[str]:
    """Give the lines of a hatching, each cut to the box."""
    step = _HATCH_STEP
    if look.hatch in {"-", "+"}:
        for count in range(1, int(box.height / step) + 1):
            yield f"M{_number(box.x)} {_number(box.y + count * step)}h{_number(box.width)}"
    if look.hatch in {"|", "+"}:
        for count in range(1, int(box.width / step) + 1):
            yield f"M{_number(box.x + count * step)} {_number(box.y)}v{_number(box.height)}"
    for falls in [one for one in ("/", "\\") if look.hatch in {one, "x"}]:
        for along in range(step, int(box.width + box.height), step):
            x0, x1 = max(0.0, along - box.height), min(box.width, along)
            ends = [(x, along - x if falls == "/" else box.height - along + x) for x in (x0, x1)]
            (ax, ay), (bx, by) = [(box.x + x, box.y + y) for x, y in ends]
            yield f"M{_number(ax)} {_number(ay)}L{_number(bx)} {_number(by)}"


def _look(kind: KindBox) -> KindLook:
    return SMALLER if kind.is_rest else look_of(kind.part.kind)


def _attributes(box: Box) -> str:
    values = zip(("x", "y", "width", "height"), (box.x, box.y, box.width, box.height), strict=True)
    return " ".join(f'{name}="{_number(value)}"' for name, value in values)


def _rectangle(box: Box, style: str) -> str:
    return f"<rect {_attributes(box)} {style}/>"


def _text(x: float, y: float, words: str, style: str = "") -> str:
    return f'<text x="{_number(x)}" y="{_number(y)}"{style}>{_safe(words)}</text>'


def _safe(words: str) -> str:
    return escape(drawable(words))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
