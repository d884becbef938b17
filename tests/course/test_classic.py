"""The classic builder: what it builds, and that it leaves nothing behind."""

from __future__ import annotations

import pytest

from dmhelpers.course.classic import classic_build
from dmhelpers.engine.client import api
from dmhelpers.errors import StageNotFound

STAGES = """\
FROM node:20-alpine AS builder
RUN echo {mark} > /made
FROM builder AS test
RUN {command}
FROM node:20-alpine AS runtime
COPY --from=builder /made /made
"""


@pytest.fixture
def project(tmp_path):
    """Give a function that writes the three stages with a command for the tests."""

    def written(command):
        (tmp_path / "Dockerfile").write_text(STAGES.format(mark=tmp_path.name, command=command))
        return tmp_path

    return written


@pytest.mark.engine
@pytest.mark.one_store
def test_a_failing_stage_stops_it_although_nothing_needs_that_stage(project):
    """It builds the stages in the order of the file, so the runtime is not reached behind failing tests."""
    done = classic_build(project("exit 3"))
    assert done.exit_code == 3
    assert done.stages == (("builder", "ran"), ("test", "failed"), ("runtime", "not reached"))
    assert "exit 3" in done.error
    assert "test     failed" in str(done)
    assert "<td>not reached</td>" in done._repr_html_()


@pytest.mark.engine
@pytest.mark.one_store
def test_it_builds_a_stage_that_nothing_needs(project):
    """With tests that pass, all three stages are built."""
    done = classic_build(project("true"))
    assert (done.exit_code, done.error) == (0, "")
    assert [state for _, state in done.stages] == ["ran", "ran", "ran"]


@pytest.mark.engine
@pytest.mark.one_store
def test_a_target_is_where_it_stops(project):
    """Stages below the target are not reached, and the command shows the target."""
    done = classic_build(project("exit 3"), target="builder")
    assert [state for _, state in done.stages] == ["ran", "not reached", "not reached"]
    assert done.command == "DOCKER_BUILDKIT=0 docker build --target builder ."


@pytest.mark.engine
@pytest.mark.one_store
def test_its_layers_are_removed_again(project):
    """What a build made, ended well or not, is gone after it."""
    marks = f"echo {project('true').name}"
    for command in ("true", "exit 1"):
        classic_build(project(command))
    left = [
        one["Id"]
        for one in api().images(all=True)
        if any(marks in (row["CreatedBy"] or "") for row in api().history(one["Id"]))
    ]
    assert left == []


@pytest.mark.engine
@pytest.mark.one_store
def test_an_unknown_target_is_answered_with_a_near_one(project):
    """The names of stages are checked before anything is sent."""
    with pytest.raises(StageNotFound, match="Did you mean 'builder'"):
        classic_build(project("true"), target="biulder")
