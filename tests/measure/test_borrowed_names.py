"""Steps that BuildKit reports under the name of another build's stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmhelpers.measure.dockerfile import parse_dockerfile
from dmhelpers.measure.events import Vertex
from dmhelpers.measure.steps import stage_states, steps_of

_TEXT = """\
FROM node:20-alpine AS builder
WORKDIR /app
RUN echo a > b

FROM node:20-alpine AS runtime
WORKDIR /app
RUN ls
"""


@pytest.mark.parametrize("stage", ["", "builder ", "other "])
def test_a_step_named_by_another_build_is_of_the_stage_that_is_needed(stage: str) -> None:
    """A step that another build had first is of the stage that has it here, and no other stage was built."""
    names = (
        f"[{stage}1/5] FROM docker.io/library/node:20-alpine",
        f"[{stage}2/5] WORKDIR /app",
        "[runtime 3/3] RUN ls",
    )
    dockerfile = parse_dockerfile(_TEXT, path=Path("Dockerfile"))
    target = dockerfile.stages[1]
    vertexes = {name: Vertex(digest=name, name=name) for name in names}
    steps = steps_of(dockerfile, vertexes, {}, target)
    assert [(one.stage, one.line, one.shared_with) for one in steps] == [
        ("runtime", line, None) for line in (5, 6, 7)
    ]
    assert [one.state for one in stage_states(dockerfile, steps, target)] == ["not built", "cached"]


def test_a_step_shared_by_two_stages_shows_each_stages_own_words() -> None:
    """The FROM of a stage reads as it stands in that stage, though BuildKit reported it for the other one."""
    dockerfile = parse_dockerfile(_TEXT + "COPY --from=builder /app/b .\n", path=Path("Dockerfile"))
    name = "[builder 1/3] FROM docker.io/library/node:20-alpine"
    steps = steps_of(dockerfile, {name: Vertex(digest=name, name=name)}, {}, dockerfile.stages[1])
    assert [one.instruction for one in steps] == ["FROM node:20-alpine AS builder", "FROM node:20-alpine AS runtime"]
    assert steps[1].shared_with == "builder"
