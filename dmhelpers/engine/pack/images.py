"""Base images in a pack: out of the engine's `docker save`, and into another one by one `docker load`."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from dmhelpers.engine.bases.archive import entry
from dmhelpers.engine.bases.records import BaseImage
from dmhelpers.engine.bases.shelf import inspect
from dmhelpers.engine.labels import PACK, PACK_MIRROR
from dmhelpers.engine.pack.archive import Pack, Progress
from dmhelpers.engine.pack.records import MIRROR_VARIABLES, PackedImage, PackedLayer
from dmhelpers.engine.saving import ReadInto, save_stream
from dmhelpers.engine.streams import CHUNK_BYTES, as_file
from dmhelpers.errors import PackError
from dmhelpers.units import docker_size

LEVEL = 10
"""zstd's level: a base image's layers become a third, in seconds."""

_COMMENT = "dmhelpers pack"
_TEXT_LIMIT_BYTES = 4_000_000
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def collect(
    images: Sequence[BaseImage], work: Path, *, progress: Progress
) -> tuple[tuple[PackedImage, ...], dict[str, Path]]:
    """Save base images and pack their layers, each layer once.

    Args:
        images: What is on the engine.
        work: An empty folder for the files.
        progress: Told before each image.

    Returns:
        The images, and the files of their members by their path in the pack.

    Raises:
        PackError: The engine's archive lacks a layer.
    """
    files: dict[str, Path] = {}
    found = []
    for one in images:
        progress(f"Saving {one.name} ({docker_size(one.size_bytes)}) from the engine")
        found.append(_collect(one, work, files))
    return tuple(found), files


def _collect(image: BaseImage, work: Path, files: dict[str, Path]) -> PackedImage:
    about: dict[str, Any] = inspect(image.name) or {}
    wanted = list(about["RootFS"]["Layers"])
    texts: dict[str, bytes] = {}
    layers: dict[str, PackedLayer] = {}
    with save_stream([image.name]) as readinto, tarfile.open(fileobj=as_file(_chunks(readinto)), mode="r|") as tar:
        for info in tar:
            content = tar.extractfile(info) if info.isreg() else None
            if content is None:
                continue
            if info.size <= _TEXT_LIMIT_BYTES:  # a small layer, or one of the archive's own texts
                texts[info.name] = content.read()
                content = io.BytesIO(texts[info.name])
            layer = _pack_layer(content, work)
            if layer.diff_id in wanted:
                layers[layer.diff_id] = layer
                files[layer.path] = work / Path(layer.path).name
            else:
                (work / Path(layer.path).name).unlink()
    if not set(wanted) <= layers.keys():
        raise PackError(
            f"The engine's archive of {image.name} lacks a layer.", hint=f"See what it says: docker save {image.name}"
        )
    config = as_made(texts[json.loads(texts["manifest.json"])[0]["Config"]])
    digest = hashlib.sha256(config).hexdigest()
    place = f"images/{digest}.json"
    files[place] = work / digest
    files[place].write_bytes(config)
    chosen = tuple(layers[one] for one in wanted)
    repo_digests = tuple(sorted(about.get("RepoDigests") or ()))
    return PackedImage(image.name, image.origin, f"sha256:{digest}", repo_digests, place, chosen)


def _pack_layer(content: IO[bytes], work: Path) -> PackedLayer:
    """Write a layer packed, under the digest that it has unpacked."""
    import zstandard

    digest, size = hashlib.sha256(), 0
    part = work / "layer.part"
    with part.open("wb") as handle, zstandard.ZstdCompressor(level=LEVEL).stream_writer(handle) as packed:
        for piece in _plain(content):
            digest.update(piece)
            size += len(piece)
            packed.write(piece)
    path = f"layers/{digest.hexdigest()}.tar.zst"
    part.replace(work / f"{digest.hexdigest()}.tar.zst")
    return PackedLayer(path, f"sha256:{digest.hexdigest()}", size)


def _plain(content: IO[bytes]) -> Iterator[bytes]:
    """Yield a layer's bytes unpacked: containerd's store hands out packed ones."""
    first = content.read(CHUNK_BYTES)
    rest = iter(lambda: content.read(CHUNK_BYTES), b"")
    if first.startswith(_ZSTD):
        return unpacked(_chain(first, rest))
    return _gunzipped(_chain(first, rest)) if first.startswith(_GZIP) else _chain(first, rest)


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    import zlib

    plain = zlib.decompressobj(wbits=31)
    for piece in pieces:
        yield plain.decompress(piece)
    yield plain.flush()


def unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of a zstd stream."""
    import zstandard

    plain = zstandard.ZstdDecompressor().decompressobj()
    for piece in pieces:
        yield plain.decompress(piece)


