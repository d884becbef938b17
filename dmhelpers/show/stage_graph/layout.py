"""Where everything in the picture stands.

Stages stand below each other in file order, images from outside at the foot. What a stage takes comes in at its
right side, a row each with its label; lines from one source share a lane to the right of all labels, so that no
line runs through a label or a box, however many stages there are.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from dmhelpers.measure.records import EdgeKind
from dmhelpers.show.rectangle import Rectangle
from dmhelpers.show.stage_graph.lettering import ELLIPSIS, SANS_EM, cut, width_px
from dmhelpers.show.stage_graph.model import Graph, ImageNode, Link, StageNode, line_words

WIDTH_PX = 900
MARGIN = 24
BOX_WIDTH = 320
BAND = 44
TEXT_PX = 13
HEADING_PX = 17
HEAD = 58
FOOT_HEAD = 34
GAP = 22
NOTE_PX = 19
_ROW = 32
_STUB = 14
_ARROW = 14
_LANE = 20
_LABEL_MOST = 330
_WORDS: dict[EdgeKind, str] = {"from": "FROM", "copy": "COPY --from", "mount": "RUN --mount from"}


@dataclass(frozen=True, slots=True)
class Box:
    """A stage or an image and where it stands."""

    node: StageNode | ImageNode
    place: Rectangle


@dataclass(frozen=True, slots=True)
class Line:
    """A link's way from its source to the stage that takes from it, its label above its last part.

    `points` are corners, horizontal and vertical in turn; the last one is the tip of the arrow.
    """

    link: Link
    points: tuple[tuple[float, float], ...]
    label: str
    label_place: Rectangle


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole picture; `foot_y` is where the heading of the images from outside stands.

    `notes` are the lines at its foot, each with its place.
    """

    graph: Graph
    width: float
    height: float
    foot_y: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    notes: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Trunk:
    """The vertical part that all links of one kind from one source share."""

    source: tuple[str, int]
    kind: EdgeKind
    y: float
    ends: tuple[float, ...]

    @property
    def top(self) -> float:
        return min(self.y, *self.ends)

    @property
    def bottom(self) -> float:
        return max(self.y, *self.ends)


def lay_out(graph: Graph) -> Layout:
    """Return where each box, line and label of the graph stands.

    Args:
        graph: The graph.

    Returns:
        The layout, at most 900 pixels wide.
    """
    boxes, foot_y, bottom = _stack(graph)
    room = {_key(box.node, graph): box for box in boxes}
    entries = {id(link): _entry(room["stage", link.to_stage], graph, link) for link in graph.links}
    trunks = _trunks(graph, room, entries)
    labels = {id(link): _label(link) for link in graph.links}
    first = MARGIN + BOX_WIDTH + _ARROW + max(width_px(one, TEXT_PX) for one in labels.values()) + 18
    lanes = _lanes(trunks)
    pitch = min(_LANE, (WIDTH_PX - MARGIN - first) / max(1, max(lanes.values())))
    lines = []
    for link in graph.links:
        trunk = trunks[_origin(link), link.kind]
        x, y = first + lanes[trunk] * pitch, entries[id(link)]
        edge = MARGIN + BOX_WIDTH
        label = labels[id(link)]
        place = Rectangle(edge + _ARROW + 6, y - 8 - TEXT_PX, width_px(label, TEXT_PX), TEXT_PX + 3)
        lines.append(Line(link, ((edge, trunk.y), (x, trunk.y), (x, y), (edge, y)), label, place))
    width = first + max(lanes.values()) * pitch + MARGIN
    notes = tuple((bottom + NOTE_PX * (at + 1) + 8, row) for at, row in enumerate(_rows(graph.notes, width)))
    return Layout(graph, width, (notes[-1][0] if notes else bottom) + MARGIN, foot_y, boxes, tuple(lines), notes)


def _rows(notes: Sequence[str], width: float) -> list[str]:
    """Return the notes as lines that fit into the picture; an empty one keeps its line."""
    letters = int((width - 2 * MARGIN) / (TEXT_PX * SANS_EM))
    return [row for note in notes for row in textwrap.wrap(note, letters, break_on_hyphens=False) or [""]]


