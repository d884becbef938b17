"""Archives of images: what `docker save` writes, and OCI layouts, as a stream, a file or a folder.

A stream is read once, from front to back; of a layer only the tar headers are kept. Layers may be plain, gzip or
zstd. Where the archive is not the engine's own stream, every layer's SHA-256 is held against the image's list of diff
IDs, so that a damaged layer cannot pass for a short one, nor be kept under another's name.
"""

from __future__ import annotations

import gzip
import json
import posixpath
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dmhelpers.errors import DmHelpersError
from dmhelpers.measure import layouts, packing
from dmhelpers.measure import tar_headers as tar
from dmhelpers.measure.entries import SavedImage, SavedLayer
from dmhelpers.measure.tar_headers import Damaged, Header
from dmhelpers.measure.tar_scan import Scan, Streamed
from dmhelpers.measure.wanted import Wanted
from dmhelpers.measure.windows import Hashed, Part, ReadInto, Window, filler

DAMAGE = (
    Damaged,
    EOFError,
    zlib.error,
    gzip.BadGzipFile,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
)
"""What reading a damaged archive may raise on its way; the callers of this module see the course's own errors."""

_JSON_LIMIT_BYTES = 16_000_000
_JSON_TOTAL_BYTES = 64_000_000


@dataclass(slots=True)
class _Found:
    """What an archive was seen to hold."""

    documents: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, SavedLayer] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    json_bytes: int = 0


def read_archive(
    readinto: ReadInto, *, keep: Iterable[str] = (), verified: bool = True
) -> Iterator[tuple[layouts.Listed, SavedImage]]:
    """Read an archive from front to back and give its images, in the order in which it lists them.

    Args:
        readinto: Fills a buffer with the archive's next bytes; 0 at its end.
        keep: As in `dmhelpers.measure.saved.read_image`.
        verified: Whether each layer's SHA-256 is compared; False for what the engine itself sends.

    Raises:
        Damaged: And others of `DAMAGE`: it cannot be read to its end.
    """
    found = _Found()
    scan = Scan(Wanted(keep))
    window = Window(packing.unpacked(Window(readinto)))
    source = Streamed(window)
    told: dict[str, str] = {}
    while (block := source.block()) and block != tar.ZEROS:
        header = tar.parse(block, told)
        if header.type in tar.EXTENSIONS:
            told |= scan.told_by(source, header)
            continue
        told = {}
        _read_member(window, header, found, scan, verified=verified)
    for listed in layouts.images_in(found.documents):
        yield listed, _assemble(listed, found, verified=verified)


def read_layout(folder: Path, *, keep: Iterable[str] = ()) -> Iterator[tuple[layouts.Listed, SavedImage]]:
    """Read the images of an OCI layout that lies in a folder; arguments and errors as in `read_archive`."""
    found = _Found()
    scan = Scan(Wanted(keep))
    waiting = ["index.json"]
    while waiting:
        name = waiting.pop()
        path = folder / name
        if name in found.documents or not path.is_file() or path.stat().st_size > _JSON_LIMIT_BYTES:
            continue
        document = found.documents[name] = _json(path.read_bytes(), found)
        linked = [*document.get("manifests", ()), *([document["config"]] if "config" in document else ())]
        waiting += [layouts.blob_name(one) for one in linked if isinstance(one, dict) and "digest" in one]
    for listed in layouts.images_in(found.documents):
        for name in listed.layer_names:
            if name not in found.layers and (folder / name).is_file():
                with (folder / name).open("rb", buffering=0) as file:
                    found.layers[name] = _read_layer(Window(filler(file.readinto)), scan, verified=True)
        yield listed, _assemble(listed, found, verified=True)


@contextmanager
def damage_is(error: type[DmHelpersError], what: str, *, hint: str) -> Iterator[None]:
    """Turn what reading a damaged archive raises into an error of the course: `what`, the reason, and the hint."""
    try:
        yield
    except DmHelpersError:
        raise
    except (*DAMAGE, RecursionError) as caught:
        raise error(f"{what}: {_reason(caught)}.", hint=hint) from caught


def _read_member(window: Window, header: Header, found: _Found, scan: Scan, *, verified: bool) -> None:
    name = _plain_name(header.name)
    size = header.stored_bytes
    if header.type == tar.SYMLINK:
        found.aliases[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), header.link_target))
    elif header.type in tar.REGULAR:
        end = window.position + size
        kind = packing.kind_of(window.peek(min(size, tar.BLOCK_BYTES)))
        if kind is not None:
            found.layers[name] = _read_layer(window, scan, verified=verified, size_bytes=size, kind=kind)
        elif size <= _JSON_LIMIT_BYTES and (data := window.take(size))[:1] in (b"{", b"["):
            found.documents[name] = _json(data, found)
        if window.position > end:
            raise Damaged("a layer is larger than its place in the archive")
        window.skip(end - window.position)
    else:
        window.skip(size)
    window.skip(-size % tar.BLOCK_BYTES)


def _read_layer(
    window: Window, scan: Scan, *, verified: bool, size_bytes: int | None = None, kind: packing.Packing | None = None
) -> SavedLayer:
    kind = kind or packing.kind_of(window.peek(tar.BLOCK_BYTES))
    if kind is None:
        raise Damaged("a layer is no tar")
    if kind == "plain" and not verified and size_bytes is not None:
        entries, whiteouts, opaque = scan.layer(Streamed(window, window.position + size_bytes))
        return SavedLayer("", entries, whiteouts, opaque)
    part = window if size_bytes is None else Part(window, size_bytes, hashed=False)
    readinto = packing.unpacked(Window(part.readinto), kind)
    hashed = Hashed(readinto) if verified else None
    entries, whiteouts, opaque = scan.layer(Streamed(Window(hashed.readinto if hashed else readinto)))
    diff_id = hashed.finish() if hashed else ""
    return SavedLayer(diff_id, entries, whiteouts, opaque)


def _assemble(listed: layouts.Listed, found: _Found, *, verified: bool) -> SavedImage:
    """Put the layers in the image's order and hold each against the diff ID that the image gives for it."""
    layers = []
    if len(listed.layer_names) != len(listed.diff_ids):
        raise Damaged(f"it lists {len(listed.layer_names)} layers and has the checksums of {len(listed.diff_ids)}")
    for name, diff_id in zip(listed.layer_names, listed.diff_ids, strict=True):
        name = _plain_name(name)
        layer = found.layers[found.aliases.get(name, name)]
        if verified and layer.diff_id != diff_id:
            raise Damaged("a layer's content is not what its checksum says")
        layers.append(SavedLayer(diff_id, layer.entries, layer.whiteouts, layer.opaque))
    return SavedImage(tuple(layers), found.documents[listed.config_name])


def _json(data: bytes, found: _Found) -> Any:
    found.json_bytes += len(data)
    if found.json_bytes > _JSON_TOTAL_BYTES:
        raise Damaged("its lists are larger than those of any image")
    return json.loads(data)


def _plain_name(name: str) -> str:
    return tar.absolute(name)[1:]


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "its lists are nested too deeply"
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing from it"
    return str(error).rstrip(".") or type(error).__name__
