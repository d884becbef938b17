"""Loading a pack: verified first, then its packages on disk, its images on the engine, and a mirror beside."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dmhelpers.engine.bases.lock import only_one
from dmhelpers.engine.bases.shelf import inspect, size_bytes
from dmhelpers.engine.pack import service
from dmhelpers.engine.pack.archive import Pack, Progress, opened
from dmhelpers.engine.pack.images import unpacked
from dmhelpers.engine.pack.placing import SHORT, place_images, require_free_names, require_platform
from dmhelpers.engine.pack.service import Loaded
from dmhelpers.engine.pack.unpack import unpack
from dmhelpers.engine.places import cache_folder, state_folder
from dmhelpers.errors import PackError
from dmhelpers.units import docker_size

OFF = "off"
"""In the place of a mirror's address: none, the images are loaded as they are."""


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
        require_platform(pack)
        before = service.recall()
        if before is not None and _is_loaded(pack, before, wanted, off=mirror == OFF):
            service.keep_running()
            return _report(pack, before, fresh=False)
        require_free_names(pack)
        pack.check(progress=progress)
        return _load(pack, wanted, before, off=mirror == OFF, check=check, progress=progress)


def _load(
    pack: Pack,
    wanted: str | None,
    before: Loaded | None,
    *,
    off: bool,
    check: bool,
    progress: Progress,
) -> Report:
    local = wanted is None and not off
    loaded = Loaded(pack.pack_id, {}, str(unpack_packages(pack, progress)) if local else "", wanted or "")
    if before is not None:
        service.end(before)
    try:
        if local:
            loaded = _with_mirror(loaded)
            service.remember(loaded)  # a load that is killed leaves a mirror, and the next one ends it
        names = place_images(pack, loaded.mirror, check=check, progress=progress)
    except BaseException:
        service.end(loaded)
        service.forget()
        if before is not None:
            service.remember(before)
            with suppress(PackError):
                service.keep_running()
        raise
    loaded = replace(loaded, images=names)
    service.remember(loaded)
    _drop_other_folder(loaded, before)
    return _report(pack, loaded, fresh=True)


def _with_mirror(loaded: Loaded) -> Loaded:
    """Start a mirror at the engine's bridge, and return the record with its address."""
    address = service.gateway()
    port = service.free_port(address)
    pid, ticks = service.start(Path(loaded.folder), address, port)
    url = f"http://{address}:{port}"
    return replace(loaded, mirror=url, address=address, port=port, pid=pid, start_ticks=ticks)


def _is_loaded(pack: Pack, before: Loaded, wanted: str | None, *, off: bool) -> bool:
    if before.pack_id != pack.pack_id or before.images.keys() != {one.name for one in pack.manifest.images}:
        return False
    if before.folder and not Path(before.folder).is_dir():
        return False
    if (wanted is not None and wanted != before.mirror) or off != (not before.mirror):
        return False
    if wanted is None and not off and before.address != service.gateway():
        return False
    return all((inspect(name) or {}).get("Id") == image_id for name, image_id in before.images.items())


def unpack_packages(pack: Pack, progress: Progress) -> Path:
    """Return the folder that a mirror of this pack serves, written where it is not there yet."""
    folder = cache_folder() / "packs" / pack.pack_id[:SHORT]
    whole = folder / "whole"
    if not whole.is_file():
        progress(f"Unpacking npm's packages and Go's modules to {folder}")
        for one in ("npm", "go"):
            unpack(pack, one, folder / one, unpacked=unpacked)
        whole.touch()
    return folder


def _drop_other_folder(loaded: Loaded, before: Loaded | None) -> None:
    """Remove what the pack before this one left here, unless another engine's mirror serves it."""
    if before is None or before.folder in {"", loaded.folder}:
        return
    records = (state_folder() / "packs").glob("*.json")
    if not any(before.folder in one.read_text(encoding="utf-8") for one in records):
        shutil.rmtree(before.folder, ignore_errors=True)


def _report(pack: Pack, loaded: Loaded, *, fresh: bool) -> Report:
    first = "loaded" if fresh else "is loaded already"
    lines = [f"Pack {pack.pack_id[:SHORT]} of course {pack.manifest.course_version} {first}."]
    for one in pack.manifest.images:
        stand_in = ", a stand-in" if one.origin == "assembled" else ""
        lines.append(f"  engine   {one.name}  {docker_size(size_bytes(loaded.images[one.name]))}{stand_in}")
    packages, modules = len(pack.manifest.npm_packages), len(pack.manifest.go_modules)
    if loaded.folder:
        lines.append(f"  disk     {packages} npm packages, {modules} Go modules in {loaded.folder}")
    whose = "on this machine" if loaded.port else "not run by this command"
    lines.append(
        f"  mirror   {loaded.mirror}, {whose}" if loaded.mirror else "  mirror   none: builds ask the network"
    )
    lines.append("  wheels   stay in the pack; to install from it: DMHELPERS_PACK=FILE make setup")
    return Report(fresh, tuple(lines))
