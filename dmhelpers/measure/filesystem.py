"""The final filesystem that an image's layers make: what stands, and what of each layer is covered.

Layers are gone through from the newest to the oldest, so that each entry is looked at once: it stands unless a newer
layer has its path, deletes it or a folder that it is in, hides that folder's older content, or has something else
than a folder in its place (OCI image specification, "Image Layer Filesystem Changeset").
"""

from __future__ import annotations

from collections.abc import Iterator

from dmhelpers.measure.entries import FileEntry, SavedImage, SavedLayer


def final_files(saved: SavedImage) -> Iterator[FileEntry]:
    """Give the files of the final filesystem, sorted by path: what a container would see.

    Directories are left out. Of several hard links to one file that still stand, the first carries its bytes.
    """
    return (entry for entry in final_entries(saved) if entry.type != "directory")


def final_entries(saved: SavedImage) -> Iterator[FileEntry]:
    """Give files and directories of the final filesystem, sorted by path; `layer` is the one that each comes from."""
    standing = _standing(saved)
    links = _Links(saved)
    counted: set[tuple[int, str]] = set()
    linked = any(entry.type == "hard link" for _, entry in standing.values())
    for path in sorted(standing):
        number, entry = standing[path]
        if linked and entry.type in {"file", "hard link"}:
            owner = links.owner(number, entry) if entry.type == "hard link" else (number, entry)
            if owner is not None:
                key = (owner[0], owner[1].path)
                size = 0 if key in counted else owner[1].size_bytes
                entry = entry._replace(size_bytes=size, head=owner[1].head, content=owner[1].content)
                counted.add(key)
        yield entry._replace(layer=number) if number else entry


def covered_bytes(saved: SavedImage) -> list[int]:
    """Return, layer by layer, the bytes that no container sees: newer layers overwrite, delete or hide them."""
    left = [layer.size_bytes for layer in saved.layers]
    for entry in final_files(saved):
        left[entry.layer] -= entry.size_bytes
    return left


def _standing(saved: SavedImage) -> dict[str, tuple[int, FileEntry]]:
    standing: dict[str, tuple[int, FileEntry]] = {}
    cover = _Cover()
    for number in range(len(saved.layers) - 1, -1, -1):
        layer = saved.layers[number]
        # Of a path that one layer has twice, the later entry counts.
        for path, entry in {one.path: one for one in layer.entries}.items():
            if path not in standing and not cover.hides(path):
                standing[path] = (number, entry)
        if number:
            cover.add(layer)
    return standing


class _Cover:
    """What the layers above hide of those below."""

    def __init__(self) -> None:
        self._gone: set[str] = set()
        self._emptied: set[str] = set()
        self._folders: dict[str, bool] = {"": False}

    def add(self, layer: SavedLayer) -> None:
        """Add a layer: what it deletes, and all that lies below what it has no folder at."""
        self._gone.update(layer.whiteouts)
        self._emptied.update(path.rstrip("/") for path in layer.opaque)
        self._emptied.update(one.path for one in layer.entries if one.type != "directory")
        self._folders = {"": "" in self._emptied}

    def hides(self, path: str) -> bool:
        """Say whether what an older layer has at this path is hidden."""
        return path in self._gone or self._is_empty(path.rpartition("/")[0])

    def _is_empty(self, folder: str) -> bool:
        asked = []
        while (known := self._folders.get(folder)) is None:
            asked.append(folder)
            if folder in self._gone or folder in self._emptied:
                known = True
                break
            folder = folder.rpartition("/")[0]
        for one in asked:
            self._folders[one] = known
        return known


class _Links:
    """Which file each hard link is a name of.

    A link names a path of its own layer. Some builders also write links to files of older layers: found too.
    """

    def __init__(self, saved: SavedImage) -> None:
        self._layers = saved.layers
        self._by_path: dict[int, dict[str, FileEntry]] = {}

    def owner(self, number: int, link: FileEntry) -> tuple[int, FileEntry] | None:
        """Return the file that a link of this layer is a name of, and its layer; None where there is none."""
        seen = set()
        found: FileEntry | None = link
        while found is not None and found.type == "hard link":
            if (number, found.path) in seen:
                return None
            seen.add((number, found.path))
            target = found.link_target
            found = self._in(number).get(target) if target != found.path else None
            while found is None and number > 0:
                number -= 1
                found = self._in(number).get(target)
        return (number, found) if found is not None and found.type == "file" else None

    def _in(self, number: int) -> dict[str, FileEntry]:
        if number not in self._by_path:
            self._by_path[number] = {one.path: one for one in self._layers[number].entries}
        return self._by_path[number]