def archive(pack: Pack, images: Sequence[tuple[PackedImage, str, bytes]]) -> Iterator[bytes]:
    """Yield one docker-archive with several images of a pack; a layer is unpacked as the engine takes it.

    Args:
        pack: The open pack.
        images: Each image, the name it gets, and the configuration that it gets.
    """
    described, configs = [], {}
    sent: set[str] = set()
    for image, name, config in images:
        configs[f"{hashlib.sha256(config).hexdigest()}.json"] = config
        described.append(
            {
                "Config": f"{hashlib.sha256(config).hexdigest()}.json",
                "RepoTags": [name],
                "Layers": [_layer_name(one) for one in image.layers],
            }
        )
        for layer in image.layers:
            if layer.diff_id not in sent:
                sent.add(layer.diff_id)
                yield from entry(_layer_name(layer), layer.size_bytes, unpacked(pack.pieces(pack.member(layer.path))))
    for name, content in (*configs.items(), ("manifest.json", json.dumps(described).encode())):
        yield from entry(name, len(content), [content])
    yield b"\0" * 2 * tarfile.BLOCKSIZE


def configured(config: bytes, *, env: Sequence[str], labels: dict[str, str], created_by: str) -> bytes:
    """Return an image's configuration with variables and labels added: the same layers, not a byte more of files.

    Args:
        config: The configuration as the pack has it.
        env: ``NAME=value``, after those that are there.
        labels: Added to those that are there.
        created_by: What `docker history` shows for it.
    """
    made: dict[str, Any] = json.loads(config)
    inside = made.setdefault("config", {})
    names = {one.partition("=")[0] for one in env}
    kept = [one for one in inside.get("Env") or () if one.partition("=")[0] not in names]
    inside["Env"] = [*kept, *env]
    inside["Labels"] = {**(inside.get("Labels") or {}), **labels}
    if env:
        note = {"created": made.get("created"), "created_by": created_by, "comment": _COMMENT}
        made["history"] = [*(made.get("history") or ()), {**note, "empty_layer": True}]
    return json.dumps(made, sort_keys=True, separators=(",", ":")).encode()


def as_made(config: bytes) -> bytes:
    """Return an image's configuration without what loading a pack added; one that has nothing of that, unchanged."""
    made: dict[str, Any] = json.loads(config)
    inside = made.get("config") or {}
    labels = inside.get("Labels") or {}
    if PACK not in labels:
        return config
    inside["Labels"] = {key: value for key, value in labels.items() if key not in {PACK, PACK_MIRROR}}
    inside["Env"] = [one for one in inside.get("Env") or () if one.partition("=")[0] not in MIRROR_VARIABLES]
    made["history"] = [one for one in made.get("history") or () if one.get("comment") != _COMMENT]
    return json.dumps(made, sort_keys=True, separators=(",", ":")).encode()


def _layer_name(layer: PackedLayer) -> str:
    return f"{layer.diff_id.removeprefix('sha256:')}.tar"


def _chunks(readinto: ReadInto) -> Iterator[bytes]:
    buffer = memoryview(bytearray(CHUNK_BYTES))
    while count := readinto(buffer):
        yield bytes(buffer[:count])
