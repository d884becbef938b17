"""Where each kind and folder of a treemap stands, and which labels fit where.

Every box has an area proportional to its bytes, at both levels. No room is kept for names: a kind's name stands over
its folders' top left corner, and a folder's label goes where its own box still has room. What does not fit is left
out, never cut off by a border.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dmhelpers.show.rectangle import Rectangle as Box
from dmhelpers.show.treemap_model import Folder, KindPart, TreemapModel, smaller
from dmhelpers.units import docker_size

_Part = TypeVar("_Part", KindPart, Folder)
_SMALL_KIND_SHARE = 0.0005
_LEAST_SHARE = 1e-9  # below that an area is lost in the rounding of the others'


@dataclass(frozen=True, slots=True)
class Lettering:
    """How text is measured: the width of a text (bold or not), the height of a line, the distance to a border."""

    width: Callable[[str, bool], float]
    line: float
    pad: float


@dataclass(frozen=True, slots=True)
class Label:
    """Lines of text and the box that they take."""

    lines: tuple[str, ...]
    box: Box

    def patch(self, pad: float) -> Box:
        """Return the box with the distance to the corner that it stands in, for a ground of plain colour."""
        return Box(self.box.x - pad, self.box.y - pad, self.box.width + 2 * pad, self.box.height + pad)


@dataclass(frozen=True, slots=True)
class FolderBox:
    """A folder and where it stands; `label` is None where none fits."""

    folder: Folder
    box: Box
    label: Label | None


@dataclass(frozen=True, slots=True)
class KindBox:
    """A kind and where it stands; `label` is its name, None where it does not fit."""

    part: KindPart
    box: Box
    label: Label | None
    folders: tuple[FolderBox, ...]
    is_rest: bool = False


def lay_out(model: TreemapModel, place: Box, lettering: Lettering) -> tuple[KindBox, ...]:
    """Return where each kind and folder stands, the largest first.

    Args:
        model: What to show. Kinds below 0.05 % of it share one box, if there are several.
        place: Where: its whole area is used, if there is a byte to show.
        lettering: How text is measured there.
    """
    limit = _SMALL_KIND_SHARE * model.size_bytes
    shown = [part for part in model.kinds if part.size_bytes >= limit]
    small = [part for part in model.kinds if 0 < part.size_bytes < limit]
    rest = _together(small) if len(small) > 1 else None
    shown = [*shown, rest] if rest else [*shown, *small]
    order = _by_size(shown, model.size_bytes)
    boxes = _squares([part.size_bytes for part in order], place)
    return tuple(
        _kind_box(part, box, lettering, is_rest=part is rest) for part, box in zip(order, boxes, strict=True)
    )


def _together(small: Sequence[KindPart]) -> KindPart:
    """Return several kinds as one, with a folder for each."""
    size_bytes, files = sum(part.size_bytes for part in small), sum(part.files for part in small)
    folders = tuple(Folder(part.kind, part.size_bytes, part.files) for part in small)
    return KindPart(smaller(len(small), "kinds"), size_bytes, files, folders)


def _by_size(parts: Iterable[_Part], total_bytes: int) -> list[_Part]:
    """Return the parts that have an area at all, the largest first."""
    seen = [part for part in parts if part.size_bytes > _LEAST_SHARE * total_bytes]
    return sorted(seen, key=lambda part: -part.size_bytes)


def _squares(sizes: Sequence[int], place: Box) -> list[Box]:
    """Return a box a size, in proportion, as near to squares as can be; sizes descend and are above zero."""
    import squarify

    areas = squarify.normalize_sizes(sizes, place.width, place.height)
    found = squarify.squarify(areas, place.x, place.y, place.width, place.height)
    return [Box(one["x"], one["y"], one["dx"], one["dy"]) for one in found]


def _kind_box(part: KindPart, box: Box, lettering: Lettering, *, is_rest: bool) -> KindBox:
    folders = _by_size(part.folders, part.size_bytes)
    boxes = _squares([one.size_bytes for one in folders], box)
    name = _name_label(part, box, lettering)
    placed = tuple(
        FolderBox(folder, inner, _folder_label(folder, inner, name, lettering))
        for folder, inner in zip(folders, boxes, strict=True)
    )
    return KindBox(part, box, name, placed, is_rest)


def _name_label(part: KindPart, box: Box, lettering: Lettering) -> Label | None:
    """Return a kind's name and size, in as few lines as fit at the top left of its box; None where they do not."""
    size = docker_size(part.size_bytes)
    words = part.kind.split()
    tries = [(f"{part.kind} {size}",), (part.kind, size)]
    for cut in range(1, len(words)):
        start, end = " ".join(words[:cut]), " ".join(words[cut:])
        tries += [(start, f"{end} {size}"), (start, end, size)]
    fitting = [lines for lines in tries if _fits(lines, box, lettering, bold=True)]
    chosen = min(fitting, key=len, default=None)
    return None if chosen is None else _label(chosen, box.x, box.y, lettering, bold=True)


def _folder_label(folder: Folder, box: Box, name: Label | None, lettering: Lettering) -> Label | None:
    """Return a folder's label: its path or the end of it, and its size; below the kind's name if that is there."""
    if name is not None and box.overlaps(name.box):
        top = name.box.bottom
        box = Box(box.x, top, box.width, box.bottom - top)
    size = docker_size(folder.size_bytes)
    for text in _shorter(folder.label):
        for lines in ((f"{text} {size}",), (text, size), (text,)):
            if _fits(lines, box, lettering, bold=False):
                return _label(lines, box.x, box.y, lettering, bold=False)
    return None


def _shorter(path: str) -> list[str]:
    """Return a path, then less and less of it: its end, which tells folders apart, or else its beginning."""
    if not path.startswith("/"):
        return [path]
    parts = path.split("/")[1:]
    ends = ["/".join(parts[start:]) for start in range(1, len(parts))]
    starts = ["/".join(parts[:end]) for end in range(len(parts) - 1, 1, -1)]
    last = [parts[-1]] if len(parts) > 1 and parts[-1] != "*" else []
    return [path, *(f"…/{end}" for end in ends if end != "*"), *last, *(f"/{start}/…" for start in starts)]


def _fits(lines: Sequence[str], box: Box, lettering: Lettering, *, bold: bool) -> bool:
    high = len(lines) * lettering.line + 2 * lettering.pad <= box.height
    return high and max(lettering.width(line, bold) for line in lines) + 2 * lettering.pad <= box.width


def _label(lines: Sequence[str], x: float, y: float, lettering: Lettering, *, bold: bool) -> Label:
    width = max(lettering.width(line, bold) for line in lines)
    height = len(lines) * lettering.line
    return Label(tuple(lines), Box(x + lettering.pad, y + lettering.pad, width, height))
