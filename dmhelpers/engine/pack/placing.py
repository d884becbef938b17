"""Putting a pack's images on the engine: all under names for the time being, then all under their own."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from dmhelpers.engine import ledger
from dmhelpers.engine.bases.shelf import inspect
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import BASE_NAME, BASE_ORIGIN, COURSE_LABELS, PACK, PACK_MIRROR
from dmhelpers.engine.pack.archive import Pack, Progress
from dmhelpers.engine.pack.images import archive, configured
from dmhelpers.engine.pack.records import PackedImage
from dmhelpers.errors import NameTaken, PackError
from dmhelpers.units import docker_size

SHORT = 12
"""The characters of a pack's ID that are shown, and that name its folder."""

_CHECK_LIMIT_S = 120
_LOADING = "dmhelpers/pack-loading"
"""The name that images have while they are loaded; what a killed load left under it goes with the next one."""


def place_images(pack: Pack, mirror: str, *, check: bool, progress: Progress) -> dict[str, str]:
    """Load all images under names for the time being, and give them their own when all are there.

    Args:
        pack: The open pack, verified.
        mirror: The mirror that they name, ``""`` for none.
        check: Ask it from inside a container before they get their names.
        progress: Told before each thing that takes a while.

    Returns:
        The images' IDs by their names.

    Raises:
        PackError: The engine refuses them, or a container does not reach the mirror; none of them is left.
    """
    engine: Any = api()
    planned = [
        (one, f"{_LOADING}:{number}", _config(pack, one, mirror)) for number, one in enumerate(pack.manifest.images)
    ]
    size = sum(one.size_bytes for one in pack.manifest.images)
    for _, temporary, _ in planned:
        _remove_image(temporary)
    progress(f"Loading {len(planned)} base images ({docker_size(size)}) into the engine")
    try:
        with engine_answers():
            for event in engine.load_image(archive(pack, planned), quiet=False):
                if "error" in event:
                    raise PackError(
                        f"The engine did not take the images: {event['error']}. It has none of them now.",
                        hint="See what takes the engine's space: docker system df",
                    )
        if mirror and check:
            _require_reachable(planned, mirror, progress)
        return {image.name: _give_name(image.name, temporary) for image, temporary, _ in planned}
    finally:
        for _, temporary, _ in planned:
            _remove_image(temporary)


def _config(pack: Pack, image: PackedImage, mirror: str) -> bytes:
    raw = pack.read(image.config)
    env: list[str] = []
    if mirror:
        env = [f"NPM_CONFIG_REGISTRY={mirror}/"]
        if any(one.startswith(("GOPATH=", "GOLANG_VERSION=")) for one in json.loads(raw)["config"].get("Env") or ()):
            env = [f"GOPROXY={mirror}/go", "GOSUMDB=off"]
    labels = {**COURSE_LABELS, PACK: pack.pack_id[:SHORT], PACK_MIRROR: mirror}
    return configured(raw, env=env, labels=labels, created_by=f"ENV {' '.join(env)}")


def _give_name(name: str, temporary: str) -> str:
    engine: Any = api()
    old = inspect(name)
    with engine_answers():
        repository, _, tag = name.rpartition(":")
        engine.tag(temporary, repository, tag=tag, force=True)
        new = str(engine.inspect_image(name)["Id"])
    engine_id = engine_info().engine_id
    ledger.record(engine_id, "base", [new])
    if old is not None and old["Id"] != new and not (inspect(old["Id"]) or {}).get("RepoTags"):
        _remove_image(old["Id"])
        ledger.forget(engine_id, "base", [old["Id"]])
    return new


def _remove_image(name: str) -> None:
    import docker.errors

    engine: Any = api()
    with suppress(docker.errors.APIError):  # a container may use it: then it stays, without a name
        engine.remove_image(name)


def _require_reachable(planned: list[tuple[PackedImage, str, bytes]], mirror: str, progress: Progress) -> None:
    """Ask the mirror as a build would: in a container of an image that has npm."""
    from dmhelpers.engine.containers import run

    with_npm = [name for image, name, _ in planned if image.name.startswith("node:")]
    if not with_npm:
        return
    progress("Asking the mirror from inside a container")
    asked = ["npm", "ping", "--fetch-retries=0", "--fetch-timeout=60000", "--no-update-notifier"]
    if run(with_npm[0], asked, time_limit_s=_CHECK_LIMIT_S).exit_code != 0:
        raise PackError(
            f"A container of this engine does not reach the mirror at {mirror}. Nothing was loaded.",
            hint="Let the firewall pass what comes from the engine's bridge, or name another with --mirror URL.",
        )


def require_platform(pack: Pack) -> None:
    """Refuse a pack for another kind of machine."""
    here = engine_info().platform
    if pack.manifest.platform != here:
        raise PackError(
            f"The pack is for {pack.manifest.platform}, and this engine is {here}.",
            hint="Make a pack on a machine like this one: dmhelpers pack --output FILE",
        )


def require_free_names(pack: Pack) -> None:
    """Refuse to take a name from an image that the course did not bring."""
    ours = ledger.recorded(engine_info().engine_id, "base")
    for one in pack.manifest.images:
        there = inspect(one.name)
        if there is not None and there["Id"] not in ours and not _came_from_us(there, one.name):
            raise NameTaken(
                f"The engine has a {one.name} that the course did not bring. It stays as it is; nothing was loaded.",
                hint=f"To use the pack's, keep yours under another name: docker tag {one.name} my-{one.name} "
                f"&& docker rmi {one.name}",
            )


def _came_from_us(image: dict[str, Any], name: str) -> bool:
    labels = image["Config"].get("Labels") or {}
    stand_in = labels.get(BASE_ORIGIN) == "assembled" and labels.get(BASE_NAME) == name
    return bool(PACK in labels or stand_in)
