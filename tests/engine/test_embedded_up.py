"""`dmhelpers engine up|status|down` where no engine is: each test has namespaces in which none answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmhelpers.engine.embedded import Namespaces

pytestmark = pytest.mark.private_engine


class Machine:
    """A machine without an engine: its /run and /var/lib are empty folders of the test's own."""

    def __init__(self, namespaces: Namespaces, folder: Path) -> None:
        self.namespaces = namespaces
        self.home = folder / "home"

    def dmhelpers(self, *arguments: str, code: int = 0) -> str:
        """Run the command inside and return both of its streams."""
        environment = {"DMHELPERS_HOME": str(self.home), "DOCKER_HOST": ""}
        done = self.namespaces.run(
            [sys.executable, "-m", "dmhelpers", *arguments], timeout_s=300, check=False, environment=environment
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def state(self) -> dict[str, object]:
        """What the course wrote down of the engine that it started."""
        return json.loads((self.home / "state" / "engine.json").read_text())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Give a machine without an engine; whatever runs on it ends with the test."""
    libraries = tmp_path / "lib"
    libraries.mkdir()
    with Namespaces() as namespaces:
        namespaces.run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
        namespaces.run(["mount", "--bind", str(libraries), "/var/lib"])
        yield Machine(namespaces, tmp_path)


def test_up_starts_once_and_down_stops(machine: Machine) -> None:
    """`up` starts an engine where none is, a second `up` finds it, `down` stops it, and a second `down` says so."""
    assert "No Docker Engine answers" in machine.dmhelpers("engine", "status")
    assert "Starting Docker Engine" in machine.dmhelpers("engine", "up")
    again = machine.dmhelpers("engine", "up")
    assert "Starting" not in again
    assert "started by the course" in again
    assert "Stopped the engine" in machine.dmhelpers("engine", "down")
    assert "No Docker Engine answers" in machine.dmhelpers("engine", "status")
    assert "nothing was stopped" in machine.dmhelpers("engine", "down")


def test_killed_engine_is_started_again(machine: Machine) -> None:
    """An engine that was killed leaves pid files and a socket; none of them keeps `up` from starting a new one."""
    machine.dmhelpers("engine", "up")
    killed = str(machine.state["pid"])
    machine.namespaces.run(
        ["sh", "-c", f"kill -KILL {killed}; while readlink /proc/{killed}/exe; do sleep 0.05; done"]
    )
    assert "No Docker Engine answers" in machine.dmhelpers("engine", "status")
    assert "Starting Docker Engine" in machine.dmhelpers("engine", "up")
    assert str(machine.state["pid"]) != killed


def test_our_engine_changes_its_image_store_and_goes_back(machine: Machine) -> None:
    """An engine of the course restarts in the store that is asked for, with a data root of its own for each."""
    machine.dmhelpers("engine", "up")
    assert "(containerd image store" in machine.dmhelpers("engine", "up", "--image-store", "containerd")
    assert machine.state["data_root"] == "/var/lib/docker-dmhelpers-containerd"
    assert "Starting" not in machine.dmhelpers("engine", "up")
    assert "(overlay2 image store" in machine.dmhelpers("engine", "up", "--image-store", "overlay2")


def test_machine_without_control_groups_is_told_so(machine: Machine) -> None:
    """Where /sys/fs/cgroup is empty nothing is started, and the error says what to mount."""
    machine.namespaces.run(["mount", "-t", "tmpfs", "tmpfs", "/sys/fs/cgroup"])
    said = machine.dmhelpers("engine", "up", code=1)
    assert "holds no control groups" in said
    assert "--privileged" in said
    assert not (machine.home / "state" / "engine.json").exists()


def test_engine_that_cannot_start_is_told_with_its_reason(machine: Machine) -> None:
    """If dockerd ends, the error holds the decisive line of its log, and nothing is left running."""
    machine.namespaces.run(["mount", "-t", "proc", "-o", "ro", "proc", "/var/lib"])
    said = machine.dmhelpers("engine", "up", code=1)
    assert "The engine did not start" in said
    assert "dockerd.log" in said
    running = machine.namespaces.run(["sh", "-c", "cat /proc/[0-9]*/comm"], check=False).stdout
    assert "sh" in running
    assert "dockerd" not in running
