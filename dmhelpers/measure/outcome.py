"""A build that ended well but made nothing of what it should: found out, undone and reported.

npm 10 without a network waits about a minute, prints a line of apology and ends with 0; BuildKit
then caches the empty layer as good. The rules are data: what a step prints, what it means.
"""

from __future__ import annotations

from dataclasses import dataclass

from dmhelpers.engine import ledger
from dmhelpers.engine.build_cache import remove_cache_records
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import EngineInfo
from dmhelpers.errors import BuildIncomplete
from dmhelpers.measure.cache_records import records_of
from dmhelpers.measure.events import Progress, Vertex
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


def require_complete(
    progress: Progress,
    steps: tuple[Step, ...],
    engine: EngineInfo,
    *,
    tag: str,
    image_id: str,
    replaced_id: str | None,
) -> None:
    """Raise if a step of a build that ended with 0 shows by what it printed that it failed.

    The image is removed, its tag given back to the course's image that had it before, and the
    broken layer taken out of the build cache, so that the next build runs the step again.

    Args:
        progress: What BuildKit reported.
        steps: The build's steps.
        engine: Where it was built.
        tag: The tag that the build gave.
        image_id: The image that it made.
        replaced_id: The image that had the tag before, None if the tag was free.

    Raises:
        BuildIncomplete: A step shows one of the known signs.
    """
    for step in steps:
        vertex = progress.vertexes[step.digest]
        printed = progress.log_of(step.digest) if step.state == "ran" else ""
        sign = next((one for one in _SIGNS if one.printed in printed), None)
        if sign is not None:
            _undo(engine, tag=tag, image_id=image_id, replaced_id=replaced_id, vertex=vertex)
            raise BuildIncomplete(
                f"{step.instruction!r} (line {step.line}, stage {step.stage}) ended with 0 and yet failed: "
                f"{sign.meaning}.",
                hint=sign.hint,
                stage=step.stage,
                line=step.line,
                exit_code=0,
                log=progress.log(),
            )


def _undo(engine: EngineInfo, *, tag: str, image_id: str, replaced_id: str | None, vertex: Vertex) -> None:
    client = api()
    with engine_answers():
        if image_id != replaced_id:
            client.remove_image(image_id, force=True)
            ledger.forget(engine.engine_id, "image", [image_id])
        if replaced_id is not None and image_id != replaced_id:
            name, _, version = tag.rpartition(":")
            client.tag(replaced_id, name, version)
    remove_cache_records(record.record_id for record in records_of(vertex))
