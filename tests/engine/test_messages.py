"""What the course says when the engine is away or unwilling: the next step on this very system."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from dmhelpers.engine import messages
from dmhelpers.engine.client import STANDARD_SOCKET, Endpoint

STANDARD = Endpoint(STANDARD_SOCKET, "standard socket")


@pytest.fixture
def system(monkeypatch):
    """Pretend to be on another system."""

    def pretend(name, *, root=False):
        monkeypatch.setattr(sys, "platform", {"mac": "darwin", "linux": "linux"}[name])
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)

    return pretend


def test_next_steps_on_a_mac(system):
    """On a Mac the next step is Docker Desktop, installed or started."""
    system("mac")
    assert messages.no_cli_hint().startswith("Install and start Docker Desktop")
    assert messages.no_engine_hint().startswith("Start Docker Desktop")


def test_next_steps_for_root(system):
    """For root on Linux the next step is the course's own command."""
    system("linux", root=True)
    assert messages.no_cli_hint() == "Install and start one with: dmhelpers engine up"
    assert messages.no_engine_hint() == "Start it with: dmhelpers engine up"


def test_next_steps_without_root(system, monkeypatch, tmp_path):
    """Without root the next step is the same with sudo, by the full path of this environment's command."""
    system("linux")
    assert "sudo " in messages.no_cli_hint()
    assert "administrator" in messages.no_cli_hint()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert "sudo dmhelpers engine up" in messages.no_engine_hint()
    (tmp_path / "dmhelpers").touch()
    assert f"sudo {tmp_path}/dmhelpers engine up" in messages.no_engine_hint()


def test_a_socket_that_may_not_be_opened():
    """A socket without permission is told apart from an engine that is away, however deep the reason lies."""
    denied = PermissionError(errno.EACCES, "Permission denied")
    wrapped = ConnectionError("Connection aborted.", denied)
    for error in (denied, wrapped, ConnectionError(wrapped)):
        found = messages.unavailable(STANDARD, error)
        assert "permission denied" in found.message
        assert "usermod -aG docker" in found.hint
        assert "equals root" in found.hint


def test_an_engine_that_is_away():
    """An engine that is away is told with where it was looked for and what said so."""
    away = FileNotFoundError(errno.ENOENT, "No such file or directory")
    assert f"{STANDARD_SOCKET} (standard socket)" in messages.unavailable(STANDARD, away).message
    elsewhere = messages.unavailable(Endpoint("tcp://host.example:2375", "DOCKER_HOST"), away)
    assert "tcp://host.example:2375 (DOCKER_HOST)" in elsewhere.message
    assert "docker context use default" in elsewhere.hint


def test_a_chain_of_causes_that_turns_in_a_circle():
    """A circle among the causes of an error ends the search."""
    one, two = OSError("one"), OSError("two")
    one.__cause__, two.__cause__ = two, one
    assert "No Docker Engine" in messages.unavailable(STANDARD, one).message


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("permission denied while trying to connect to the Docker daemon socket", "usermod"),
        ("Cannot connect to the Docker daemon at unix:///x. Is it running?", "engine"),
        ("dial tcp 127.0.0.1:2375: connect: connection refused", "engine"),
        ("write /var/lib/docker/x: no space left on device", "dmhelpers cleanup"),
        ("something else altogether", "dmhelpers doctor"),
    ],
)
def test_hints_for_dockers_own_words(said, word):
    """What Docker says of permissions, a missing engine and a full disk has its own next step."""
    assert word in messages.command_hint(said)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("ssh://me:secret@host.example", "ssh://host.example"),
        ("tcp://me@host.example:2376", "tcp://host.example:2376"),
        ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
        ("nonsense", "nonsense"),
    ],
)
def test_addresses_without_secrets(host, shown):
    """An address is shown without the user name and password that it may carry."""
    assert messages.shown_host(host) == shown
