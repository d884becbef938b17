"""What a layer's tar holds, as records: an entry for each path, and what the layer hides of older ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

EntryType = Literal["file", "directory", "symlink", "hard link", "other"]


class FileEntry(NamedTuple):
    """One entry of a layer; `path` is absolute.

    `size_bytes` is that of `ls -l`, which the engine adds up too: a file's content, the length of the path that a
    symlink holds, and 0 for a directory and for a hard link, whose first name carries the bytes.
    `layer` counts from 0, oldest first; within a `SavedLayer` it is 0. `head` holds an executable's first four
    bytes; `content` the whole of a file that was asked for by name, or a program's Go notes, else None.
    `mode` holds the permissions with setuid (0o4000), setgid (0o2000) and sticky bit (0o1000).
    """

    path: str
    size_bytes: int
    type: EntryType
    layer: int = 0
    link_target: str = ""
    head: bytes = b""
    content: bytes | None = None
    mode: int = 0
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class SavedLayer:
    """One layer: its entries, the paths that it deletes, and the directories whose older content it hides."""

    diff_id: str
    entries: tuple[FileEntry, ...]
    whiteouts: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """The sum of its files: what `docker history` shows for it on overlay2."""
        return sum(entry.size_bytes for entry in self.entries)


@dataclass(frozen=True, slots=True)
class SavedImage:
    """An image's layers, oldest first, and its configuration as the registry would hold it."""

    layers: tuple[SavedLayer, ...]
    config: dict[str, Any]

    @property
    def size_bytes(self) -> int:
        """The sum over the layers: what later layers overwrite or delete counts too."""
        return sum(layer.size_bytes for layer in self.layers)
