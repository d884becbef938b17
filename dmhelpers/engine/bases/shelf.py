"""The base images on the engine: get one there, list them, remove what the course put there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from dmhelpers.engine import ledger, recorded
from dmhelpers.engine.bases import overlay, pull
from dmhelpers.engine.bases.assemble import assemble
from dmhelpers.engine.bases.lock import only_one
from dmhelpers.engine.bases.recipe import known, recipe
from dmhelpers.engine.bases.records import BaseImage, BaseStatus, Origin
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import BASE_NAME, BASE_ORIGIN, PACK
from dmhelpers.engine.pack import service
from dmhelpers.engine.places import cache_folder
from dmhelpers.errors import BaseImageError, InputError, near_matches

Progress = Callable[[str], None]

_told: set[str] = set()


def ensure(name: str, *, progress: Progress | None = None) -> BaseImage:
    """Return a base image that is on the engine, getting it there first where it is not.

    In this order: present on the engine; pulled, from the registry that `DMHELPERS_REGISTRY_MIRROR` names
    if it is set, else from its own; assembled from packages by its recipe. `DMHELPERS_BASES=pulled` or
    `=assembled` leaves only that way for an image that is not present.

    Args:
        name: The name as it stands after FROM: ``"node:20-alpine"``.
        progress: Called with a plain sentence before each thing that takes a while, and when a stand-in is in use.

    Raises:
        BaseImageError: It is not there, cannot be pulled and cannot be assembled; with each reason.
        InputError: The name is empty or ``scratch``, or `DMHELPERS_BASES` holds something else.
        EngineUnavailable: No engine answers.
    """
    tell = progress or _say_nothing
    # What is done here depends on this machine too: in a recording it is one question with one answer.
    origin, image_id, size, context = recorded.exchange("base", name, lambda: _found(name, tell))
    if origin == "assembled":
        told = f"{familiar(name)} is a stand-in, assembled from packages: its size is not quite the original's."
        _tell_once(tell, told)
    return BaseImage(name, origin, image_id, size, context)


def _found(name: str, tell: Progress) -> list[Any]:
    """Return a base image's origin, ID, bytes and build context, after getting it there."""
    official = familiar(name)
    image = inspect(official)
    origin: Origin = "local"
    if image is None:
        waiting = f"Waiting for another process that prepares {official}"
        with only_one(cache_folder() / "bases" / "lock", waiting=lambda: tell(waiting)):
            image = inspect(official)
            if image is None:
                origin = _obtain(official, tell)
                image = _inspect_new(official)
    if _packed(image):
        service.keep_running()  # what builds on it downloads from there
    if _stands_in(image, official):
        origin = "assembled"
    reference = overlay.with_certificates(official, image, progress=tell)
    context = f"docker-image://{reference}" if reference else None
    return [origin, image["Id"], size_bytes(image["Id"]), context]


def _tell_once(tell: Progress, statement: str) -> None:
    """Say it the first time in this process; every table and plot says it again where a size is shown."""
    if statement not in _told:
        _told.add(statement)
        tell(statement)


def ensure_many(names: Iterable[str], *, progress: Progress | None = None) -> tuple[BaseImage, ...]:
    """Return base images, each once, in the order of their names; ``scratch`` is passed over.

    Args:
        names: Names as they stand after FROM.
        progress: As for `ensure`.

    Raises:
        BaseImageError: As `ensure` does.
    """
    return tuple(ensure(name, progress=progress) for name in dict.fromkeys(names) if name != "scratch")


def status() -> tuple[BaseStatus, ...]:
    """Return every base image that has a recipe or that the course got, sorted by name."""
    ours = ledger.recorded(engine_info().engine_id, "base")
    tags = {tag: image["Id"] for image in listed() for tag in image.get("RepoTags") or () if tag != "<none>:<none>"}
    names = {*known(), *(tag for tag, image_id in tags.items() if image_id in ours)}
    shown = (name for name in sorted(names) if not name.startswith(overlay.overlay_reference("")))
    return tuple(_status(name, tags.get(name, ""), ours) for name in shown)


