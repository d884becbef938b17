"""Without an engine, or without the right to use it, every call says so, and says the next step."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dmhelpers as dm
from dmhelpers.cli import main
from dmhelpers.engine import client
from dmhelpers.errors import EngineUnavailable

CALLS: dict[str, Callable[[Path], object]] = {
    "build": lambda folder: dm.build(folder),
    "images": lambda _: dm.images(),
    "history": lambda _: dm.history("my-api"),
    "compare": lambda _: dm.compare("my-api", "my-api:builder"),
    "run": lambda _: dm.run("my-api", "true"),
    "cleanup": lambda _: dm.cleanup(),
}
AS_NOBODY = """
import contextlib, os, sys
import dmhelpers as dm

# Root may open every socket, so it becomes somebody else, once a first call has imported all there is.
os.environ["DOCKER_HOST"] = "unix:///nobody.sock"
with contextlib.suppress(dm.DmHelpersError):
    dm.images()
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
os.environ["DOCKER_HOST"] = sys.argv[1]
try:
    dm.images()
except dm.DmHelpersError as error:
    print(type(error).__name__)
    print(error)
"""
START = "engine up|Docker Desktop|Start that engine"


@pytest.fixture
def no_engine_at_the_standard_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A machine with the command, no context of its own, and nothing behind the standard socket."""
    address = f"unix://{tmp_path / 'docker.sock'}"
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-config"))
    monkeypatch.setattr(client, "STANDARD_SOCKET", address)
    client.forget_clients()
    yield address
    client.forget_clients()


@pytest.mark.parametrize("call", CALLS)
def test_no_engine_at_the_address(dead_engine, project, explained, call) -> None:
    """Every call that needs an engine names the address, who gave it, and how to get one."""
    folder = project({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
    with explained(EngineUnavailable, dead_engine, "DOCKER_HOST", cure="Start that engine, or unset DOCKER_HOST"):
        CALLS[call](folder)


def test_no_engine_at_the_standard_socket(no_engine_at_the_standard_socket, explained) -> None:
    """Where nothing was chosen and nothing answers, the cure is the command that starts an engine."""
    with explained(EngineUnavailable, no_engine_at_the_standard_socket, "standard socket", cure=START):
        dm.images()


def test_no_engine_on_the_command_line(no_engine_at_the_standard_socket, capsys: pytest.CaptureFixture[str]) -> None:
    """A command ends with 1, and its last line on standard error is the cure, not a traceback."""
    assert main(["cleanup"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert no_engine_at_the_standard_socket in said.splitlines()[0]
    assert "engine up" in said.strip().splitlines()[-1] or "Docker Desktop" in said


def test_address_keeps_its_password(monkeypatch: pytest.MonkeyPatch, explained) -> None:
    """The user name and password of an address stand in no message."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://somebody:secret@127.0.0.1:1")
    with explained(EngineUnavailable, "127.0.0.1:1", cure=START) as caught:
        dm.images()
    assert "secret" not in str(caught.value)
    client.forget_clients()


def test_unknown_docker_context(monkeypatch: pytest.MonkeyPatch, tmp_path, explained) -> None:
    """A Docker context that does not exist is named, with the command that lists those that do."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONTEXT", "nowhere")
    with explained(EngineUnavailable, "'nowhere'", cure="docker context ls"):
        dm.images()


def test_no_docker_command(monkeypatch: pytest.MonkeyPatch, tmp_path, explained) -> None:
    """Without the `docker` command the error says how to get one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with explained(EngineUnavailable, "no `docker` command", cure="Install"):
        client.docker_cli(["version"], timeout_s=120)


@pytest.mark.skipif(os.name == "nt", reason="sockets have no permissions there")
def test_socket_without_permission(short_folder) -> None:
    """A socket that this account may not open is told from one where nobody listens; the cure is the group."""
    path = short_folder / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o600 if os.geteuid() == 0 else 0)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, f"unix://{path}"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    kind, message, *_, last = done.stdout.splitlines()
    assert kind == "EngineUnavailable"
    assert f"You may not open the engine's socket unix://{path}" in message
    assert "usermod -aG docker" in last
    assert "equals root" in last


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder that everybody may enter, with a path short enough for a socket's address."""
    with tempfile.TemporaryDirectory(prefix="dmh-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
