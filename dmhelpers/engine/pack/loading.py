"""Loading a pack: verified first, then its packages on disk, its images on the engine, and a mirror beside."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dmhelpers.engine import ledger
from dmhelpers.engine.bases.lock import only_one
from dmhelpers.engine.bases.shelf import inspect, size_bytes
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import BASE_NAME, BASE_ORIGIN, COURSE_LABELS, PACK, PACK_MIRROR
from dmhelpers.engine.pack import service
from dmhelpers.engine.pack.archive import Pack, Progress, opened
from dmhelpers.engine.pack.images import archive, configured, unpacked
from dmhelpers.engine.pack.records import PackedImage
from dmhelpers.engine.pack.service import Loaded
from dmhelpers.engine.pack.unpack import unpack
from dmhelpers.engine.places import cache_folder, state_folder
from dmhelpers.errors import NameTaken, PackError
from dmhelpers.units import docker_size

OFF = "off"
"""In the place of a mirror's address: none, the images are loaded as they are."""

_CHECK_LIMIT_S = 60
_SHORT = 12
_LOADING = "dmhelpers/pack-loading"
"""The name that images have while they are loaded; what a killed load left under it goes with the next one."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a load did: whether anything had to be done, and a line for each thing that is now somewhere."""

    fresh: bool
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)


def load(file: Path, *, mirror: str | None = None, check: bool = True, progress: Progress) -> Report:
    """Put what a pack holds where the course looks for it; a second time does nothing but look.

    The pack is verified in full before anything is loaded. The base images go to the engine under their own names,
    all or none; npm's packages and Go's modules go to the course's cache folder, and a mirror on this machine
    hands them to builds, unless `mirror` names another.

    Args:
        file: The pack.
        mirror: The address of a mirror that the engine's containers reach; ``"off"`` for none; None for one that
            is started here, at the engine's bridge.
        check: Ask the mirror from inside a container before all is called well.
        progress: Told what is done.

    Raises:
        PackError: The pack is damaged or for another platform, or no mirror can be reached.
        NameTaken: The engine has a base image that the course did not bring; it is left as it is.
        EngineUnavailable: No engine answers.
    """
    wanted = None if mirror in {None, OFF} else service.checked_url(str(mirror))
    waiting = "Waiting for another process that prepares base images"
    lock = only_one(cache_folder() / "bases" / "lock", waiting=lambda: progress(waiting))
    with lock, opened(file) as pack:
        _require_platform(pack)
        before = service.recall()
        if before is not None and _is_loaded(pack, before, wanted, off=mirror == OFF):
            service.keep_running()
            return _report(pack, before, fresh=False)
        _require_free_names(pack)
        pack.check(progress=progress)
        folder = _unpacked(pack, progress)
        return _load(pack, folder, wanted, before, off=mirror == OFF, check=check, progress=progress)


def unpack_packages(pack: Pack, progress: Progress) -> Path:
    """Return the folder that a mirror of this pack serves, written where it is not there yet."""
    return _unpacked(pack, progress)


def _load(
    pack: Pack,
    folder: Path,
    wanted: str | None,
    before: Loaded | None,
    *,
    off: bool,
    check: bool,
    progress: Progress,
) -> Report:
    loaded = Loaded(pack.pack_id, {}, str(folder), wanted or "")
    if before is not None:
        service.end(before)
    if wanted is None and not off:
        address = service.gateway()
        port = service.free_port(address)
        pid, ticks = service.start(folder, address, port)
        url = f"http://{address}:{port}"
        loaded = replace(loaded, mirror=url, address=address, port=port, pid=pid, start_ticks=ticks)
    try:
        names = _load_images(pack, loaded.mirror, check=check, progress=progress)
    except BaseException:
        service.end(loaded)
        with suppress(PackError):
            service.keep_running()
        raise
    loaded = replace(loaded, images=names)
    service.remember(loaded)
    _drop_other_folders(folder, before)
    return _report(pack, loaded, fresh=True)


def _load_images(pack: Pack, mirror: str, *, check: bool, progress: Progress) -> dict[str, str]:
    """Load all images under names of their own, and give them their official ones when all are there."""
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
    labels = {**COURSE_LABELS, PACK: pack.pack_id[:_SHORT], PACK_MIRROR: mirror}
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
    asked = ["npm", "ping", "--fetch-retries=0", "--fetch-timeout=15000", "--no-update-notifier"]
    if run(with_npm[0], asked, time_limit_s=_CHECK_LIMIT_S).exit_code != 0:
        raise PackError(
            f"A container of this engine does not reach the mirror at {mirror}. Nothing was loaded.",
            hint="Let the firewall pass what comes from the engine's bridge, or name another with --mirror URL.",
        )


def _require_platform(pack: Pack) -> None:
    here = engine_info().platform
    if pack.manifest.platform != here:
        raise PackError(
            f"The pack is for {pack.manifest.platform}, and this engine is {here}.",
            hint="Make a pack on a machine like this one: dmhelpers pack --output FILE",
        )


def _require_free_names(pack: Pack) -> None:
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


def _is_loaded(pack: Pack, before: Loaded, wanted: str | None, *, off: bool) -> bool:
    if before.pack_id != pack.pack_id or not Path(before.folder).is_dir():
        return False
    if (wanted is not None and wanted != before.mirror) or off != (not before.mirror):
        return False
    if wanted is None and not off and before.address != service.gateway():
        return False
    return all((inspect(name) or {}).get("Id") == image_id for name, image_id in before.images.items())


def _unpacked(pack: Pack, progress: Progress) -> Path:
    folder = cache_folder() / "packs" / pack.pack_id[:_SHORT]
    whole = folder / "whole"
    if not whole.is_file():
        progress(f"Unpacking npm's packages and Go's modules to {folder}")
        for one in ("npm", "go"):
            unpack(pack, one, folder / one, unpacked=unpacked)
        whole.touch()
    return folder


def _drop_other_folders(folder: Path, before: Loaded | None) -> None:
    """Remove what the pack before this one left here, unless another engine's mirror serves it."""
    if before is None or Path(before.folder) == folder:
        return
    records = (state_folder() / "packs").glob("*.json")
    if not any(before.folder in one.read_text(encoding="utf-8") for one in records):
        shutil.rmtree(before.folder, ignore_errors=True)


def _report(pack: Pack, loaded: Loaded, *, fresh: bool) -> Report:
    first = "loaded" if fresh else "is loaded already"
    lines = [f"Pack {pack.pack_id[:_SHORT]} of course {pack.manifest.course_version} {first}."]
    for one in pack.manifest.images:
        stand_in = ", a stand-in" if one.origin == "assembled" else ""
        lines.append(f"  engine   {one.name}  {docker_size(size_bytes(loaded.images[one.name]))}{stand_in}")
    packages, modules = len(pack.manifest.npm_packages), len(pack.manifest.go_modules)
    lines.append(f"  disk     {packages} npm packages, {modules} Go modules in {loaded.folder}")
    whose = "on this machine" if loaded.port else "not run by this command"
    lines.append(
        f"  mirror   {loaded.mirror}, {whose}" if loaded.mirror else "  mirror   none: builds ask the network"
    )
    lines.append("  wheels   stay in the pack; to install from it: DMHELPERS_PACK=FILE make setup")
    return Report(fresh, tuple(lines))