def familiar(name: str) -> str:
    """Return a name as Docker shows it: ``docker.io/library/node:20-alpine`` is ``node:20-alpine``.

    Raises:
        InputError: The name is empty, is ``scratch``, or holds white space or a leading ``-``.
    """
    if not name or name != name.strip() or len(name.split()) != 1 or name.startswith("-"):
        raise InputError(f"{name!r} is not the name of an image.", hint=f"For example: {known()[-1]}")
    if name == "scratch":
        raise InputError(
            "`scratch` is the empty image: there is nothing to prepare.", hint="Leave it out of the list."
        )
    short = name.removeprefix("docker.io/").removeprefix("index.docker.io/").removeprefix("library/")
    return short if ":" in short.rsplit("/", 1)[-1] or "@" in short else f"{short}:latest"


def inspect(name: str) -> dict[str, Any] | None:
    """Return the engine's description of an image, None where it has none of that name."""
    import docker.errors

    engine: Any = api()
    with engine_answers():
        try:
            return dict(engine.inspect_image(name))
        except docker.errors.ImageNotFound:
            return None


def listed() -> list[dict[str, Any]]:
    """Return the engine's list of images, one request whatever their number."""
    with engine_answers():
        return list(api().images())


def size_bytes(image_id: str) -> int:
    """Return an image's unpacked size: the sum of its history."""
    engine: Any = api()
    with engine_answers():
        return sum(int(layer["Size"]) for layer in engine.history(image_id))


def _obtain(name: str, progress: Progress) -> Origin:
    """Pull or assemble, enter it in the ledger, and say which it was."""
    way = os.environ.get("DMHELPERS_BASES", "")
    if way not in {"", "pulled", "assembled"}:
        raise InputError(f"DMHELPERS_BASES is {way!r}.", hint="Set it to pulled or assembled, or unset it.")
    reasons: list[str] = []
    if way != "assembled":
        try:
            return _pulled(name, progress)
        except BaseImageError as error:
            if way == "pulled":
                raise
            reasons.append(error.message)
            progress(error.message)
    if name not in known():
        reasons.append("The course has no recipe to assemble it.")
        raise BaseImageError(" ".join(reasons), hint=_no_recipe_hint(name))
    try:
        assemble(recipe(name, engine_info().platform.partition("/")[2]), progress=progress)
    except BaseImageError as error:
        raise BaseImageError(" ".join([*reasons, error.message]), hint=error.hint) from error
    return "assembled"


def _pulled(name: str, progress: Progress) -> Origin:
    before = {image["Id"] for image in listed()}
    origin: Origin = "mirror" if pull.mirror() else "pulled"
    if origin == "mirror":
        pull.pull_from_mirror(name, progress=progress)
    else:
        pull.pull(name, progress=progress)
    image_id = _inspect_new(name)["Id"]
    # The person may have had the same image under another name: then it is theirs.
    if image_id not in before:
        ledger.record(engine_info().engine_id, "base", [image_id])
    return origin


def _inspect_new(name: str) -> dict[str, Any]:
    image = inspect(name)
    if image is None:
        raise BaseImageError(
            f"{name} was fetched, but the engine does not have it.", hint="See: docker images; then try again."
        )
    return image


def _stands_in(image: dict[str, Any], name: str) -> bool:
    labels = image["Config"].get("Labels") or {}
    return bool(labels.get(BASE_ORIGIN) == "assembled" and labels.get(BASE_NAME) == name)


def _packed(image: dict[str, Any]) -> bool:
    """Return whether it is a base image that came from a pack, and not one that was built on such a one."""
    loaded = service.recall() if PACK in (image["Config"].get("Labels") or {}) else None
    return loaded is not None and image["Id"] in loaded.images.values()


def _status(name: str, image_id: str, ours: frozenset[str]) -> BaseStatus:
    image = inspect(name) if image_id else None
    if image is None:
        return BaseStatus(name, False, None, "", 0, False, name in known())
    origin: Origin = "assembled" if _stands_in(image, name) else "local"
    course_made = image["Id"] in ours
    return BaseStatus(
        name, True, origin, image["Id"], size_bytes(image["Id"]), course_made, name in known(), _packed(image)
    )


def _no_recipe_hint(name: str) -> str:
    close = near_matches(name, known())
    meant = f"{close} " if close.startswith("Did you mean") else ""
    return (
        f"{meant}Let the engine reach a registry, or set DMHELPERS_REGISTRY_MIRROR to one that it reaches. "
        f"Without one the course assembles {' and '.join(known())}."
    )


def _say_nothing(message: str) -> None:
    """Take a progress message that nobody asked for."""
