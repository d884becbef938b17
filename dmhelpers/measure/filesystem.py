"""The final filesystem that an image's layers make: what stands, and what of each layer is covered.

Layers are gone through from the newest to the oldest, so that each entry is looked at once: it stands unless a newer
layer has its path, deletes it or a folder that it is in, hides that folder's older content, or has something else
than a folder in its place (OCI image specification, "Image Layer Filesystem Changeset").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dmhelpers.measure.entries import Entries, FileEntry, SavedImage, SavedLayer

_LAYER_BITS = 32
_NUMBERS = (1 << _LAYER_BITS) - 1


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands, sorted by path: of each, the layer that it comes from, its number there, and its bytes.

    Of several hard links to one file that still stand, the first carries its bytes; `owners` says which entry
    that file is, where it is another than the link itself.
    """

    saved: SavedImage
    paths: Sequence[str]
    layers: Sequence[int]
    numbers: Sequence[int]
    sizes: Sequence[int]
    types: Sequence[str]
    owners: dict[int, tuple[int, int]]

    def record(self, place: int) -> FileEntry:
        """Return what stands at one place as a record."""
        layer, number = self.layers[place], self.numbers[place]
        entry = self.saved.layers[layer].entries.record(number, layer=layer)
        owner = self.owners.get(place)
        if owner is not None:
            file = self.saved.layers[owner[0]].entries
            return entry._replace(
                size_bytes=self.sizes[place],
                head=file.heads.get(owner[1], b""),
                content=file.contents.get(owner[1]),
            )
        return entry if entry.size_bytes == self.sizes[place] else entry._replace(size_bytes=self.sizes[place])

    def files(self) -> list[int]:
        """Return the places of all that is no directory."""
        return [place for place, kind in enumerate(self.types) if kind != "d"]

    def link_target(self, place: int) -> str:
        """Return what the link at one place points at; ``""`` where there is none."""
        return self.saved.layers[self.layers[place]].entries.links.get(self.numbers[place], "")

    def with_head(self, head: bytes) -> set[int]:
        """Return the places of the executables that begin with these bytes."""
        found = [
            {number for number, one in layer.entries.heads.items() if one == head} for layer in self.saved.layers
        ]
        if not any(found):
            return set()
        own = {place for place, number in enumerate(self.numbers) if number in found[self.layers[place]]}
        return own | {place for place, (layer, number) in self.owners.items() if number in found[layer]}

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Give path and content of the files whose content was kept, sorted by path."""
        kept = [layer.entries.contents for layer in self.saved.layers]
        for place, path in enumerate(self.paths) if any(kept) else ():
            layer, number = self.owners.get(place) or (self.layers[place], self.numbers[place])
            content = kept[layer].get(number)
            if content is not None:
                yield path, content


def final_files(saved: SavedImage) -> Iterator[FileEntry]:
    """Give the files of the final filesystem, sorted by path: what a container would see.

    Directories are left out. Of several hard links to one file that still stand, the first carries its bytes.
    """
    found = standing(saved)
    return (found.record(place) for place, kind in enumerate(found.types) if kind != "d")


def final_entries(saved: SavedImage) -> Iterator[FileEntry]:
    """Give files and directories of the final filesystem, sorted by path; `layer` is the one that each comes from."""
    found = standing(saved)
    return map(found.record, range(len(found.paths)))


def standing(saved: SavedImage) -> Standing:
    """Work out what stands of an image's layers."""
    codes: dict[str, int] = {}
    cover = _Cover()
    for layer in range(len(saved.layers) - 1, -1, -1):
        _add_layer(codes, saved.layers[layer].entries, layer, cover)
        if layer:
            cover.add(saved.layers[layer])
    paths = sorted(codes)
    where = [codes[path] for path in paths]
    layers, numbers = [code >> _LAYER_BITS for code in where], [code & _NUMBERS for code in where]
    of = [layer.entries for layer in saved.layers]
    found = Standing(
        saved=saved,
        paths=paths,
        layers=layers,
        numbers=numbers,
        sizes=[of[layer].sizes[number] for layer, number in zip(layers, numbers, strict=True)],
        types=[of[layer].types[number] for layer, number in zip(layers, numbers, strict=True)],
        owners={},
    )
    if "h" in found.types:
        _count_links_once(found)
    return found


