"""`up` uses the engine that is there, `down` stops only what the course started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dmhelpers.engine import client, embedded
from dmhelpers.engine.info import engine_info
from dmhelpers.errors import EngineError, EngineTooOld, EngineUnavailable


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a state folder of its own, in which no engine is the course's."""
    monkeypatch.setenv("DMHELPERS_HOME", str(tmp_path))


@pytest.mark.engine
def test_engine_that_is_there_is_used_as_it_is() -> None:
    """`up` starts and installs nothing where an engine answers, and says that it is not the course's."""
    before = engine_info().engine_id
    status = embedded.up()
    assert (status.reachable, status.ours, status.started, status.installed) == (True, False, False, ())
    assert engine_info().engine_id == before
    assert "not the course's" in str(status)


@pytest.mark.engine
def test_down_leaves_an_engine_that_the_course_did_not_start() -> None:
    """`down` stops nothing where the course started nothing, and the engine still answers."""
    stopped = embedded.down()
    assert not stopped
    assert "nothing was stopped" in str(stopped)
    client.forget_clients()
    assert client.api().ping()


@pytest.mark.engine
def test_store_of_a_foreign_engine_is_not_changed() -> None:
    """Asking for the other image store on somebody else's engine is an error with a cure, not a restart."""
    other = "overlay2" if engine_info().store == "containerd" else "containerd"
    with pytest.raises(EngineError, match=r"did not start it[\s\S]*containerd-snapshotter"):
        embedded.up(image_store=other)


def test_engine_elsewhere_is_not_replaced_by_one_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where DOCKER_HOST names an engine that is away, none is started here: the hint says how to use a local one."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineUnavailable, match="unset DOCKER_HOST"):
        embedded.up()
    status = embedded.status()
    assert not status.reachable
    assert "unset DOCKER_HOST" in str(status)


def test_engine_that_is_too_old_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine below the minimum is reachable but not to be used: its status is what is wrong and what to do."""

    def too_old() -> None:
        raise EngineTooOld("This is Docker Engine 20.10.", hint="Update Docker.")

    monkeypatch.setattr("dmhelpers.engine.info.engine_info", too_old)
    status = embedded.status()
    assert (status.reachable, str(status)) == (True, "This is Docker Engine 20.10.\nUpdate Docker.")


AS_NOBODY = """
import os, sys
import docker.types, docker.context, docker.utils, requests.exceptions, platformdirs.unix
import dmhelpers.engine.bases, dmhelpers.engine.containers
import dmhelpers.engine.doctor_checks, dmhelpers.engine.embedded
from dmhelpers.cli import main
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.engine
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("command", [["engine", "up"], ["doctor"]])
def test_socket_that_may_not_be_opened_is_told_with_the_next_step(command: list[str], tmp_path: Path) -> None:
    """A person who may not open the engine's socket is told so, and how to be let in; nothing is started."""
    environment = {**os.environ, "HOME": "/nonexistent", "DMHELPERS_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, *command],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "permission denied" in done.stdout + done.stderr
    assert "sudo usermod -aG docker" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
