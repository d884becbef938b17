"""A build that ended well but made nothing of what it should, or half an image: found out, undone and reported.

npm 10 without a network waits about a minute, prints a line of apology and ends with 0; BuildKit
then caches the empty layer as good. The rules are data: what a step prints, what it means.

On containerd's image store an engine may clear away a layer between naming an image and unpacking it, where other
images were removed a moment before (seen with Engine 26.1.5). The name then stands for an image that nothing can use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from dmhelpers.engine import ledger
from dmhelpers.engine.build_cache import CacheRecord, remove_chosen, with_descendants
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import EngineInfo
from dmhelpers.errors import BuildFailed, BuildIncomplete, EngineError
from dmhelpers.measure.build_plan import courses_own
from dmhelpers.measure.cache_records import records_of
from dmhelpers.measure.events import Progress
from dmhelpers.measure.records import Step


@dataclass(frozen=True, slots=True)
class _Sign:
    printed: str
    meaning: str
    hint: str


_SIGNS = (
    _Sign(
        printed="Exit handler never called!",
        meaning="npm gave up but ended with 0, so its packages are missing; most often it had no network",
        hint="Check the network inside a container with dmhelpers doctor, then build again; "
        "the broken layer was taken out of the build cache.",
    ),
)


_LOST = ("failed to prepare extraction snapshot", "parent snapshot", "does not exist")


class HalfStored(BuildFailed):
    """The engine lost a layer while it stored the image; built again, the image is whole.

    `steps` are those of the build that was lost, whose results stand in the build cache.
    """

    steps: tuple[Step, ...] = ()


def require_complete(
    progress: Progress,
    steps: tuple[Step, ...],
    engine: EngineInfo,
    *,
    tag: str,
    image_id: str | None,
    replaced_id: str | None,
) -> None:
    """Raise if a step that ended with 0 shows by what it printed that it failed.

    The image is removed, its tag given back to the course's image that had it before, and the
    broken layers taken out of the build cache, so that the next build runs those steps again.

    Args:
        progress: What BuildKit reported.
        steps: The build's steps.
        engine: Where it was built.
        tag: The tag that the build gave.
        image_id: The image that it made; None where a later step failed, which is then the consequence.
        replaced_id: The image that had the tag before, None if the tag was free.

    Raises:
        BuildIncomplete: A step shows one of the known signs.
    """
    broken = [(step, sign) for step in steps if (sign := _sign_of(step, progress)) is not None]
    if not broken:
        return
    if image_id is not None:
        _take_back(engine, tag=tag, image_id=image_id, replaced_id=replaced_id)
    drop_broken_layers(progress, steps)
    step, sign = broken[0]
    raise BuildIncomplete(
        f"{step.instruction!r} (line {step.line}, stage {step.stage}) ended with 0 and yet failed: {sign.meaning}.",
        hint=sign.hint,
        stage=step.stage,
        line=step.line,
        exit_code=0,
        log=progress.log(),
    )


def require_stored(progress: Progress, engine: EngineInfo, *, tag: str, replaced_id: str | None) -> None:
    """Raise if a build failed because the engine lost a layer while it stored the image.

    What it named all the same is removed, and its tag given back to the course's image that had it before.

    Args:
        progress: What BuildKit reported of a build that failed.
        engine: Where it was built.
        tag: The tag that the build was to give.
        replaced_id: The image that had the tag before, None if the tag was free.

    Raises:
        HalfStored: It did.
    """
    told = "".join([*progress.text, *(one.error for one in progress.vertexes.values())])
    if not all(words in told for words in _LOST):
        return
    with suppress(EngineError):  # what has gone meanwhile need not be removed
        if (found := courses_own(tag)) is not None:
            ledger.record(engine.engine_id, "image", [found["Id"]])
            _take_back(engine, tag=tag, image_id=found["Id"], replaced_id=replaced_id)
    raise HalfStored(
        f"The engine lost a layer while it stored {tag!r}, and nothing was tagged.",
        hint="Build again: finished steps come from the build cache. If it happens each time, restart the engine.",
        log=progress.log(),
    )


def drop_broken_layers(progress: Progress, steps: tuple[Step, ...]) -> None:
    """Take the layers of steps that ended with 0 and yet failed out of the build cache, if there are any."""
    broken = [step.digest for step in steps if _sign_of(step, progress) is not None]
    if not broken:
        return

    def made(listed: Iterable[CacheRecord]) -> Iterator[CacheRecord]:
        listed = tuple(listed)
        theirs = {one.record_id for digest in broken for one in records_of(progress.vertexes[digest], listed)}
        # What later steps of the same build put on top of a broken layer would keep it in the cache.
        gone = with_descendants(theirs, listed)
        return (one for one in listed if one.record_id in gone)

    remove_chosen(made)


def _sign_of(step: Step, progress: Progress) -> _Sign | None:
    printed = progress.log_of(step.digest) if step.state == "ran" else ""
    return next((one for one in _SIGNS if one.printed in printed), None)


def _take_back(engine: EngineInfo, *, tag: str, image_id: str, replaced_id: str | None) -> None:
    import docker.errors

    client = api()
    if image_id == replaced_id:
        return
    gone = suppress(docker.errors.NotFound)
    with gone, engine_answers():
        client.remove_image(tag)
    ledger.forget(engine.engine_id, "image", [image_id])
    if replaced_id is not None:
        name, _, version = tag.rpartition(":")
        with gone, engine_answers():  # containerd's store may drop an image with its last name
            client.tag(replaced_id, name, version)