def _stack(graph: Graph) -> tuple[tuple[Box, ...], float, float]:
    boxes: list[Box] = []
    y: float = HEAD
    for stage in graph.stages:
        height = max(84 if stage.status else 64, _ports_height(graph, stage) + 12)
        boxes.append(Box(stage, Rectangle(MARGIN, y, BOX_WIDTH, height)))
        y += height + GAP
    foot_y = y + 16
    y += FOOT_HEAD
    for image in graph.images:
        height = max(44, _ports_height(graph, image) + 16)
        boxes.append(Box(image, Rectangle(MARGIN, y, BOX_WIDTH, height)))
        y += height + GAP / 2
    return tuple(boxes), foot_y, y - GAP / 2


def _key(node: StageNode | ImageNode, graph: Graph) -> tuple[str, int]:
    return ("stage", node.index) if isinstance(node, StageNode) else ("image", graph.images.index(node))


def _origin(link: Link) -> tuple[str, int]:
    if link.from_stage is not None:
        return "stage", link.from_stage
    return "image", link.from_image or 0


def _kinds_out(graph: Graph, node: StageNode | ImageNode) -> list[EdgeKind]:
    """Return in which ways something is taken from a node: each has a line of its own that leaves its box."""
    return list(dict.fromkeys(link.kind for link in graph.links if _origin(link) == _key(node, graph)))


def _count_in(graph: Graph, node: StageNode | ImageNode) -> int:
    return len(graph.into(node)) if isinstance(node, StageNode) else 0


def _ports_height(graph: Graph, node: StageNode | ImageNode) -> float:
    return _ROW * _count_in(graph, node) + _STUB * len(_kinds_out(graph, node))


def _entry(box: Box, graph: Graph, link: Link) -> float:
    """Return the height at which a link comes in at the right side of its stage."""
    top = box.place.y + (box.place.height - _ports_height(graph, box.node)) / 2
    above = graph.into(graph.stages[link.to_stage]).index(link)
    return top + _ROW * (above + 1) - 7


def _exit(box: Box, graph: Graph, kind: EdgeKind) -> float:
    """Return the height at which what is taken in one way leaves a box."""
    top = box.place.y + (box.place.height - _ports_height(graph, box.node)) / 2
    return top + _ROW * _count_in(graph, box.node) + _STUB * (_kinds_out(graph, box.node).index(kind) + 0.5)


def _trunks(
    graph: Graph, room: dict[tuple[str, int], Box], entries: dict[int, float]
) -> dict[tuple[tuple[str, int], EdgeKind], _Trunk]:
    ends: dict[tuple[tuple[str, int], EdgeKind], list[float]] = {}
    for link in graph.links:
        ends.setdefault((_origin(link), link.kind), []).append(entries[id(link)])
    return {
        (source, kind): _Trunk(source, kind, _exit(room[source], graph, kind), tuple(heights))
        for (source, kind), heights in ends.items()
    }


def _lanes(trunks: dict[tuple[tuple[str, int], EdgeKind], _Trunk]) -> dict[_Trunk, int]:
    """Return each trunk's lane, counted from the labels: the short ones stand near them, none overlap."""
    lanes: dict[_Trunk, int] = {}
    used: list[list[_Trunk]] = []
    for trunk in sorted(trunks.values(), key=lambda one: (one.bottom - one.top, one.top)):
        lane = next((number for number, others in enumerate(used) if _is_free(trunk, others)), len(used))
        if lane == len(used):
            used.append([])
        used[lane].append(trunk)
        lanes[trunk] = lane
    return lanes


def _is_free(trunk: _Trunk, others: Sequence[_Trunk]) -> bool:
    return all(trunk.bottom + 8 < one.top or one.bottom + 8 < trunk.top for one in others)


def _label(link: Link) -> str:
    where = line_words(link.lines)
    if len(link.lines) > 3:
        where = f"{line_words(link.lines[:3])}, {ELLIPSIS}"
    opening, ending = f"{_WORDS[link.kind]} ", f" · {where}"
    left = _LABEL_MOST - width_px(opening + ending, TEXT_PX)
    return f"{opening}{cut(link.source, left, TEXT_PX)}{ending}"
