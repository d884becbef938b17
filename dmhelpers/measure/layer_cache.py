"""What was read of an image, kept in the person's cache folder: a second look asks the engine to save nothing.

An image's ID and a layer's diff ID each name one content, and a layer's was held against its SHA-256 when it was
read, so what is kept never grows stale. The folder is bounded, may be deleted at any time, and is safe under several
processes: a file is written aside and put in its place whole, and one that cannot be read counts as absent.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dmhelpers.engine.places import cache_folder
from dmhelpers.measure.archive import FileEntry, SavedImage, SavedLayer

LIMIT_BYTES = 64_000_000
"""What the folder holds at most; the records of `node:20-alpine` take about 0.1 MB."""

_FORM = 1
_DAMAGE = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, IndexError)


def load(image_id: str, keep: Sequence[str]) -> SavedImage | None:
    """Return what is kept of an image, None if not all of it is.

    Args:
        image_id: The image's full ID.
        keep: The patterns that it was read with.
    """
    try:
        document = _read(_path("image", image_id, ()))
        layers = tuple(_layer(diff_id, number, keep) for number, diff_id in enumerate(document["layers"]))
        return SavedImage(layers, document["config"])
    except _DAMAGE:
        return None


def store(image_id: str, keep: Sequence[str], saved: SavedImage) -> None:
    """Keep what was read of an image; without room or rights to write, nothing is kept and nothing is said."""
    with suppress(OSError):
        for layer in saved.layers:
            document = {"entries": [_row(one) for one in layer.entries], **_hidden(layer)}
            _write(_path("layer", layer.diff_id, keep), document)
        layers = [layer.diff_id for layer in saved.layers]
        _write(_path("image", image_id, ()), {"layers": layers, "config": saved.config})
        _bound(LIMIT_BYTES)


def _layer(diff_id: str, number: int, keep: Sequence[str]) -> SavedLayer:
    document = _read(_path("layer", diff_id, keep))
    entries = tuple(_entry(row, number) for row in document["entries"])
    return SavedLayer(diff_id, entries, tuple(document["whiteouts"]), tuple(document["opaque"]))


def _hidden(layer: SavedLayer) -> dict[str, Sequence[str]]:
    return {"whiteouts": layer.whiteouts, "opaque": layer.opaque}


def _row(entry: FileEntry) -> list[Any]:
    content = None if entry.content is None else base64.b64encode(entry.content).decode()
    return [entry.path, entry.size_bytes, entry.type, entry.link_target, entry.head.hex(), content]


def _entry(row: list[Any], layer: int) -> FileEntry:
    path, size_bytes, kind, link_target, head, content = row
    found = None if content is None else base64.b64decode(content)
    return FileEntry(path, size_bytes, kind, layer, link_target, bytes.fromhex(head), found)


def _folder() -> Path:
    return cache_folder() / "layers"


def _path(kind: str, name: str, keep: Sequence[str]) -> Path:
    key = json.dumps([_FORM, kind, name, *keep])
    return _folder() / f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.json.gz"


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    with suppress(OSError):
        os.utime(path)  # the longest unused goes first
    return found


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = gzip.compress(json.dumps(document, separators=(",", ":")).encode(), compresslevel=1, mtime=0)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix="part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _bound(limit_bytes: int) -> None:
    """Remove the files that were not used for longest until the rest fits."""
    files = []
    for path in _folder().iterdir():
        with suppress(OSError):  # another process may have removed it
            files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit_bytes:
            return
        path.unlink(missing_ok=True)
        total -= size
