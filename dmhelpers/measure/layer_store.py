"""Layers read where the engine keeps them, without asking it to save anything.

The classic image store on overlay2 keeps, for every layer, the headers of its tar (`tar-split.json.gz`, from which
`docker save` itself is made) and its files as a folder. Everything there is named by SHA-256, so what carries the
right name is the right content, whichever engine put it there. Where the storage cannot be read, because it is in a
virtual machine, on another computer or not this person's, the callers take the engine's stream instead.

Source: github.com/moby/moby, `layer/filestore.go` and `image/fs.go`; github.com/vbatts/tar-split, `tar/storage`.
"""

from __future__ import annotations

import binascii
import gzip
import hashlib
import json
import mmap
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from dmhelpers.engine.streams import as_file
from dmhelpers.measure import tar_headers as tar
from dmhelpers.measure.entries import SavedImage, SavedLayer
from dmhelpers.measure.layouts import diff_ids_of
from dmhelpers.measure.tar_headers import Header
from dmhelpers.measure.tar_scan import Scan, Streamed
from dmhelpers.measure.wanted import Wanted, go_notes
from dmhelpers.measure.windows import ReadInto, Window, filler

NOT_READABLE = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, IndexError)
"""What reading the storage may raise: each means that the stream has to be taken."""

_PIECE_BYTES = 1 << 20
_SEGMENT_TYPE = 2
_SEGMENT_BEGINS = b'"type":2,'
_SEGMENT = re.compile(_SEGMENT_BEGINS + rb'"payload":"([A-Za-z0-9+/=]*)"')


class LayerStore:
    """One engine's storage, if it is the classic one on overlay2 and can be read from here.

    Args:
        data_root: The engine's `DockerRootDir`.
    """

    def __init__(self, data_root: Path) -> None:
        self._root = data_root
        self._images = data_root / "image" / "overlay2"

    def config(self, image_id: str) -> dict[str, Any]:
        """Return an image's configuration.

        Raises:
            OSError: It is not here, or not readable.
            ValueError: It is damaged.
        """
        data = (self._images / "imagedb" / "content" / image_id.replace(":", "/", 1)).read_bytes()
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != image_id:
            raise ValueError(f"{image_id} is damaged")
        config: dict[str, Any] = json.loads(data)
        return config

    def read(
        self, image_id: str, *, keep: Iterable[str] = (), known: Callable[[str], SavedLayer | None] = lambda _: None
    ) -> SavedImage:
        """Read an image from the storage.

        Args:
            image_id: Its full ID, ``sha256:…``.
            keep: As in `dmhelpers.measure.saved.read_image`.
            known: Returns the layer of a diff ID where it is at hand already.

        Raises:
            OSError: And others of `NOT_READABLE`: the storage has not all of it, or cannot be read.
        """
        config = self.config(image_id)
        scan = Scan(Wanted(keep))
        diff_ids = diff_ids_of(config)
        layers = []
        for chain_id, diff_id in zip(chain_ids(diff_ids), diff_ids, strict=True):
            layers.append(known(diff_id) or self._layer(chain_id, diff_id, scan))
        return SavedImage(tuple(layers), config)

    def _layer(self, chain_id: str, diff_id: str, scan: Scan) -> SavedLayer:
        folder = self._images / "layerdb" / chain_id.replace(":", "/", 1)
        if (folder / "diff").read_text() != diff_id:
            raise ValueError(f"{chain_id} is another layer")
        files = self._root / "overlay2" / (folder / "cache-id").read_text().strip() / "diff"
        with gzip.open(folder / "tar-split.json.gz", "rb") as file:
            headers = as_file(_headers(cast("IO[bytes]", file)))
            entries, whiteouts, opaque = scan.layer(_Split(filler(headers.readinto), files))
        return SavedLayer(diff_id, entries, whiteouts, opaque)


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """Return the chain ID of each layer (OCI image specification, "Layer ChainID")."""
    chained: list[str] = []
    for one in diff_ids:
        below = f"{chained[-1]} {one}".encode() if chained else b""
        chained.append(f"sha256:{hashlib.sha256(below).hexdigest()}" if below else one)
    return chained


class _Split(Streamed):
    """A layer by its kept headers, and its folder for the few contents that are wanted."""

    def __init__(self, headers: ReadInto, files: Path) -> None:
        super().__init__(Window(headers), inside=False)
        self._files = str(files)
        self._real: dict[str, bool] = {}

    def skip(self, header: Header) -> None:
        """Pass over what pads a file's content, which is not among the headers."""
        self._window.skip(-header.stored_bytes % tar.BLOCK_BYTES)

    def head(self, header: Header, count: int) -> bytes:
        """Return the first bytes of a file."""
        return self._read(header, count) if header.stored_bytes else b""

    def rest(self, header: Header, *, kept: bool) -> bytes | None:
        """Pass over a file, and return all of it where it is to be kept."""
        self.skip(header)
        return self._read(header, header.stored_bytes) if kept else None

    def notes(self, header: Header) -> bytes | None:
        """Pass over a program, and return the Go notes in it."""
        self.skip(header)
        with (
            os.fdopen(self._open(header), "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return go_notes(data)

    def _read(self, header: Header, count: int) -> bytes:
        handle = self._open(header)
        try:
            return os.read(handle, count)
        finally:
            os.close(handle)

    def _open(self, header: Header) -> int:
        path = self._files + tar.absolute(header.name)
        folder = path.rpartition("/")[0]
        if folder not in self._real:
            self._real[folder] = (
                os.path.realpath(folder) == os.path.realpath(self._files) + folder[len(self._files) :]
            )
        if not self._real[folder]:
            raise ValueError(f"{header.name!r} lies behind a link")
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        if os.fstat(handle).st_size != header.size_bytes:
            os.close(handle)
            raise ValueError(f"{header.name!r} was changed")
        return handle


def _headers(file: IO[bytes]) -> Iterator[bytes]:
    """Give a layer's tar without the contents of its files, from what tar-split kept, piece by piece."""
    rest = b""
    while piece := file.read(_PIECE_BYTES):
        text, newline, rest = (rest + piece).rpartition(b"\n")
        yield _segments(text + newline)
    yield _segments(rest)


def _segments(text: bytes) -> bytes:
    found = _SEGMENT.findall(text)
    if len(found) != text.count(_SEGMENT_BEGINS):  # written in another way than the engine does today
        records = (json.loads(line) for line in text.splitlines())
        found = [one["payload"] for one in records if one["type"] == _SEGMENT_TYPE]
    return b"".join(map(binascii.a2b_base64, found))
