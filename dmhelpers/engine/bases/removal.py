"""Removing base images that the course got: what stands in the ledger, never what a person brought."""

from __future__ import annotations

from typing import Any

from dmhelpers.engine import ledger
from dmhelpers.engine.bases import overlay
from dmhelpers.engine.bases.recipe import known
from dmhelpers.engine.bases.records import RemovedBases
from dmhelpers.engine.bases.shelf import familiar, listed, size_bytes
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.errors import BaseImageError, EngineRefused, ImageNotFound, near_matches


def remove(name: str | None = None) -> RemovedBases:
    """Remove base images that the course pulled or assembled, and their variants with this machine's CA bundle.

    Images that were built on them stay whole: they keep the layers they need.

    Args:
        name: One base image; None removes them all.

    Returns:
        The names that are gone, and the bytes that they alone held.

    Raises:
        ImageNotFound: The engine has no image of that name.
        BaseImageError: The course did not make it, or a container uses it.
    """
    engine_id = engine_info().engine_id
    ours = ledger.recorded(engine_id, "base")
    images = {image["Id"]: image for image in listed()}
    wanted = _wanted(images, ours) if name is None else _wanted_one(familiar(name), images, ours)
    before = _own_bytes([image_id for image_id, _ in wanted])
    for _, tag in wanted:
        _remove(tag)
    left = {image["Id"] for image in listed()}
    ledger.forget(engine_id, "base", ours - left)
    freed = sum(bytes_ for image_id, bytes_ in before.items() if image_id not in left)
    return RemovedBases(tuple(tag for _, tag in wanted), freed)


def _wanted(images: dict[str, dict[str, Any]], ours: frozenset[str]) -> list[tuple[str, str]]:
    found = []
    for image_id in sorted(ours & images.keys()):
        tags = [tag for tag in images[image_id].get("RepoTags") or () if tag != "<none>:<none>"]
        # A person may have given the image a name of their own: that one stays.
        made = [tag for tag in tags if tag in known() or tag.startswith(overlay.overlay_reference(""))]
        found += [(image_id, tag) for tag in made or tags[:1] or [image_id]]
    return found


def _wanted_one(name: str, images: dict[str, dict[str, Any]], ours: frozenset[str]) -> list[tuple[str, str]]:
    tags = {tag: image_id for image_id, image in images.items() for tag in image.get("RepoTags") or ()}
    if name not in tags:
        present = [tag for tag, image_id in tags.items() if image_id in ours]
        raise ImageNotFound(f"The engine has no base image {name!r}.", hint=near_matches(name, present))
    if tags[name] not in ours:
        raise BaseImageError(
            f"The course did not get {name} here, so it does not remove it.",
            hint=f"If you want it gone: docker image rm {name}",
        )
    variant = overlay.overlay_reference(name)
    return [(tags[one], one) for one in (name, variant) if one in tags and tags[one] in ours]


def _own_bytes(image_ids: list[str]) -> dict[str, int]:
    """Return each image's bytes that no other image shares; its whole size where the engine does not say."""
    if not image_ids:
        return {}
    with engine_answers():
        usage = {image["Id"]: image for image in api().df().get("Images") or ()}
    return {image_id: _alone(usage.get(image_id, {}), image_id) for image_id in image_ids}


def _alone(usage: dict[str, Any], image_id: str) -> int:
    shared = int(usage.get("SharedSize", -1))
    return size_bytes(image_id) if shared < 0 else int(usage["Size"]) - shared


def _remove(tag: str) -> None:
    import docker.errors

    try:
        with engine_answers():
            api().remove_image(tag)
    except docker.errors.NotFound:
        return
    except EngineRefused as error:
        raise BaseImageError(
            f"{tag} cannot be removed: a container still uses it.",
            hint=f"Remove that container first; it is listed by: docker ps -a --filter ancestor={tag}",
        ) from error
