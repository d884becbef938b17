"""Images and their history, as records: one request for any number of images, on both image stores.

The size of the course is the unpacked size, the sum of an image's history: what its files take on disk.
The classic store gives it in the list itself; containerd's store does so from Engine API 1.47 on
(``manifests=1``), and before that through each image's history, which never changes for an ID and so is
asked for once. Containerd's store counts whole disk blocks: sizes compare within one store only.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from dmhelpers.engine.client import get_json
from dmhelpers.engine.created import image_not_found
from dmhelpers.engine.info import EngineInfo, engine_info
from dmhelpers.engine.labels import BASE_ORIGIN
from dmhelpers.errors import ImageNotFound
from dmhelpers.measure.origins import origins_of, stages_of
from dmhelpers.measure.records import ImageHistory, ImageRecord, LayerRecord

_MANIFESTS_API = (1, 47)


def list_images(name: str | None = None) -> tuple[ImageRecord, ...]:
    """Return the engine's images that have a name, newest first, a record for each name.

    One that is removed meanwhile, or whose layers the engine has lost, is left out: nothing can be said of its size.

    Args:
        name: A repository (``my-api``), a name with a tag (``my-api:latest``) or a pattern
            (``my-*``); every image for None.
    """
    engine = engine_info()
    rows: list[ImageRecord] = []
    for raw in get_json("/images/json", _query(name, engine)):
        try:
            size_bytes = _unpacked_bytes(raw, engine)
        except ImageNotFound:
            continue
        created = datetime.fromtimestamp(raw["Created"], UTC)
        origin = (raw.get("Labels") or {}).get(BASE_ORIGIN, "")
        for full_name in raw.get("RepoTags") or ():
            repository, _, tag = full_name.rpartition(":")
            if repository != "<none>":
                rows.append(ImageRecord(repository, tag, raw["Id"], created, size_bytes, raw["Size"], origin))
    return tuple(rows)


def read_history(image: str) -> ImageHistory:
    """Return an image's history, newest layer first, with the stage and line of each layer that the course built.

    Args:
        image: The image's name or ID.

    Raises:
        ImageNotFound: The engine has no such image.
    """
    rows = _history_rows(image)
    # The newest row carries the image's ID on the classic store, and on containerd's from Engine 25 on.
    image_id = rows[0]["Id"] if rows and rows[0]["Id"].startswith("sha256:") else image_id_of(image)
    origins = origins_of(image_id, [row["CreatedBy"] for row in rows])
    layers = tuple(
        LayerRecord(
            created_by=row["CreatedBy"],
            size_bytes=row["Size"],
            created=datetime.fromtimestamp(row["Created"], UTC) if row["Created"] > 0 else None,
            comment=row.get("Comment", ""),
            stage=origin.stage if origin else None,
            line=origin.line if origin else None,
        )
        for row, origin in zip(rows, origins, strict=True)
    )
    return ImageHistory(image, image_id, layers, stages_of(image_id))


def size_of(image: str) -> int:
    """Return an image's unpacked size in bytes: the sum of its history.

    Raises:
        ImageNotFound: The engine has no such image.
    """
    return sum(row["Size"] for row in _history_rows(image))


def base_origin_of(image: str) -> str:
    """Return ``"assembled"`` for a stand-in base image and what was built on one, else ``""``.

    Raises:
        ImageNotFound: The engine has no such image.
    """
    labels = (_image_json(image).get("Config") or {}).get("Labels") or {}
    return str(labels.get(BASE_ORIGIN, ""))


def _query(name: str | None, engine: EngineInfo) -> Mapping[str, str]:
    query: dict[str, str] = {}
    if name is not None:
        import json

        query["filters"] = json.dumps({"reference": [name]})
    if engine.store == "containerd" and engine.api_version >= _MANIFESTS_API:
        query["manifests"] = "1"
    return query


def _unpacked_bytes(raw: Mapping[str, Any], engine: EngineInfo) -> int:
    if engine.store != "containerd":
        return int(raw["Size"])
    unpacked = [
        one["ImageData"]["Size"]["Unpacked"] for one in raw.get("Manifests") or () if one.get("Kind") == "image"
    ]
    return max(unpacked) if unpacked else _bytes_by_id(raw["Id"], engine.engine_id)


@functools.lru_cache(maxsize=4096)
def _bytes_by_id(image_id: str, engine_id: str) -> int:  # noqa: ARG001  an ID means the same on one engine only
    return size_of(image_id)


def _history_rows(image: str) -> Sequence[Mapping[str, Any]]:
    import docker.errors

    try:
        rows: Sequence[Mapping[str, Any]] = get_json(f"/images/{quote(image)}/history")
    except docker.errors.NotFound as error:
        raise image_not_found(image) from error
    return rows


def image_id_of(image: str) -> str:
    """Return an image's full ID.

    Raises:
        ImageNotFound: The engine has no such image.
    """
    return str(_image_json(image)["Id"])


def _image_json(image: str) -> Mapping[str, Any]:
    import docker.errors

    try:
        found: Mapping[str, Any] = get_json(f"/images/{quote(image)}/json")
    except docker.errors.NotFound as error:
        raise image_not_found(image) from error
    return found
