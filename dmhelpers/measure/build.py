"""Building an image with BuildKit, and what each of its steps and stages did."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmhelpers.engine import ledger, recorded
from dmhelpers.engine.info import EngineInfo
from dmhelpers.errors import (
    BuildFailed,
    BuildTimeLimitReached,
    DmHelpersError,
    EngineError,
    InputError,
)
from dmhelpers.measure import built, cache_records, origins, outcome, recorded_run
from dmhelpers.measure.build_plan import BuildPlan, courses_own, inspected, plan_build
from dmhelpers.measure.events import Listener, Progress
from dmhelpers.measure.records import BuildRecord, Step
from dmhelpers.measure.steps import as_they_ran, provenance_lines, stage_states, steps_of
from dmhelpers.measure.translate import build_error
from dmhelpers.units import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

TIME_LIMIT_S = 900.0
_PROVENANCE_BUILDX = (0, 14)


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
    plan = plan_build(project, tag, target, file, build_args or {}, no_cache, tuple(rerun), say, own_tag=not noted)
    begun = recorded.clock_s()
    try:
        record = _build(plan, listener, time_limit_s, begun)
    except outcome.HalfStored as lost:
        if say is not None:
            say("The engine lost a layer while it stored the image: building once more, from the build cache.")
        record = _once_more(plan, lost, _build(plan, listener, time_limit_s, begun))
    if noted:
        _remember(plan, record)
    return record


def _build(plan: BuildPlan, listener: Listener | None, time_limit_s: float, begun: float) -> BuildRecord:
    progress = Progress(listener)
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
        if not too_long:
            _require_stored(plan, progress, steps)
        raise _too_long(plan, progress, time_limit_s) if too_long else _failed(plan, progress, steps, exit_code)
    return BuildRecord(
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


def _require_stored(plan: BuildPlan, progress: Progress, steps: tuple[Step, ...]) -> None:
    try:
        outcome.require_stored(progress, plan.engine, tag=plan.request.tag, replaced_id=plan.replaced_id)
    except outcome.HalfStored as lost:
        lost.steps = steps
        raise


def _once_more(plan: BuildPlan, lost: outcome.HalfStored, again: BuildRecord) -> BuildRecord:
    """Return a second build's record with what the first one, of which only the image was lost, ran and printed."""
    steps = as_they_ran(lost.steps, again.steps)
    return replace(
        again, steps=steps, stages=stage_states(plan.dockerfile, steps, plan.target), log=lost.log + again.log
    )


def _remember(plan: BuildPlan, record: BuildRecord) -> None:
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


def _environment(engine: EngineInfo) -> dict[str, str]:
    environment = {"BUILDKIT_COLORS": "", "NO_COLOR": "1"}
    if engine.buildx >= _PROVENANCE_BUILDX:
        environment["BUILDX_METADATA_PROVENANCE"] = "max"
    return environment


def _made_image(plan: BuildPlan) -> str:
    """Enter the image that this build tagged in the ledger and return its ID."""
    found = inspected(plan.request.tag)
    assert found is not None, plan.request.tag  # noqa: S101  the client ended with 0
    _enter(plan, found)
    return str(found["Id"])


def _enter(plan: BuildPlan, found: Mapping[str, Any]) -> None:
    ledger.record(plan.engine.engine_id, "image", [found["Id"]])
    ledger.record(plan.engine.engine_id, "tag", [plan.request.tag])


def _note_interrupted(plan: BuildPlan, progress: Progress) -> None:
    """Enter what an interrupted build made in the ledger, so that clean-up finds it: it may just have been tagged."""
    with suppress(EngineError):
        if (found := courses_own(plan.request.tag)) is not None:
            _enter(plan, found)
        cache_records.note_new(plan.engine, progress.vertexes.values(), failed=True)
        steps = steps_of(plan.dockerfile, progress.vertexes, {}, plan.target)
        outcome.drop_broken_layers(progress, steps)


def _failed(plan: BuildPlan, progress: Progress, steps: tuple[Step, ...], exit_code: int) -> DmHelpersError:
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


def _too_long(plan: BuildPlan, progress: Progress, time_limit_s: float) -> BuildTimeLimitReached:
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
