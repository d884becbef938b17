"""The picture as SVG text: drawn from the layout, in the colours of the course's plots.

It stands on white paper of its own, so that a dark theme changes nothing, and names only generic font families.
Nothing in it has an id: several pictures on one page cannot disturb each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from dmhelpers.measure.records import EdgeKind
from dmhelpers.show.plots import theme
from dmhelpers.show.plots.stage_looks import stage_colours, state_mark
from dmhelpers.show.rectangle import Rectangle
from dmhelpers.show.stage_graph import text
from dmhelpers.show.stage_graph.layout import BAND, HEADING_PX, MARGIN, TEXT_PX, Box, Layout, Line
from dmhelpers.show.stage_graph.lettering import SANS_EM, cut, drawable, width_px
from dmhelpers.show.stage_graph.model import SCRATCH, ImageNode, StageNode, span_words

SKIPPED_PAPER = "#F4F4F4"
SKIPPED_LINE = "#858585"
NAME_PX = 15
DASHES: dict[EdgeKind, str] = {"from": "", "copy": "9 5", "mount": "2 5"}
_SANS = "system-ui, sans-serif"
_MONO = "ui-monospace, monospace"
_CORNER = 7
_MARK_PX, _MARK_HIGH = 26, 12


def draw(plan: Layout) -> str:
    """Return the picture as a whole SVG document.

    Args:
        plan: Where everything stands.
    """
    width, height = _number(plan.width), _number(plan.height)
    graph = plan.graph
    colours = stage_colours(stage.label for stage in graph.stages)
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" style="max-width:100%;height:auto" font-size="{TEXT_PX}" '
        f'font-family="{_SANS}" fill="{theme.INK}">',
        f"<title>{_safe(text.headline(graph))}</title>",
        f"<desc>{_safe(text.to_text(graph))}</desc>",
        f'<rect x="0.5" y="0.5" width="{_number(plan.width - 1)}" height="{_number(plan.height - 1)}" rx="8" '
        f'fill="{theme.PAPER}" stroke="{theme.GRID}"/>',
        _heading(plan),
        *_lines(plan.lines, colours),
        *(row for box in plan.boxes for row in _box(box, colours)),
        *(_write(MARGIN, y, note, colour=theme.FAINT_INK) for y, note in plan.notes),
        "</svg>",
    ]
    return "\n".join(rows) + "\n"


def _heading(plan: Layout) -> str:
    words = cut(text.headline(plan.graph), plan.width - 2 * MARGIN, HEADING_PX)
    foot = "Images from outside" if plan.graph.images else ""
    return (
        _write(MARGIN, 36, words, size=HEADING_PX, bold=True)
        + "\n"
        + _write(MARGIN, plan.foot_y, foot, colour=theme.FAINT_INK)
    )


def _lines(lines: Iterable[Line], colours: dict[str, str]) -> Iterator[str]:
    ordered = sorted(lines, key=lambda line: line.link.needed)
    for line in ordered:
        if line.link.needed:
            source = colours[line.link.source] if line.link.from_stage is not None else theme.BASE
            yield f'<path d="{_path(line)}" fill="none" stroke="{_tint(source)}" stroke-width="8"/>'
    for line in ordered:
        needed = line.link.needed
        ink = theme.INK if needed else SKIPPED_LINE
        style = f' stroke-dasharray="{DASHES[line.link.kind]}"' if DASHES[line.link.kind] else ""
        yield f'<path d="{_path(line)}" fill="none" stroke="{ink}" stroke-width="{2 if needed else 1.5}"{style}/>'
    for line in ordered:
        ink = theme.INK if line.link.needed else SKIPPED_LINE
        x, y = line.points[-1]
        yield f'<path d="M{_number(x)} {_number(y)}l12 -6v12z" fill="{ink}"/>'
        start, height = line.points[0]
        yield f'<circle cx="{_number(start)}" cy="{_number(height)}" r="3.5" fill="{ink}"/>'
        yield _label(line)


def _label(line: Line) -> str:
    place = line.label_place
    colour = theme.INK if line.link.needed else theme.FAINT_INK
    return _write(place.x, place.y + TEXT_PX, line.label, colour=colour, mono=True)


def _path(line: Line) -> str:
    (x0, y0), (x1, y1), (_, y2), (x3, _) = line.points
    bend = min(_CORNER, abs(y2 - y1) / 2) * (1 if y2 > y1 else -1)
    turn = abs(bend)
    return (
        f"M{_number(x0)} {_number(y0)}H{_number(x1 - turn)}Q{_number(x1)} {_number(y1)} {_number(x1)} "
        f"{_number(y1 + bend)}V{_number(y2 - bend)}Q{_number(x1)} {_number(y2)} {_number(x1 - turn)} {_number(y2)}"
        f"H{_number(x3 + 10)}"
    )


def _box(box: Box, colours: dict[str, str]) -> Iterator[str]:
    if isinstance(box.node, StageNode):
        yield from _stage(box.node, box.place, colours[box.node.label])
    else:
        yield from _image(box.node, box.place)


def _stage(node: StageNode, place: Rectangle, colour: str) -> Iterator[str]:
    band = colour if node.needed else theme.BASE
    ink = theme.INK if node.needed else theme.FAINT_INK
    yield f"<g><title>{_safe(f'{node.index} {node.label}')}</title>"
    yield _frame(place, needed=node.needed, strong=node.is_target, band=band)
    number = theme.ink_on(band) if node.needed else theme.FAINT_INK
    yield _write(
        place.x + BAND / 2, place.y + place.height / 2 + 6, str(node.index), NAME_PX + 2, number, True, middle=True
    )
    x, room = place.x + BAND + 12, place.width - BAND - 24
    # The text stands in the middle of a box that its lines have made high.
    y = place.y + (place.height - (84 if node.status else 64)) / 2
    pill = 66 if node.is_target else 0
    yield _write(x, y + 28, cut(node.label, room - pill, NAME_PX), NAME_PX, ink, True, mono=True)
    if node.is_target:
        yield _pill(place.right - 70, y + 13)
    made_of = f"{span_words(node)} · from {node.base}"
    yield _write(x, y + 49, cut(made_of, room, TEXT_PX, letter_em=SANS_EM), colour=theme.FAINT_INK)
    if node.status:
        if node.state:
            yield _mark(node, x, y + 58, colour, ink)
            x, room = x + _MARK_PX + 8, room - _MARK_PX - 8
        yield _write(x, y + 69, cut(node.status, room, TEXT_PX), colour=ink, bold=node.needed)
    yield "</g>"


def _mark(node: StageNode, x: float, y: float, colour: str, ink: str) -> str:
    """Return the mark of what became of a stage; its attribute tells it apart from the rest of the picture."""
    drawn = state_mark(node.state, colour, x=x, y=y, width=_MARK_PX, height=_MARK_HIGH, ink=ink)
    return f'<g data-state="{node.state}">{drawn}</g>'


def _image(node: ImageNode, place: Rectangle) -> Iterator[str]:
    ink = theme.INK if node.needed else theme.FAINT_INK
    yield f"<g><title>{_safe(node.name)}</title>"
    yield _frame(place, needed=node.needed, strong=False, band=theme.BASE if node.needed else SKIPPED_PAPER)
    yield f'<path d="{_hatching(place)}" stroke="{theme.BASE_HATCH_INK}" stroke-width="1"/>'
    words = f"{node.name} (empty)" if node.name == SCRATCH else node.name
    size = f" · {node.size}" if node.size else ""
    room = place.width - BAND - 24 - width_px(size, TEXT_PX + 1)
    x, y = place.x + BAND + 12, place.y + place.height / 2 + 5
    yield _write(x, y, cut(words, room, TEXT_PX + 1) + size, TEXT_PX + 1, ink, mono=True)
    yield "</g>"


def _frame(place: Rectangle, *, needed: bool, strong: bool, band: str) -> str:
    x, y, width, height = (_number(one) for one in (place.x, place.y, place.width, place.height))
    paper = theme.PAPER if needed else SKIPPED_PAPER
    line = theme.INK if needed else SKIPPED_LINE
    dashes = "" if needed else ' stroke-dasharray="6 4"'
    side = f"M{_number(place.x + BAND)} {y}v{height}h-{BAND - 6}q-6 0 -6 -6v-{_number(place.height - 12)}q0 -6 6 -6z"
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{paper}"/>\n'
        f'<path d="{side}" fill="{band}"/>\n'
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="none" stroke="{line}" '
        f'stroke-width="{3 if strong else 1.5}"{dashes}/>'
    )


def _pill(x: float, y: float) -> str:
    return f'<rect x="{_number(x)}" y="{_number(y)}" width="58" height="20" rx="10" fill="{theme.INK}"/>\n' + _write(
        x + 29, y + 14.5, "target", TEXT_PX - 1, theme.PAPER, True, middle=True
    )


def _hatching(place: Rectangle) -> str:
    """Return the strokes from lower left to upper right that mark a base image's band, cut to its inside."""
    strokes = []
    width, height = BAND - 4, place.height - 4
    for along in range(8, int(width + height), 8):
        x0, x1 = max(0.0, along - height), min(width, along)
        left, low = place.x + 2, place.y + 2
        strokes.append(
            f"M{_number(left + x0)} {_number(low + along - x0)}L{_number(left + x1)} {_number(low + along - x1)}"
        )
    return "".join(strokes)


def _write(
    x: float,
    y: float,
    words: str,
    size: int = TEXT_PX,
    colour: str = theme.INK,
    bold: bool = False,
    *,
    mono: bool = False,
    middle: bool = False,
) -> str:
    styles = [
        f'font-size="{size}"' if size != TEXT_PX else "",
        f'fill="{colour}"' if colour != theme.INK else "",
        'font-weight="bold"' if bold else "",
        f"font-family={quoteattr(_MONO)}" if mono else "",
        'text-anchor="middle"' if middle else "",
    ]
    given = "".join(f" {style}" for style in styles if style)
    return f'<text x="{_number(x)}" y="{_number(y)}"{given}>{_safe(words)}</text>'


def _tint(colour: str) -> str:
    """Return a colour mixed with as much white: opaque, so that lines on a shared lane do not darken it."""
    return "#" + "".join(f"{(int(colour[at : at + 2], 16) + 255) // 2:02X}" for at in (1, 3, 5))


def _safe(words: str) -> str:
    return escape(drawable(words))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
