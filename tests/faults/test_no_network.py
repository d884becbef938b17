"""Builds without a network: npm gives up and ends with 0; the course finds out, undoes it and says so."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dmhelpers as dm
from dmhelpers.course.sample_info import original
from dmhelpers.engine import bases
from dmhelpers.engine.client import docker_cli, forget_clients
from dmhelpers.engine.embedded import PrivateEngine
from dmhelpers.engine.info import forget_info
from dmhelpers.errors import BuildFailed, BuildIncomplete, BuildTimeLimitReached

pytestmark = [pytest.mark.private_engine, pytest.mark.usefixtures("broken_engine")]

BASE = "node:20-alpine"
TAG = "faults-offline:1"
NO_NETWORK = "doctor.*broken layer was taken out of the build cache"


@pytest.fixture(scope="module")
def own_engine() -> Iterator[PrivateEngine]:
    """Start an engine without a network beyond its own bridge that has the base image, assembled from the cache.

    No name is resolved there either. Asking in vain takes one second a name instead of five: the wait,
    not its outcome, is shorter than on a machine whose network has just gone.
    """
    with pytest.MonkeyPatch.context() as environment, PrivateEngine() as engine:
        resolver = engine.folder / "resolv.conf"
        resolver.write_text("nameserver 192.0.2.1\noptions timeout:1 attempts:1\n")
        engine.run_inside(["mount", "--bind", str(resolver), "/etc/resolv.conf"])
        environment.setenv("DOCKER_HOST", engine.host)
        environment.setenv("DMHELPERS_BASES", "assembled")
        forget_clients()
        forget_info()
        bases.ensure(BASE)
        yield engine


@pytest.fixture
def offline_api(tmp_path: Path) -> Path:
    """The course's my-api, unchanged but for settings that let npm try each address once."""
    folder = tmp_path / "my-api"
    shutil.copytree(original("my-api"), folder)
    (folder / ".npmrc").write_text("fetch-retries=0\naudit=false\n")
    for file in folder.glob("Dockerfile*"):
        file.write_text(file.read_text().replace("package-lock.json ./", "package-lock.json .npmrc ./"))
    ignored = folder / ".dockerignore"
    ignored.write_text(ignored.read_text() + "\n!.npmrc\n")
    return folder


def test_exercise_without_a_network(offline_api, explained, limit_begins) -> None:
    """The exercise's own Dockerfile: the error blames the `npm ci` that had no network, not the missing `tsc`.

    The empty layers do not stay in the build cache: the next build runs that `npm ci` again.
    """
    line = _line_of(offline_api / "Dockerfile", "RUN npm ci")
    with explained(BuildIncomplete, "'RUN npm ci'", f"line {line}", "no network", cure=NO_NETWORK) as caught:
        dm.build(offline_api, tag=TAG)
    assert (caught.value.stage, caught.value.line, caught.value.exit_code) == ("builder", line, 0)
    assert "tsc: not found" in caught.value.log
    assert docker_cli(["images", "--quiet", TAG], timeout_s=120).stdout == ""
    limit_begins("RUN npm ci")
    with explained(BuildTimeLimitReached, "RUN npm ci", cure="time_limit_s="):
        dm.build(offline_api, tag=TAG, target="builder", time_limit_s=1)


def image_ids() -> list[str]:
    """Return the IDs of all images; which of two of the same second is listed first is the engine's chance."""
    return sorted(docker_cli(["images", "--all", "--quiet", "--no-trunc"], timeout_s=120).stdout.split())


def test_image_that_looks_complete(offline_api, explained, limit_begins) -> None:
    """A build in which nothing fails is not taken for good: its image goes, its tag goes back, its layers too."""
    (offline_api / "Dockerfile").write_text(f"FROM {BASE} AS runtime\nWORKDIR /app\n")
    good = dm.build(offline_api, tag=TAG)
    (offline_api / "Dockerfile").write_text(
        f"FROM {BASE} AS runtime\nWORKDIR /app\nCOPY package.json package-lock.json .npmrc ./\n"
        "RUN npm ci --omit=dev\nCOPY src ./src\n"
    )
    images = image_ids()
    with explained(BuildIncomplete, "'RUN npm ci --omit=dev'", "line 4", "stage runtime", cure=NO_NETWORK):
        dm.build(offline_api, tag=TAG)
    assert image_ids() == images
    assert docker_cli(["images", "--quiet", "--no-trunc", TAG], timeout_s=120).stdout.strip() == good.image_id
    limit_begins("RUN npm ci --omit=dev")
    with explained(BuildTimeLimitReached, "RUN npm ci --omit=dev", cure="time_limit_s="):
        dm.build(offline_api, tag=TAG, time_limit_s=1)


def test_install_that_says_so(project, explained) -> None:
    """An install that fails and says so is told as a network that could not be reached, without its address."""
    files = {"Dockerfile": f"FROM {BASE}\nWORKDIR /app\nRUN npm install --fetch-retries=0 --no-audit left-pad\n"}
    with explained(BuildFailed, "line 3", "exit code 1", cure="could not reach the network.*dmhelpers doctor") as it:
        dm.build(project(files), tag=TAG)
    assert set(re.findall(r"https?://[^\s/]+", it.value.message)) <= {"https://…"}


def test_empty_layer_of_somebody_elses_build(project, explained) -> None:
    """Where an empty install came from the cache of a plain `docker build`, the cure is a build without it."""
    files = {
        "Dockerfile": f"""
            FROM {BASE} AS builder
            WORKDIR /app
            COPY package.json ./
            RUN npm ci || true
            RUN npm run build
        """,
        "package.json": '{"name": "no-tsc", "version": "1.0.0", "scripts": {"build": "tsc"}}',
    }
    folder = project(files)
    docker_cli(["buildx", "build", "--file", str(folder / "Dockerfile"), str(folder)], timeout_s=120, check=False)
    with explained(BuildFailed, "tsc: not found", "line 5", cure="Line 4 came from the build cache.*no_cache=True"):
        dm.build(folder, tag=TAG)
    docker_cli(["builder", "prune", "--all", "--force"], timeout_s=120)


def test_ctrl_c_in_the_command(tmp_path, watch, broken_engine) -> None:
    """Ctrl-C in `dmhelpers measure` says that what ran was cancelled, ends with 130, and leaves nothing."""

    def npms() -> list[int]:
        return watch.running("npm ci", on=broken_engine)

    process = subprocess.Popen(
        [sys.executable, "-m", "dmhelpers", "measure", "my-api", "--output", str(tmp_path / "measured")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watch.until(lambda: npms() or process.poll() is not None, "npm to start")
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=300)[1].strip().splitlines()
    assert process.returncode == 130, said
    assert said[-1] == "dmhelpers: stopped; what was running was cancelled."
    watch.until(lambda: not npms(), "npm to end")


def _line_of(file: Path, text: str) -> int:
    return 1 + next(number for number, line in enumerate(file.read_text().splitlines()) if line.startswith(text))
