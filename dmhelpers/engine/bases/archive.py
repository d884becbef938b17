"""An image as a docker-archive: layers written to files, its configuration, and the stream to load."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from dmhelpers.engine.bases.recipe import Recipe
from dmhelpers.engine.bases.tree import Tree, write_tar

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's archive; `digest` reads ``sha256:…`` and is its diff ID."""

    created_by: str
    file: Path
    digest: str


@dataclass(frozen=True, slots=True)
class ImageArchive:
    """An image that can be loaded.

    `config_digest` is its image ID on the classic image store; containerd's store names it by its manifest.
    """

    name: str
    config: bytes
    config_digest: str
    layers: tuple[Layer, ...]

    @property
    def size_bytes(self) -> int:
        """The bytes of the layers' archives."""
        return sum(layer.file.stat().st_size for layer in self.layers)


def write_layer(tree: Tree, created_by: str, file: Path, *, created: str) -> Layer:
    """Write one layer to a file and return it with its digest.

    Args:
        tree: Its content.
        created_by: What `docker history` shows for it.
        file: Where the archive goes.
        created: The time of all its entries, RFC 3339.
    """
    with file.open("wb") as handle:
        output = _Hashing(handle)
        write_tar(tree, output, mtime=int(datetime.fromisoformat(created).timestamp()))  # type: ignore[arg-type]
    return Layer(created_by, file, f"sha256:{output.sha256.hexdigest()}")


def make_archive(recipe: Recipe, layers: tuple[Layer, ...], labels: Mapping[str, str]) -> ImageArchive:
    """Return the image of these layers with the recipe's configuration.

    Args:
        recipe: What it is made from.
        layers: Its layers, oldest first.
        labels: Its labels.
    """
    config = json.dumps(_config(recipe, layers, labels), sort_keys=True, separators=(",", ":")).encode()
    return ImageArchive(recipe.name, config, f"sha256:{hashlib.sha256(config).hexdigest()}", layers)


def stream(archive: ImageArchive) -> Iterator[bytes]:
    """Yield the docker-archive in pieces; nothing but one piece is held in memory."""
    config_name = f"{archive.config_digest.removeprefix('sha256:')}.json"
    manifest = [
        {
            "Config": config_name,
            "RepoTags": [archive.name],
            "Layers": [_layer_name(layer) for layer in archive.layers],
        }
    ]
    for layer in archive.layers:
        with layer.file.open("rb") as handle:
            yield from entry(_layer_name(layer), layer.file.stat().st_size, _pieces(handle))
    for name, content in ((config_name, archive.config), ("manifest.json", json.dumps(manifest).encode())):
        yield from entry(name, len(content), [content])
    yield b"\0" * 2 * tarfile.BLOCKSIZE


def _pieces(handle: IO[bytes]) -> Iterator[bytes]:
    while piece := handle.read(_CHUNK_BYTES):
        yield piece


def entry(name: str, size_bytes: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield one file of a tar archive: its header, its bytes, and zeros up to a whole block."""
    info = tarfile.TarInfo(name)
    info.size = size_bytes
    yield info.tobuf(tarfile.USTAR_FORMAT)
    yield from pieces
    yield b"\0" * (-size_bytes % tarfile.BLOCKSIZE)


def _config(recipe: Recipe, layers: tuple[Layer, ...], labels: Mapping[str, str]) -> dict[str, Any]:
    empty = [f"ENV {one}" for one in recipe.env]
    empty += [f"WORKDIR {recipe.working_dir}"] if recipe.working_dir else []
    empty.append(f"CMD {json.dumps(recipe.cmd)}")
    comment = "dmhelpers stand-in"
    history = [{"created": recipe.created, "created_by": one.created_by, "comment": comment} for one in layers]
    history += [
        {"created": recipe.created, "created_by": one, "comment": comment, "empty_layer": True}  # type: ignore[dict-item]
        for one in empty
    ]
    return {
        "architecture": recipe.architecture,
        "os": "linux",
        "created": recipe.created,
        "config": {
            "Env": list(recipe.env),
            "Cmd": list(recipe.cmd),
            "WorkingDir": recipe.working_dir,
            "Labels": dict(labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [one.digest for one in layers]},
        "history": history,
    }


def _layer_name(layer: Layer) -> str:
    return f"{layer.digest.removeprefix('sha256:')}.tar"


class _Hashing(io.RawIOBase):
    """A file that digests what is written to it."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.handle = handle
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return self.handle.write(data)

    def tell(self) -> int:
        return self.handle.tell()
