"""What was read of an image, kept in the person's cache folder: a second look asks the engine to save nothing.

An image's ID and a layer's diff ID each name one content, so what is kept never grows stale; and only layers of the
engine itself are kept. The folder is bounded, may be deleted at any time, and is safe under several processes: a file
is written aside and put in its place whole; one that cannot be read, or is not what was written, counts as absent.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dmhelpers.engine import recorded
from dmhelpers.engine.places import cache_folder
from dmhelpers.measure.entries import Entries, SavedImage, SavedLayer

LIMIT_BYTES = 64_000_000
"""What the folder holds at most; a layer of 100,000 small files takes about 1 MB."""

_FORM = 3
_AFTER_S = 0.1
_writing: list[threading.Thread] = []
_wanted = threading.Event()
_CHECK_BYTES = 16
_DAMAGE = (OSError, ValueError, KeyError, TypeError, IndexError, ImportError)


def load(image_id: str, keep: Sequence[str]) -> SavedImage | None:
    """Return what is kept of an image, None if not all of it is.

    Args:
        image_id: The image's full ID.
        keep: The patterns that it was read with.
    """
    document = load_document("image", image_id)
    if document is None:
        return None
    layers = []
    for diff_id in document["layers"]:
        layer = load_layer(diff_id, keep)
        if layer is None:
            return None
        layers.append(layer)
    return SavedImage(tuple(layers), document["config"])


def load_layer(diff_id: str, keep: Sequence[str]) -> SavedLayer | None:
    """Return what is kept of a layer that was read with these patterns, None if nothing is."""
    document = load_document("layer", diff_id, *keep)
    if document is None:
        return None
    with suppress(*_DAMAGE):
        return SavedLayer(diff_id, _entries(document), tuple(document["whiteouts"]), tuple(document["opaque"]))
    return None


def store(image_id: str, keep: Sequence[str], saved: SavedImage) -> None:
    """Keep what was read of an image; without room or rights to write, nothing is kept and nothing is said.

    It is written beside what comes next: whoever looks for it here waits until it is.
    """
    path = _path("image", image_id)
    layers = {_path("layer", layer.diff_id, *keep): layer for layer in saved.layers}

    def write() -> None:
        for place, layer in layers.items():
            if _packed(place) is None:
                _write(place, _document(layer))
        _write(path, {"layers": [layer.diff_id for layer in saved.layers], "config": saved.config})
        _bound(path.parent, LIMIT_BYTES)

    _beside(write)


def settle() -> None:
    """Wait until what is to be kept is written."""
    _wanted.set()
    while _writing:
        with suppress(IndexError):
            _writing.pop(0).join()
    _wanted.clear()


def load_document(kind: str, *key: str) -> dict[str, Any] | None:
    """Return a document that was kept under this key, None where there is none that is whole."""
    settle()
    path = _path(kind, *key)
    packed = _packed(path)
    if packed is None:
        return None
    with suppress(*_DAMAGE):
        found: dict[str, Any] = json.loads(_unpack(packed))
        with suppress(OSError):
            os.utime(path)  # the longest unused goes first
        return found
    return None


def store_document(document: Mapping[str, Any], kind: str, *key: str) -> None:
    """Keep a document under a key; without room or rights to write, nothing is kept and nothing is said."""
    path = _path(kind, *key)

    def write() -> None:
        _write(path, document)
        _bound(path.parent, LIMIT_BYTES)

    _beside(write)


def _beside(write: Callable[[], None]) -> None:
    """Write in a thread of its own, one after the other; at its end Python waits for it.

    It begins a moment later, or when somebody looks for it, so that whoever asked gets an answer first.
    """
    before = list(_writing)

    def in_turn() -> None:
        _wanted.wait(_AFTER_S)
        for one in before:
            one.join()
        write()

    thread = threading.Thread(target=in_turn, name="dmhelpers-layer-cache")
    thread.start()
    _writing.append(thread)


def _packed(path: Path) -> bytes | None:
    """Return what a file of the folder holds, None where it is not what was written."""
    replay, keep = recorded.player(), recorded.recorder()
    if replay is not None:
        kept = replay.document(path.name)
        return None if kept is None else _pack(kept)
    packed = _whole(path)
    if keep is not None and packed is not None:
        keep.keep_document(path.name, _unpack(packed))
    return packed


def _whole(path: Path) -> bytes | None:
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    packed = raw[_CHECK_BYTES:]
    return packed if raw[:_CHECK_BYTES] == hashlib.blake2b(packed, digest_size=_CHECK_BYTES).digest() else None


def _write(path: Path, document: Mapping[str, Any]) -> None:
    if recorded.player() is not None:
        return  # what comes from a recording is kept there
    data = json.dumps(document, separators=(",", ":")).encode()
    keep = recorded.recorder()
    if keep is not None:
        keep.keep_document(path.name, data)
    with suppress(OSError, ImportError):
        path.parent.mkdir(parents=True, exist_ok=True)
        packed = _pack(data)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix="part-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.blake2b(packed, digest_size=_CHECK_BYTES).digest() + packed)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise


def _document(layer: SavedLayer) -> dict[str, Any]:
    entries = layer.entries
    return {
        "paths": entries.paths,
        "sizes": entries.sizes,
        "types": "".join(entries.types),
        "modes": entries.modes,
        "owners": entries.owners,
        "links": entries.links,
        "heads": {number: head.hex() for number, head in entries.heads.items()},
        "contents": {number: base64.b64encode(data).decode() for number, data in entries.contents.items()},
        "whiteouts": layer.whiteouts,
        "opaque": layer.opaque,
    }


def _entries(document: Mapping[str, Any]) -> Entries:
    entries = Entries(
        paths=document["paths"],
        sizes=document["sizes"],
        types=list(document["types"]),
        modes=document["modes"],
        owners={int(number): (uid, gid) for number, (uid, gid) in document["owners"].items()},
        links={int(number): target for number, target in document["links"].items()},
        heads={int(number): bytes.fromhex(head) for number, head in document["heads"].items()},
        contents={int(number): base64.b64decode(data) for number, data in document["contents"].items()},
    )
    if not len(entries.paths) == len(entries.sizes) == len(entries.types) == len(entries.modes):
        raise ValueError("columns of different length")
    return entries


def _pack(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=1).compress(data)


def _unpack(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompress(data)


def _folder() -> Path:
    return cache_folder() / "layers"


def _path(kind: str, *key: str) -> Path:
    name = hashlib.sha256(json.dumps([_FORM, kind, *key]).encode()).hexdigest()[:32]
    return _folder() / f"{kind}-{name}.json.zst"


def _bound(folder: Path, limit_bytes: int) -> None:
    """Remove the files that were not used for longest until the rest fits."""
    files = []
    with suppress(OSError):
        for one in os.scandir(folder):
            with suppress(OSError):  # another process may have removed it
                found = one.stat()
                files.append((found.st_mtime_ns, found.st_size, one.path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit_bytes:
            return
        with suppress(OSError):
            Path(path).unlink()
            total -= size
