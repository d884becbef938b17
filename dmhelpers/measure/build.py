"""Building an image with BuildKit, and what each of its steps and stages did."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dmhelpers.engine import bases, ledger, recorded
from dmhelpers.engine.client import get_json
from dmhelpers.engine.info import EngineInfo, engine_info
from dmhelpers.engine.labels import COURSE
from dmhelpers.errors import (
    BuildFailed,
    BuildTimeLimitReached,
    DmHelpersError,
    EngineError,
    InputError,
    NameTaken,
)
from dmhelpers.measure import built, cache_records, origins, outcome, recorded_run
from dmhelpers.measure.dockerfile import Dockerfile, project_folder, read_dockerfile
from dmhelpers.measure.events import Listener, Progress
from dmhelpers.measure.records import BuildRecord, Stage, Step
from dmhelpers.measure.request import BuildRequest, full_tag
from dmhelpers.measure.steps import provenance_lines, stage_states, steps_of
from dmhelpers.measure.translate import build_error
from dmhelpers.units import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

TIME_LIMIT_S = 900.0
_PROVENANCE_BUILDX = (0, 14)


@dataclass(frozen=True, slots=True)
class _Plan:
    request: BuildRequest
    dockerfile: Dockerfile
    target: Stage
    engine: EngineInfo
    replaced_id: str | None
    build_contexts: Mapping[str, str]


def run_build(
    project: str | os.PathLike[str],
    *,
    tag: str | None = None,
    target: str | int | None = None,
    file: str = "Dockerfile",
    build_args: Mapping[str, str] | None = None,
    no_cache: bool = False,
    rerun: Sequence[str] = (),
    time_limit_s: float = TIME_LIMIT_S,
    listener: Listener | None = None,
    say: Callable[[str], None] | None = None,
    noted: bool = True,
) -> BuildRecord:
    """Build a project's image on the engine and return the record of the build.

    Args:
        project: The project's folder, which is the build context.
        tag: The image's name, ``name:tag``; the folder's name where none is given.
        target: The stage to build, by name or number; the last one for None.
        file: The Dockerfile, relative to the project.
        build_args: Values for the Dockerfile's ARGs.
        no_cache: Run every step again.
        rerun: Stages to run again though the rest may come from the cache.
        time_limit_s: Seconds until the build is cancelled.
        listener: Called with each progress event as it comes.
        say: Called with a sentence when something other than the build takes its time.
        noted: Whether what the image was built from is kept beyond this process. If not, the tag is made up for
            this build, which nobody can hold: it is not looked up.

    Raises:
        ProjectNotFound: There is no such folder or Dockerfile.
        DockerfileError: The Dockerfile cannot be read; carries the line.
        StageNotFound: The target, or one to run again, is not one of its stages, or is one without a name.
        InputError: The tag or the time limit cannot be meant.
        NameTaken: The tag names an image that the course did not make.
        BaseImageError: A base image cannot be had.
        EngineUnavailable: There is no engine, or it went away during the build.
        BuildFailed: A step failed; carries stage, line, exit code and log.
    """
    if time_limit_s <= 0:
        raise InputError(f"A time limit of {time_limit_s:g} s lets nothing run.", hint="Give more than 0 seconds.")
    plan = _plan(project, tag, target, file, build_args or {}, no_cache, tuple(rerun), say, own_tag=not noted)
    progress = Progress(listener)
    begun = recorded.clock_s()
    with tempfile.TemporaryDirectory(prefix="dmhelpers-") as scratch:
        metadata_file = Path(scratch) / "metadata.json"
        args = plan.request.client_args(metadata_file=metadata_file, build_contexts=plan.build_contexts)
        try:
            exit_code, too_long = recorded_run.run(
                args,
                progress=progress,
                time_limit_s=time_limit_s,
                environment=_environment(plan.engine),
                metadata_file=metadata_file,
            )
            image_id = _made_image(plan) if exit_code == 0 else None
        except BaseException:
            _note_interrupted(plan, progress)
            raise
        metadata = json.loads(metadata_file.read_text()) if metadata_file.is_file() else {}
    lines = provenance_lines(metadata)
    steps = steps_of(plan.dockerfile, progress.vertexes, lines, plan.target)
    with suppress(EngineError):  # gone, or its disk is full: the build's own error says it better
        cache_records.note_new(plan.engine, progress.vertexes.values(), failed=exit_code != 0)
    outcome.require_complete(
        progress, steps, plan.engine, tag=plan.request.tag, image_id=image_id, replaced_id=plan.replaced_id
    )
    if image_id is None:
        raise _too_long(plan, progress, time_limit_s) if too_long else _failed(plan, progress, steps, exit_code)
    record = BuildRecord(
        image_id=image_id,
        tag=plan.request.tag,
        target=plan.target.label,
        command=plan.request.shown_command(),
        duration_s=recorded.clock_s() - begun,
        steps=steps,
        stages=stage_states(plan.dockerfile, steps, plan.target),
        log=progress.log(),
        warnings=tuple(progress.warnings),
        mapped_by="provenance" if lines else "names",
    )
    if noted:
        _remember(plan, record)
    return record


def _remember(plan: _Plan, record: BuildRecord) -> None:
    origins.remember(record.image_id, plan.dockerfile, plan.target)
    request = plan.request
    built.remember(
        built.Built(
            image_id=record.image_id,
            tag=record.tag,
            folder=request.folder,
            file=request.file,
            target=request.target,
            text=plan.dockerfile.text,
            stages={one.stage: one.state for one in record.stages},
            built_at=time.time(),
            duration_s=record.duration_s,
        )
    )


def _plan(
    project: str | os.PathLike[str],
    tag: str | None,
    target: str | int | None,
    file: str,
    build_args: Mapping[str, str],
    no_cache: bool,
    rerun: Sequence[str],
    say: Callable[[str], None] | None,
    *,
    own_tag: bool,
) -> _Plan:
    folder = project_folder(project)
    name = full_tag(tag, folder)
    dockerfile = read_dockerfile(folder, file=file, build_args=build_args)
    stage = dockerfile.find(target)
    again = [dockerfile.name_of(dockerfile.find(one)) for one in rerun]
    engine = engine_info()
    replaced_id = None if own_tag else _replaceable(name, engine)
    known = [one for one in dockerfile.base_images(stage) if one in bases.known()]
    ready = bases.ensure_many(known, progress=say) if known else ()
    request = BuildRequest(
        folder=folder,
        file=file,
        tag=name,
        target=_target_name(dockerfile, stage, target),
        build_args=build_args,
        no_cache=no_cache,
        rerun=again,
    )
    contexts = {one.name: one.build_context for one in ready if one.build_context}
    return _Plan(request, dockerfile, stage, engine, replaced_id, contexts)


def _target_name(dockerfile: Dockerfile, stage: Stage, target: str | int | None) -> str | None:
    if target is None or (stage.name is None and stage is dockerfile.stages[-1]):
        return None  # the last stage is what a build without a target makes
    return dockerfile.name_of(stage)


def _environment(engine: EngineInfo) -> dict[str, str]:
    environment = {"BUILDKIT_COLORS": "", "NO_COLOR": "1"}
    if engine.buildx >= _PROVENANCE_BUILDX:
        environment["BUILDX_METADATA_PROVENANCE"] = "max"
    return environment


def _replaceable(tag: str, engine: EngineInfo) -> str | None:
    """Return the ID of the course's own image under a tag that the course gave, None where the tag is free."""
    held = _inspected(tag)
    if held is None:
        return None
    engine_id = engine.engine_id
    if held["Id"] in ledger.recorded(engine_id, "image") and tag in ledger.recorded(engine_id, "tag"):
        return str(held["Id"])
    raise NameTaken(
        f"There is an image {tag!r} on this engine that the course did not make; building would take its name away.",
        hint=f"Choose another tag, or give yours another name first: docker tag {tag} NEW-NAME; docker rmi {tag}",
    )


