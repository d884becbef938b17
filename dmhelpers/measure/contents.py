"""Every file of an image's final filesystem: its bytes, its kind, and the layer, stage and line that put it there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from dmhelpers.engine.labels import BASE_ORIGIN
from dmhelpers.measure import layer_cache
from dmhelpers.measure.entries import TYPES, EntryType, SavedImage
from dmhelpers.measure.filesystem import standing
from dmhelpers.measure.images import image_id_of
from dmhelpers.measure.kind_rules import LOCK_FILES, kinds_of_standing
from dmhelpers.measure.origins import origins_of
from dmhelpers.measure.saved import read_file, read_image

_FORM = "1"
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".oci")
_PLACES = ("/", "./", "../", "~")


@dataclass(frozen=True, slots=True)
class LayerContents:
    """One layer: where it comes from, its bytes, its files that stand, and the bytes of it that no container sees."""

    layer: int
    created_by: str
    stage: str | None
    line: int | None
    size_bytes: int
    files: int
    wasted_bytes: int


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of an image, sorted by path, by columns of equal length, and its layers, oldest first.

    `size_bytes` adds up what its layers hold; it is the files' bytes and the layers' `wasted_bytes`. `base_origin` is
    ``"assembled"`` where a stand-in base image is in use, else ``""``.
    """

    image: str
    paths: Sequence[str]
    sizes: Sequence[int]
    kinds: Sequence[str]
    types: Sequence[EntryType]
    layers: Sequence[int]
    by_layer: tuple[LayerContents, ...]
    base_origin: str = ""

    @property
    def size_bytes(self) -> int:
        """What all layers hold together."""
        return sum(one.size_bytes for one in self.by_layer)

    @property
    def wasted_bytes(self) -> int:
        """What of it newer layers overwrite, delete or hide."""
        return sum(one.wasted_bytes for one in self.by_layer)


def contents_of(image: str | os.PathLike[str], *, name: str | None = None) -> Contents:
    """Return every file of an image, without running anything in it.

    Args:
        image: Its name or ID on the engine; or the path of an archive or OCI layout.
        name: Which image, where the archive holds several.

    Raises:
        ImageNotFound: The engine has no such image.
        ArchiveError: The archive is damaged, or is none.
        EngineError: What the engine saved of the image cannot be read.
    """
    path = archive_path(image)
    if path is not None:
        return _contents(str(path), "", _document(read_file(path, image=name, keep=LOCK_FILES)))
    image_id = image_id_of(str(image))
    key = (image_id, _FORM, _rules_version())
    document = layer_cache.load_document("contents", *key)
    if document is None:
        document = _document(read_image(image_id, keep=LOCK_FILES))
        layer_cache.store_document(document, "contents", *key)
    return _contents(str(image), image_id, document)


def archive_path(image: str | os.PathLike[str]) -> Path | None:
    """Return the path, where this names an archive and not an image: a Path, or text that looks like one."""
    if isinstance(image, os.PathLike):
        return Path(image)
    looks_like_one = image.startswith(_PLACES) or image.lower().endswith(_ARCHIVES)
    return Path(image).expanduser() if looks_like_one else None


def _document(saved: SavedImage) -> dict[str, Any]:
    """Return what is kept of an image's contents, as the cache can hold it."""
    found = standing(saved)
    places = found.files()
    kinds = kinds_of_standing(found, places)
    names = sorted(set(kinds))
    number = {name: place for place, name in enumerate(names)}
    sizes, layers = [found.sizes[place] for place in places], [found.layers[place] for place in places]
    layer_sizes = [layer.size_bytes for layer in saved.layers]
    left, counts = list(layer_sizes), [0] * len(layer_sizes)
    for size, layer in zip(sizes, layers, strict=True):
        left[layer] -= size
        counts[layer] += 1
    return {
        "paths": [found.paths[place] for place in places],
        "sizes": sizes,
        "types": "".join(found.types[place] for place in places),
        "layers": layers,
        "kind_names": names,
        "kinds": [number[one] for one in kinds],
        "layer_sizes": layer_sizes,
        "wasted": left,
        "counts": counts,
        "history": saved.config.get("history") or [],
        "labels": (saved.config.get("config") or {}).get("Labels") or {},
    }


def _contents(image: str, image_id: str, document: Mapping[str, Any]) -> Contents:
    names = document["kind_names"]
    told = _told(image_id, document["history"], len(document["layer_sizes"]))
    rows = zip(document["layer_sizes"], document["counts"], document["wasted"], strict=True)
    return Contents(
        image=image,
        paths=document["paths"],
        sizes=document["sizes"],
        kinds=[names[number] for number in document["kinds"]],
        types=[TYPES[letter] for letter in document["types"]],
        layers=document["layers"],
        by_layer=tuple(
            LayerContents(number, *told[number], size_bytes, files, wasted)
            for number, (size_bytes, files, wasted) in enumerate(rows)
        ),
        base_origin=str(document["labels"].get(BASE_ORIGIN, "")),
    )


def _told(
    image_id: str, history: Sequence[Mapping[str, Any]], layers: int
) -> list[tuple[str, str | None, int | None]]:
    """Return what made each layer: the history has a row for each, oldest first, and others that left none."""
    created_by = [str(row.get("created_by", "")) for row in history]
    origins = origins_of(image_id, created_by[::-1])[::-1] if image_id else [None] * len(history)
    made = [
        (text, origin.stage if origin else None, origin.line if origin else None)
        for row, text, origin in zip(history, created_by, origins, strict=True)
        if not row.get("empty_layer")
    ]
    # Images that were imported or flattened may have no history, or one that is not of these layers.
    return made if len(made) == layers else [("", None, None)] * layers


def _rules_version() -> str:
    text = resources.files("dmhelpers.measure").joinpath("kinds.toml").read_bytes()
    return hashlib.sha256(text).hexdigest()[:16]
