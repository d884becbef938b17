"""What the treemap of an image says: kinds, and the folders that make up each, before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dmhelpers.errors import InputError
from dmhelpers.show import stamp
from dmhelpers.units import docker_size, percent

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("path", "size_bytes", "kind")
MOST_FOLDERS = 12
_SPLIT_SHARE = 0.12
_LARGE_FILE_SHARE = 0.25
_SMALL_SHARE_OF_KIND = 0.01
_SMALL_SHARE_OF_IMAGE = 0.001


@dataclass(frozen=True, slots=True)
class Folder:
    """A part of a kind: a folder, the files that stand in one (``/usr/bin/*``), one file, or ``"7 smaller"``."""

    label: str
    size_bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class KindPart:
    """All files of one kind; its folders add up to it, the largest first, the small ones together at the end."""

    kind: str
    size_bytes: int
    files: int
    folders: tuple[Folder, ...]


@dataclass(frozen=True, slots=True)
class TreemapModel:
    """An image's files by kind and folder, the largest kind first."""

    image: str
    size_bytes: int
    files: int
    kinds: tuple[KindPart, ...]
    base_origin: str = ""

    @property
    def title(self) -> str:
        """The picture's title, with the total."""
        return f"{self.image or 'The files'}: {docker_size(self.size_bytes)} by kind and folder"


@dataclass(slots=True)
class _Node:
    """A folder with what is below it, while the folders to show are looked for."""

    path: str
    size_bytes: int = 0
    files: int = 0
    folders: dict[str, _Node] = field(default_factory=dict)
    own: list[tuple[str, int]] = field(default_factory=list)

    @property
    def label(self) -> str:
        text = self.own[0][0] if self.files == 1 and self.own else self.path or "/"
        return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def make_model(contents: pd.DataFrame, *, image: str = "", base_origin: str = "") -> TreemapModel:
    """Sort a table of files into kinds, and each kind into folders.

    Args:
        contents: What `dm.contents` returns: columns `path, size_bytes, kind`, one row a file. Its attributes
            `image` and `base_origin` are used where the arguments are empty.
        image: What to call the image.
        base_origin: ``"assembled"`` where a stand-in base image is in use.

    Raises:
        InputError: A column is missing, or a size is negative.
    """
    missing = [name for name in COLUMNS if name not in contents.columns]
    if missing:
        raise InputError(
            f"The table has no column {missing[0]!r}.",
            hint="Give what dm.contents(...) returns, or an image's name.",
        )
    by_kind: dict[str, list[tuple[str, int]]] = {}
    sizes = [int(size) for size in contents["size_bytes"]]
    if any(size < 0 for size in sizes):
        raise InputError("The table has a size below zero.", hint="Give what dm.contents(...) returns.")
    for path, size, kind in zip(contents["path"], sizes, contents["kind"], strict=True):
        by_kind.setdefault(str(kind), []).append((str(path), size))
    total = sum(sizes)
    parts = (_kind_part(kind, files, total) for kind, files in by_kind.items())
    return TreemapModel(
        image or str(contents.attrs.get("image", "")),
        total,
        len(sizes),
        tuple(sorted(parts, key=lambda part: (-part.size_bytes, part.kind))),
        base_origin or str(contents.attrs.get("base_origin", "")),
    )


def to_text(model: TreemapModel) -> str:
    """Return the model as a tree in text: kinds and their folders with sizes, the largest first."""
    count = f"{model.files:,} {'file' if model.files == 1 else 'files'}"
    lines = [f"{model.title}, {count}"]
    for part in model.kinds:
        share = percent(part.size_bytes / model.size_bytes) if model.size_bytes else "0.0%"
        lines.append(f"  {part.kind}: {docker_size(part.size_bytes)}, {share}")
        lines += [f"    {folder.label}: {docker_size(folder.size_bytes)}" for folder in part.folders]
    return stamp.lines(*lines)


def smaller(count: int, noun: str = "") -> str:
    """Return what stands for several small things: ``"7 smaller"``, ``"2 smaller kinds"``."""
    return f"{count} smaller {noun}".rstrip()


def _kind_part(kind: str, files: list[tuple[str, int]], image_bytes: int) -> KindPart:
    size_bytes = sum(size for _, size in files)
    limit = max(_SMALL_SHARE_OF_KIND * size_bytes, _SMALL_SHARE_OF_IMAGE * image_bytes)
    parts = sorted(_open(_tree(files), size_bytes, limit), key=lambda one: (-one.size_bytes, one.label))
    large = [one for one in parts if one.size_bytes > limit][:MOST_FOLDERS]
    small = parts[len(large) :]
    if len(small) == 1:
        large, small = parts, []
    folders = [Folder(one.label, one.size_bytes, one.files) for one in large]
    if small:
        left = sum(one.size_bytes for one in small), sum(one.files for one in small)
        folders.append(Folder(smaller(len(small)), *left))
    return KindPart(kind, size_bytes, len(files), tuple(folders))


def _tree(files: Iterable[tuple[str, int]]) -> _Node:
    """Return the root of a kind's folders, each with the bytes and files below it."""
    root = _Node("")
    known = {"": root}
    for path, size in files:
        folder = path.rpartition("/")[0]
        node = known.get(folder) or _grow(root, folder, known)
        node.own.append((path, size))
    for folder in sorted(known, key=len, reverse=True):
        node = known[folder]
        node.size_bytes += sum(size for _, size in node.own)
        node.files += len(node.own)
        if folder:
            above = known[folder.rpartition("/")[0]]
            above.size_bytes += node.size_bytes
            above.files += node.files
    return root


def _grow(root: _Node, folder: str, known: dict[str, _Node]) -> _Node:
    node = root
    for name in folder.split("/")[1:]:
        path = f"{node.path}/{name}"
        if name not in node.folders:
            node.folders[name] = known[path] = _Node(path)
        node = node.folders[name]
    return node


def _open(root: _Node, size_bytes: int, limit_bytes: float) -> list[_Node]:
    """Return the parts to show: from the root on, the largest is opened until none is large or there are enough.

    A folder whose bytes would mostly go into parts too small to show stays whole.
    """
    parts = [_descend(root)]
    whole: list[_Node] = []
    while parts and len(parts) + len(whole) < MOST_FOLDERS * 20:
        largest = max(parts, key=lambda part: part.size_bytes)
        shown = sum(part.size_bytes > limit_bytes for part in (*parts, *whole))
        if largest.size_bytes <= _SPLIT_SHARE * size_bytes or shown >= MOST_FOLDERS:
            break
        parts.remove(largest)
        pieces = _pieces(largest)
        large = sum(piece.size_bytes for piece in pieces if piece.size_bytes > limit_bytes)
        if len(pieces) > 1 and large >= largest.size_bytes / 2:
            parts += pieces
        else:
            whole.append(largest)
    return parts + whole


def _pieces(node: _Node) -> list[_Node]:
    """Return what a folder holds: its folders, each of its own files that is large among them, and the others."""
    total = sum(size for _, size in node.own)
    alone = [one for one in node.own if one[1] >= _LARGE_FILE_SHARE * max(total, 1)]
    others = [one for one in node.own if one not in alone] if alone else node.own
    pieces = [_descend(child) for child in node.folders.values()]
    pieces += [_Node(path, size, 1, own=[(path, size)]) for path, size in alone]
    if others:
        rest = sum(size for _, size in others)
        pieces.append(_Node(f"{node.path.removesuffix('/*')}/*", rest, len(others), own=others))
    return pieces


def _descend(node: _Node) -> _Node:
    """Return the first folder below that holds more than one other."""
    while len(node.folders) == 1 and not node.own:
        node = next(iter(node.folders.values()))
    return node
