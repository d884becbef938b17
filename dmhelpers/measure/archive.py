"""The archive that `docker save` writes: an image's layers, and the entries of each.

The stream is read once, from front to back; of a layer only the tar headers are kept. Both layouts are
understood (docker-archive, and OCI with its index), and so are layers that are plain, gzip or zstd. Every
layer's SHA-256 is held against the image's own list of diff IDs, so a damaged layer cannot pass for a short one.
"""

from __future__ import annotations

import gzip
import json
import posixpath
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import IO, Any, Literal, cast

from dmhelpers.errors import EngineError
from dmhelpers.measure.streams import CHUNK_BYTES, Hashing, unpacked_layer

EntryType = Literal["file", "directory", "symlink", "hard link", "other"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_KEPT_JSON_BYTES = 16_000_000
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, KeyError, IndexError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry of a layer; `path` is absolute.

    `size_bytes` is that of `ls -l`, which the engine adds up too: a file's content, the length of the path that a
    symlink holds, and 0 for a directory and for a hard link, whose first name carries the bytes.
    `layer` counts from 0, oldest first. `head` holds an executable's first four bytes; `content` the whole
    of a file that was asked for by name, else None.
    """

    path: str
    size_bytes: int
    type: EntryType
    layer: int = 0
    link_target: str = ""
    head: bytes = b""
    content: bytes | None = None


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


def read_archive(stream: IO[bytes], *, name: str, keep: Iterable[str] = ()) -> SavedImage:
    """Read an archive as `docker save` writes it.

    Args:
        stream: The archive; it is read from front to back and need not be seekable.
        name: What to call the image in an error.
        keep: As in `read_image`.

    Raises:
        EngineError: The archive is damaged or incomplete.
    """
    patterns = tuple(keep)
    documents: dict[str, Any] = {}
    layers: dict[str, SavedLayer] = {}
    aliases: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK_BYTES) as outer:
            for member in outer:
                if member.issym():
                    aliases[member.name] = posixpath.normpath(
                        posixpath.join(posixpath.dirname(member.name), member.linkname)
                    )
                elif member.isfile() and (blob := outer.extractfile(member)) is not None:
                    _read_blob(member, blob, patterns, documents, layers)
        return _assemble(documents, layers, aliases)
    except _DAMAGE as error:
        raise EngineError(
            f"What the engine saved of image {name!r} cannot be read: {_reason(error)}.",
            hint="Try again; if it stays so, rebuild the image with --no-cache.",
        ) from error


def _read_blob(
    member: tarfile.TarInfo,
    blob: IO[bytes],
    patterns: tuple[str, ...],
    documents: dict[str, Any],
    layers: dict[str, SavedLayer],
) -> None:
    layer = unpacked_layer(blob)
    if layer is not None:
        layers[member.name] = _read_layer(layer, patterns)
    elif member.size <= _KEPT_JSON_BYTES and (text := blob.read()).startswith((b"{", b"[")):
        documents[member.name] = json.loads(text)


def _read_layer(stream: IO[bytes], patterns: tuple[str, ...]) -> SavedLayer:
    hashed = Hashing(stream)
    entries: list[FileEntry] = []
    whiteouts: list[str] = []
    opaque: list[str] = []
    with tarfile.open(fileobj=cast("IO[bytes]", hashed), mode="r|", bufsize=CHUNK_BYTES) as inner:
        while (member := inner.next()) is not None:
            inner.members.clear()  # type: ignore[attr-defined]  # else it keeps every header of the layer
            path = _absolute(member.name)
            folder, _, name = path.rpartition("/")
            if name == _OPAQUE:
                opaque.append(folder or "/")
            elif name.startswith(_WHITEOUT):
                if not name.startswith(_WHITEOUT * 2):  # the others of that form are aufs' own notes
                    whiteouts.append(f"{folder}/{name.removeprefix(_WHITEOUT)}")
            elif path != "/":
                entries.append(_entry(inner, member, path, patterns))
    return SavedLayer(hashed.finish(), tuple(entries), tuple(whiteouts), tuple(opaque))


def _entry(inner: tarfile.TarFile, member: tarfile.TarInfo, path: str, patterns: tuple[str, ...]) -> FileEntry:
    if member.islnk():
        return FileEntry(path, 0, "hard link", link_target=_absolute(member.linkname))
    if member.issym():
        length = len(member.linkname.encode("utf-8", "surrogateescape"))
        return FileEntry(path, length, "symlink", link_target=member.linkname)
    if not member.isfile():
        return FileEntry(path, 0, "directory" if member.isdir() else "other")
    wanted = any(fnmatchcase(path, pattern) for pattern in patterns)
    if not wanted and not member.mode & 0o111:
        return FileEntry(path, member.size, "file")
    opened = inner.extractfile(member)
    read = b"" if opened is None else opened.read(member.size if wanted else 4)
    return FileEntry(path, member.size, "file", head=read[:4], content=read if wanted else None)


def _assemble(documents: dict[str, Any], layers: dict[str, SavedLayer], aliases: dict[str, str]) -> SavedImage:
    """Put the layers in the image's order and hold each against the diff ID that the image gives for it."""
    config_name, layer_names = _names(documents)
    config = documents[config_name]
    found = tuple(layers[aliases.get(name, name)] for name in layer_names)
    if [layer.diff_id for layer in found] != list(config["rootfs"].get("diff_ids") or []):
        raise ValueError("a layer's content is not what its checksum says")
    return SavedImage(
        tuple(
            replace(layer, entries=tuple(replace(entry, layer=index) for entry in layer.entries))
            for index, layer in enumerate(found)
        ),
        config,
    )


def _names(documents: dict[str, Any]) -> tuple[str, list[str]]:
    if "manifest.json" in documents:
        first = documents["manifest.json"][0]
        return first["Config"], list(first["Layers"] or [])
    waiting = list(documents["index.json"]["manifests"])
    while waiting:
        name = _blob_name(waiting.pop(0))
        document = documents.get(name, {})
        waiting += document.get("manifests", [])
        config = _blob_name(document["config"]) if "config" in document else ""
        if documents.get(config, {}).get("rootfs", {}).get("diff_ids") is not None:
            layers = [_blob_name(layer) for layer in document["layers"]]
            if not any("in-toto" in layer["mediaType"] for layer in document["layers"]):
                return config, layers
    raise KeyError("manifest.json")


def _blob_name(descriptor: dict[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _absolute(name: str) -> str:
    return posixpath.normpath("/" + name.lstrip("/"))


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing from it"
    return str(error) or type(error).__name__
