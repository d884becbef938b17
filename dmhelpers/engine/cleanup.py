"""Removing what the course made on an engine, and nothing else: what carries its label and stands in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dmhelpers.engine import ledger, spans
from dmhelpers.engine.build_cache import CacheRecord, cache_records, remove_chosen
from dmhelpers.engine.client import api, engine_answers, get_json
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE
from dmhelpers.engine.recorded import marks
from dmhelpers.errors import EngineError, EngineRefused
from dmhelpers.units import docker_size

_FILTER = {"label": f"{COURSE}=1"}


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What went: names or IDs by kind, and the bytes that the engine says were freed; `recorded` in recorded mode."""

    containers: tuple[str, ...]
    images: tuple[str, ...]
    volumes: tuple[str, ...]
    networks: tuple[str, ...]
    cache_records: int
    freed_bytes: int
    kept: tuple[str, ...] = ()
    recorded: str = field(default_factory=marks.sentence)

    def __str__(self) -> str:
        parts = [
            f"{len(self.containers)} containers",
            f"{len(self.images)} images",
            f"{len(self.volumes)} volumes",
            f"{len(self.networks)} networks",
            f"{self.cache_records} build cache records",
        ]
        lines = [f"Removed {', '.join(parts)}; {docker_size(self.freed_bytes)} freed."]
        lines += [f"Kept {one}" for one in self.kept]
        if self.recorded:
            lines.append(f"{self.recorded[0].upper()}{self.recorded[1:]}; nothing was removed here.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return marks.as_record(self)


def cleanup() -> Cleaned:
    """Remove the containers, images, volumes, networks and build cache records that the course made.

    Base images stay (`dmhelpers bases remove` removes them), and so does whatever else is on the
    engine: a thing goes only if it carries the course's label and its ID stands in the ledger.

    Returns:
        What went, what was kept because something of the person's still uses it, and the bytes freed.

    Raises:
        EngineUnavailable: No engine answers.
    """
    engine_id = engine_info().engine_id
    used_before = _used_bytes()
    containers = _remove_containers(engine_id)
    volumes = _remove_volumes(engine_id)
    networks = _remove_networks(engine_id)
    images, kept = _remove_images(engine_id)
    cache_count, cache_kept = _remove_cache(engine_id)
    freed_bytes = max(0, used_before - _used_bytes())
    return Cleaned(containers, images, volumes, networks, cache_count, freed_bytes, kept + cache_kept)


def _used_bytes() -> int:
    """Return the bytes of image layers and of build cache that no image shares, as `docker system df` counts them."""
    layers = int(get_json("/system/df", {"type": "image"}).get("LayersSize") or 0)
    with suppress(EngineRefused):  # on a full disk the build cache cannot be counted
        layers += sum(one.size_bytes for one in cache_records() if not one.shared)
    return layers


def _remove_cache(engine_id: str) -> tuple[int, tuple[str, ...]]:
    recorded, noted = ledger.recorded(engine_id, "cache"), spans.noted(engine_id)
    if not recorded and not noted:
        return 0, ()

    def ours(listed: Iterable[CacheRecord]) -> Iterator[CacheRecord]:
        return (one for one in listed if one.record_id in recorded or any(span.holds(one) for span in noted))

    try:
        count, remaining = remove_chosen(ours)
    except EngineRefused as error:
        return 0, (_not_removed("the build cache", error),)
    left = {one.record_id for one in remaining}
    ledger.record(engine_id, "cache", left)
    ledger.forget(engine_id, "cache", recorded - left)
    if not left:
        spans.forget(engine_id)
    return count, _still_in_use(remaining)


def _not_removed(what: str, error: EngineError) -> str:
    """Say what could not be removed, why, and what to do; a full disk leaves an engine nothing to remove with."""
    full = "no space left on device" in error.message
    cure = "Make room on the engine's disk, restart the engine, then run this again." if full else error.hint
    return f"{what}: {error.message} {cure}"


def _still_in_use(remaining: Sequence[CacheRecord]) -> tuple[str, ...]:
    stuck = sum(one.in_use for one in remaining)
    if not stuck:
        return ()
    records = "1 build cache record" if stuck == 1 else f"{stuck} build cache records"
    return (f"{records}: the engine still counts it as in use. Clean up again later, or after its next restart.",)


def _remove_containers(engine_id: str) -> tuple[str, ...]:
    client, known = api(), ledger.recorded(engine_id, "container")
    with engine_answers():
        found = [one["Id"] for one in client.containers(all=True, filters=_FILTER) if one["Id"] in known]
        for one in found:
            with suppress_gone():
                client.remove_container(one, force=True, v=True)
    ledger.forget(engine_id, "container", known)
    return tuple(found)


def _remove_volumes(engine_id: str) -> tuple[str, ...]:
    client, known = api(), ledger.recorded(engine_id, "volume")
    with engine_answers():
        listed = (client.volumes(filters=_FILTER).get("Volumes") or ()) if known else ()
        found = [one["Name"] for one in listed if one["Name"] in known]
        for one in found:
            with suppress_gone():
                client.remove_volume(one, force=True)
    ledger.forget(engine_id, "volume", known)
    return tuple(found)


def _remove_networks(engine_id: str) -> tuple[str, ...]:
    client, known = api(), ledger.recorded(engine_id, "network")
    with engine_answers():
        found = [one["Id"] for one in client.networks(filters=_FILTER) if one["Id"] in known] if known else []
        for one in found:
            with suppress_gone():
                client.remove_network(one)
    ledger.forget(engine_id, "network", known)
    return tuple(found)


def _remove_images(engine_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    client, known = api(), ledger.recorded(engine_id, "image")
    bases = ledger.recorded(engine_id, "base")
    with engine_answers():
        listed: list[dict[str, Any]] = client.images(all=True, filters=_FILTER)
    ours = [one for one in listed if one["Id"] in known and one["Id"] not in bases]
    gone: list[str] = []
    kept: list[str] = []
    stuck: set[str] = set()
    for one in sorted(ours, key=lambda one: one["Created"], reverse=True):
        try:
            removed, reason = _remove_image(engine_id, one)
        except EngineError as error:
            removed, reason = [], _not_removed(_names(one)[0], error)
            stuck.add(one["Id"])
        gone += removed
        if reason:
            kept.append(reason)
    # What somebody else named is theirs from now on; what could not be removed stays ours to remove.
    ledger.forget(engine_id, "image", known - stuck)
    ledger.forget(engine_id, "tag", gone)
    return tuple(gone), tuple(kept)


def _remove_image(engine_id: str, image: dict[str, Any]) -> tuple[list[str], str]:
    """Take away the names that the course gave; the image goes with its last name.

    Returns:
        The names taken away, and why the image stays; ``""`` where it went.
    """
    client, given = api(), ledger.recorded(engine_id, "tag")
    names = _names(image)
    ours = [name for name in names if name in given or name == image["Id"]]
    for name in ours:
        with suppress_gone(), engine_answers():
            client.remove_image(name)
    others = [name for name in names if name not in ours]
    return ours, f"{image['Id']}: somebody named it {', '.join(others)}." if others else ""


def _names(image: dict[str, Any]) -> list[str]:
    """Return an image's tags, or its ID where it has none."""
    return [name for name in image.get("RepoTags") or () if name != "<none>:<none>"] or [str(image["Id"])]


def suppress_gone() -> suppress:
    """Return a block that passes over what somebody else removed in the meantime."""
    import docker.errors

    return suppress(docker.errors.NotFound)
