"""The test stage, proved by breaking things: what fails a build, and what BuildKit never runs."""

from __future__ import annotations

import shutil
import uuid

import pytest

import dmhelpers as dm
from dmhelpers.course.sample_info import original
from dmhelpers.engine.client import docker_cli
from dmhelpers.errors import BuildFailed

pytestmark = [pytest.mark.engine, pytest.mark.one_store, pytest.mark.usefixtures("unchanged_engine")]

TEST = "test/api.test.js"
API = "src/routes/api.ts"
SERVER = "src/server.ts"
MUTATIONS = {
    "a test that expects another order": (TEST, '["builder", "test", "runtime"]', '["runtime", "test", "builder"]'),
    "a reduction turned upside down": (API, "1 - after / before", "after / before"),
}


def mutated(folder, path, old, new, *, comment=""):
    """Return a copy of my-api with one change, and a comment at the end of its server."""
    copy = folder / "my-api"
    shutil.copytree(original("my-api"), copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    text = (copy / path).read_text()
    assert text.count(old) >= 1
    (copy / path).write_text(text.replace(old, new))
    with (copy / SERVER).open("a") as stream:
        stream.write(f"// {comment}\n")
    return copy


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_tests_catch_every_mistake_when_they_are_the_target(mutation, tmp_path):
    """`--target test` fails at the line that runs the tests, and the log shows which and why."""
    project = mutated(tmp_path, *MUTATIONS[mutation])
    with pytest.raises(BuildFailed) as caught:
        dm.build(project, tag="my-api-broken:test", file="Dockerfile.test", target="test", progress="quiet")
    lines = (project / "Dockerfile.test").read_text().splitlines()
    assert caught.value.stage == "test"
    assert caught.value.line == lines.index("RUN npm test") + 1
    assert caught.value.exit_code == 1
    assert "✖" in caught.value.log
    assert "failing tests:" in caught.value.log


def test_a_failing_test_does_not_stop_a_build_that_does_not_ask_for_it(tmp_path):
    """Nothing in the final image depends on the test stage: BuildKit does not build it, and the build ends well."""
    # The final image equals the real one but for this comment: no clean-up of these tests takes a person's away.
    project = mutated(tmp_path, *MUTATIONS["a test that expects another order"], comment=uuid.uuid4())
    built = dm.build(project, tag="my-api-broken:latest", file="Dockerfile.test", progress="quiet")
    states = dict(zip(built.stages["stage"], built.stages["state"], strict=True))
    assert states["test"] == "not built"
    assert "not built" not in (states["builder"], states["runtime"])
    assert "npm test" not in built.log


def test_the_bare_command_agrees(tmp_path):
    """Without the course's helpers too: 0 for the whole file, another code for --target test."""
    project = mutated(tmp_path, *MUTATIONS["a test that expects another order"])
    common = ["buildx", "build", "--provenance=false", "-f", str(project / "Dockerfile.test")]
    # Built and thrown away: without a tag and with no output there is no image to remove.
    whole = docker_cli([*common, "--output=type=cacheonly", str(project)], timeout_s=300, check=False)
    tests = docker_cli(
        [*common, "--output=type=cacheonly", "--target", "test", str(project)], timeout_s=300, check=False
    )
    assert whole.exit_code == 0, whole.stderr
    assert "npm test" not in whole.stderr
    assert tests.exit_code == 1
    assert "RUN npm test" in tests.stderr
