"""An engine that is killed in the middle of the work and started again: told as that, and nothing stays behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import dmhelpers as dm
from dmhelpers.engine.client import docker_cli
from dmhelpers.engine.embedded import PrivateEngine
from dmhelpers.errors import EngineUnavailable

pytestmark = pytest.mark.private_engine

TAG = "faults-killed:1"
CURE = "engine up|Docker Desktop|Start that engine|Start it"


@pytest.fixture
def seconds() -> str:
    """A number of seconds that no other process on this machine sleeps."""
    return str(random.randint(10**8, 10**9))  # noqa: S311  not a secret


@pytest.fixture
def doomed(broken_engine: PrivateEngine, watch, seconds) -> Iterator[PrivateEngine]:
    """An engine that is killed as soon as something in it sleeps that many seconds."""

    def kill() -> None:
        watch.until_started("sleep", seconds)
        broken_engine.kill()

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    yield broken_engine
    killer.join()


@pytest.fixture
def project_in_two_steps(project, seconds) -> Path:
    """A project whose first step ends at once and whose second never does."""
    return project({"Dockerfile": f"FROM shell:1 AS builder\nRUN echo first > /first\nRUN sleep {seconds}\n"})


def test_engine_killed_in_mid_build(doomed, project_in_two_steps, project, explained) -> None:
    """The error blames the engine; once it runs again, the finished steps are still in the build cache."""
    with explained(
        EngineUnavailable, "in the middle of the build", "nothing was tagged", cure=CURE + ".*build again"
    ):
        dm.build(project_in_two_steps, tag=TAG)
    with explained(EngineUnavailable, doomed.host, cure=CURE):
        dm.images()
    doomed.start()
    assert docker_cli(["images", "--quiet", TAG], timeout_s=120).stdout == ""
    mended = project({"Dockerfile": "FROM shell:1 AS builder\nRUN echo first > /first\nRUN echo second > /second\n"})
    built = dm.build(mended, tag=TAG)
    assert list(built.steps["state"])[-2:] == ["cached", "ran"]
    assert dm.run(TAG, ["cat", "/first", "/second"]).stdout == "first\nsecond\n"


def test_engine_killed_under_a_container(doomed, seconds, explained) -> None:
    """A container whose engine dies is not told as one that ran too long, and is gone after the clean-up."""
    with explained(EngineUnavailable, doomed.host, cure=CURE):
        dm.run("shell:1", ["sleep", seconds], time_limit_s=300)
    doomed.start()


def test_engine_stopped_between_two_calls(broken_engine, project) -> None:
    """An engine that was stopped and started again is found again without a new Python."""
    folder = project({"Dockerfile": "FROM shell:1\nRUN echo once > /once\n"})
    first = dm.build(folder, tag=TAG)
    broken_engine.stop()
    with pytest.raises(EngineUnavailable):
        dm.build(folder, tag=TAG)
    broken_engine.start()
    assert dm.build(folder, tag=TAG).image_id == first.image_id