def _add_layer(codes: dict[str, int], entries: Entries, layer: int, cover: _Cover) -> None:
    """Add what stands of a layer below those that were added: each path with its layer and number in one number."""
    first = layer << _LAYER_BITS
    own = dict(
        zip(entries.paths, range(first, first + len(entries)), strict=True)
    )  # of a path twice, the later counts
    if not codes and not cover.there:
        codes |= own
        return
    for path, code in own.items():
        if path not in codes and not cover.hides(path):
            codes[path] = code


def _count_links_once(found: Standing) -> None:
    """Give a file's bytes to the first of its names that stand, and none to the others."""
    links = _Links(found.saved)
    counted: set[tuple[int, int]] = set()
    sizes: list[int] = found.sizes  # type: ignore[assignment]  # it was made a list just now
    for place, kind in enumerate(found.types):
        own = (found.layers[place], found.numbers[place])
        owner = links.owner(*own) if kind == "h" else own if kind == "f" else None
        if owner is None:
            continue
        sizes[place] = 0 if owner in counted else found.saved.layers[owner[0]].entries.sizes[owner[1]]
        counted.add(owner)
        if owner != own:
            found.owners[place] = owner


class _Cover:
    """What the layers above hide of those below."""

    def __init__(self) -> None:
        self.there = False
        self._gone: set[str] = set()
        self._emptied: set[str] = set()
        self._folders: dict[str, bool] = {}

    def add(self, layer: SavedLayer) -> None:
        """Add a layer: what it deletes, and all that lies below what it has no folder at."""
        self._gone.update(layer.whiteouts)
        self._emptied.update(path.rstrip("/") for path in layer.opaque)
        entries = layer.entries
        self._emptied.update(path for path, kind in zip(entries.paths, entries.types, strict=True) if kind != "d")
        self._folders = {"": "" in self._emptied}
        self.there = bool(self._gone or self._emptied)

    def hides(self, path: str) -> bool:
        """Say whether what an older layer has at this path is hidden."""
        return path in self._gone or self._is_empty(path[: path.rfind("/")])

    def _is_empty(self, folder: str) -> bool:
        asked = []
        while (known := self._folders.get(folder)) is None:
            asked.append(folder)
            if folder in self._gone or folder in self._emptied:
                known = True
                break
            folder = folder[: folder.rfind("/")]
        for one in asked:
            self._folders[one] = known
        return known


class _Links:
    """Which file each hard link is a name of.

    A link names a path of its own layer. Some builders also write links to files of older layers: found too.
    """

    def __init__(self, saved: SavedImage) -> None:
        self._layers = saved.layers
        self._by_path: dict[int, dict[str, int]] = {}

    def owner(self, layer: int, number: int) -> tuple[int, int] | None:
        """Return the layer and number of the file that a link is a name of; None where there is none."""
        seen = set()
        while self._entries(layer).types[number] == "h":
            if (layer, number) in seen:
                return None
            seen.add((layer, number))
            target, path = self._entries(layer).links.get(number, ""), self._entries(layer).paths[number]
            found = self._in(layer).get(target) if target != path else None
            while found is None and layer > 0:
                layer -= 1
                found = self._in(layer).get(target)
            if found is None:
                return None
            number = found
        return (layer, number) if self._entries(layer).types[number] == "f" else None

    def _entries(self, layer: int) -> Entries:
        return self._layers[layer].entries

    def _in(self, layer: int) -> dict[str, int]:
        if layer not in self._by_path:
            self._by_path[layer] = {path: number for number, path in enumerate(self._entries(layer).paths)}
        return self._by_path[layer]