def _made_image(plan: _Plan) -> str:
    """Enter the image that this build tagged in the ledger and return its ID."""
    found = _inspected(plan.request.tag)
    assert found is not None, plan.request.tag  # noqa: S101  the client ended with 0
    _enter(plan, found)
    return str(found["Id"])


def _enter(plan: _Plan, found: Mapping[str, Any]) -> None:
    ledger.record(plan.engine.engine_id, "image", [found["Id"]])
    ledger.record(plan.engine.engine_id, "tag", [plan.request.tag])


def _note_interrupted(plan: _Plan, progress: Progress) -> None:
    """Enter what an interrupted build made in the ledger, so that clean-up finds it: it may just have been tagged."""
    with suppress(EngineError):
        found = _inspected(plan.request.tag)
        if found is not None and COURSE in (found["Config"].get("Labels") or {}):
            _enter(plan, found)
        cache_records.note_new(plan.engine, progress.vertexes.values(), failed=True)
        steps = steps_of(plan.dockerfile, progress.vertexes, {}, plan.target)
        outcome.drop_broken_layers(progress, steps)


def _inspected(tag: str) -> dict[str, Any] | None:
    import docker.errors

    try:
        found: dict[str, Any] = get_json(f"/images/{quote(tag)}/json")
    except docker.errors.NotFound:
        return None
    return found


def _failed(plan: _Plan, progress: Progress, steps: tuple[Step, ...], exit_code: int) -> DmHelpersError:
    if exit_code >= 0 and "Canceled: context canceled" not in "".join(progress.text):
        return build_error(progress, plan.dockerfile, steps)
    by = f"was killed by signal {-exit_code}" if exit_code < 0 else "was told to stop"
    return BuildFailed(
        f"The build client (docker buildx) {by} in the middle of the build of {plan.request.tag!r}, "
        "so the engine cancelled it; nothing was tagged.",
        hint="Build again: finished steps come from the build cache. If nobody stopped it, look for a lack of "
        "memory with: dmhelpers doctor",
        log=progress.log(),
    )


def _too_long(plan: _Plan, progress: Progress, time_limit_s: float) -> BuildTimeLimitReached:
    running = next(
        (one for one in progress.vertexes.values() if one.started and (not one.done or "canceled" in one.error)), None
    )
    at = f" It was at {running.name!r}." if running else ""
    return BuildTimeLimitReached(
        f"The build of {plan.request.tag!r} ran longer than its limit of {seconds(time_limit_s)} "
        f"and was cancelled; nothing was tagged.{at}",
        hint="Give it more with time_limit_s=…, or find what the step waits for: .log holds its output.",
        log=progress.log(),
    )
