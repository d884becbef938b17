"""What is settled before a build begins: the Dockerfile, the target, the engine, the name, the base images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dmhelpers.engine import bases, ledger
from dmhelpers.engine.client import get_json
from dmhelpers.engine.info import EngineInfo, engine_info
from dmhelpers.engine.labels import COURSE
from dmhelpers.errors import NameTaken, NotRecorded
from dmhelpers.measure.dockerfile import Dockerfile, project_folder, read_dockerfile
from dmhelpers.measure.records import Stage
from dmhelpers.measure.request import BuildRequest, full_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """All that a build needs; `replaced_id` is the course's own image that has the tag now, None where it is free."""

    request: BuildRequest
    dockerfile: Dockerfile
    target: Stage
    engine: EngineInfo
    replaced_id: str | None
    build_contexts: Mapping[str, str]


def plan_build(
    project: str | os.PathLike[str],
    tag: str | None,
    target: str | int | None,
    file: str,
    build_args: Mapping[str, str],
    no_cache: bool,
    rerun: Sequence[str],
    say: Callable[[str], None] | None,
    *,
    own_tag: bool = False,
) -> BuildPlan:
    """Settle all that a build needs and prepare its base images, with the errors that `run_build` names.

    With `own_tag`, nobody else can hold the tag, and the engine is not asked.
    """
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
    return BuildPlan(request, dockerfile, stage, engine, replaced_id, contexts)


def _target_name(dockerfile: Dockerfile, stage: Stage, target: str | int | None) -> str | None:
    if target is None or (stage.name is None and stage is dockerfile.stages[-1]):
        return None  # the last stage is what a build without a target makes
    return dockerfile.name_of(stage)


def _replaceable(tag: str, engine: EngineInfo) -> str | None:
    """Return the ID of the course's own image under a tag that the course gave, None where the tag is free."""
    try:
        held = inspected(tag)
    except NotRecorded:
        return None  # what is missing is then the build: that says more
    if held is None:
        return None
    engine_id = engine.engine_id
    if held["Id"] in ledger.recorded(engine_id, "image") and tag in ledger.recorded(engine_id, "tag"):
        return str(held["Id"])
    raise NameTaken(
        f"There is an image {tag!r} on this engine that the course did not make; building would take its name away.",
        hint=f"Choose another tag, or give yours another name first: docker tag {tag} NEW-NAME; docker rmi {tag}",
    )


def courses_own(tag: str) -> dict[str, Any] | None:
    """Return what the engine says of the image with this tag; None where there is none, or it lacks our label."""
    found = inspected(tag)
    return found if found is not None and COURSE in (found["Config"].get("Labels") or {}) else None


def inspected(tag: str) -> dict[str, Any] | None:
    """Return what the engine says of the image with this tag, None where there is none."""
    import docker.errors

    try:
        found: dict[str, Any] = get_json(f"/images/{quote(tag)}/json")
    except docker.errors.NotFound:
        return None
    return found
