"""The classic builder, which BuildKit has replaced: which stages it builds, measured on the same engine."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dmhelpers.engine import bases, recorded
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import EngineError
from dmhelpers.measure.dockerfile import Dockerfile, read_dockerfile
from dmhelpers.show import stamp
from dmhelpers.units import seconds

TIME_LIMIT_S = 600.0
"""Seconds that one step may stay silent."""

_STEP = re.compile(r"Step \d+/\d+ : (?P<instruction>.*)", re.DOTALL)
_IMAGE = re.compile(r" ---> (?P<image_id>[0-9a-f]{12,64})\s*")


@dataclass(frozen=True, slots=True)
class ClassicBuild:
    """What the classic builder did: its exit code, each stage's state, and the error's words.

    `stages` holds name and state in the order of the file: ``ran``, ``failed`` or ``not reached``.
    """

    command: str
    exit_code: int
    stages: tuple[tuple[str, str], ...]
    error: str
    duration_s: float

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.stages)
        lines = [f"exit code {self.exit_code} after {seconds(self.duration_s)} with: {self.command}"]
        return stamp.lines(*lines, *(f"  {name:<{width}}  {state}" for name, state in self.stages))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{state}</td></tr>" for name, state in self.stages)
        return (
            f"<p><strong>Exit code {self.exit_code}</strong> after {seconds(self.duration_s)} with "
            f"<code>{html.escape(self.command)}</code></p>"
            f"<table><thead><tr><th>stage</th><th>state</th></tr></thead><tbody>{rows}</tbody></table>"
            f"{stamp.paragraph()}"
        )


def classic_build(
    project: str | os.PathLike[str], *, file: str = "Dockerfile", target: str | int | None = None
) -> ClassicBuild:
    """Build with the builder that Docker had before BuildKit, and say what became of each stage.

    It is here to be compared with: `build` is the builder of today. The image and its layers are removed again.

    Args:
        project: The project's folder, which is the build context.
        file: The Dockerfile, relative to the project.
        target: The stage to stop at; the last one for None.

    Returns:
        What it did. A build that fails does not raise: its exit code and its stages are the answer.

    Raises:
        ProjectNotFound: There is no such folder or Dockerfile.
        DockerfileError: The Dockerfile cannot be read; carries the line.
        StageNotFound: The target is not one of its stages.
        EngineRefused: The engine has no classic builder any more.
        EngineUnavailable: No engine answers.
    """
    dockerfile = read_dockerfile(project, file=file)
    stage = dockerfile.find(target)
    wanted = dockerfile.stages[: stage.index + 1]
    named = {image for one in wanted for image in dockerfile.base_images(one)}
    bases.ensure_many([one for one in bases.known() if one in named])
    before = _image_ids()
    made: list[str] = []
    begun, reached, error, exit_code = recorded.clock_s(), -1, "", 0
    try:
        for event in _events(dockerfile, stage.name if target is not None else None):
            text = str(event.get("stream", ""))
            step, image = _STEP.match(text), _IMAGE.match(text)
            reached += step is not None and step["instruction"].upper().startswith("FROM ")
            made += [image["image_id"]] if image else []
            if "errorDetail" in event:
                error = str(event["errorDetail"].get("message", ""))
                exit_code = int(event["errorDetail"].get("code") or 1)
    finally:
        _remove(made, before)
    states = tuple((one.label, _state(one.index, reached, failed=bool(error))) for one in dockerfile.stages)
    return ClassicBuild(_shown(file, target), exit_code, states, error, recorded.clock_s() - begun)


def _events(dockerfile: Dockerfile, target: str | None) -> Iterator[dict[str, Any]]:
    with engine_answers():
        yield from api().build(
            path=str(dockerfile.path.parent),
            dockerfile=dockerfile.path.name,
            target=target or "",
            rm=True,
            forcerm=True,
            decode=True,
            labels=COURSE_LABELS,
            timeout=int(TIME_LIMIT_S),
        )


def _state(index: int, reached: int, *, failed: bool) -> str:
    if index > reached:
        return "not reached"
    return "failed" if failed and index == reached else "ran"


def _shown(file: str, target: str | int | None) -> str:
    options = ["" if target is None else f"--target {target} ", "" if file == "Dockerfile" else f"-f {file} "]
    return f"DOCKER_BUILDKIT=0 docker build {''.join(options)}."


def _image_ids() -> frozenset[str]:
    with engine_answers():
        return frozenset(one["Id"].removeprefix("sha256:")[:12] for one in api().images(all=True))


def _remove(made: Iterable[str], before: frozenset[str]) -> None:
    """Remove the layers of a build, the last first: each is an image, which takes the ones below along."""
    import docker.errors

    for one in reversed(list(made)):
        if one[:12] not in before:
            with suppress(docker.errors.NotFound, EngineError), engine_answers():
                api().remove_image(one)
