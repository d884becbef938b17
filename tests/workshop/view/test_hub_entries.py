"""What the hub is told, and how often a learner may report."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest

from dmhelpers.course.reporting import ADDRESS
from dmhelpers.errors import InputError
from dmhelpers.workshop.view.config import hub_entries
from dmhelpers.workshop.view.turns import BURST, CLOSED_S, Turns


def test_entries_stand_beside_what_is_there(tmp_path):
    """Only the role's group may see the page, learners get the address, and other entries stay."""
    hub = SimpleNamespace(services=[{"name": "idle"}], load_roles=[], load_groups={"others": {}})
    config = SimpleNamespace(JupyterHub=hub, Spawner=SimpleNamespace(environment={"KEPT": "1"}))
    hub_entries(instructors=["eve", "ada"], hub_url="http://proxy:8000/base/", state_folder=tmp_path).add_to(config)
    assert [one["name"] for one in hub.services] == ["idle", "progress"]
    assert hub.services[1]["url"].startswith("http://127.0.0.1:")
    assert hub.load_groups == {"others": {}, "instructors": {"users": ["ada", "eve"]}}
    (role,) = hub.load_roles
    assert (role["groups"], role["scopes"]) == (["instructors"], ["access:services!service=progress"])
    environment = {"KEPT": "1", ADDRESS: "http://proxy:8000/base/services/progress/"}
    assert config.Spawner.environment == environment


def test_a_service_at_an_address_of_its_own_listens_there_and_is_reported_to(tmp_path):
    """Where learners cannot reach the proxy, the service listens where they do, and they report to it."""
    address = "http://172.18.0.1:9001"
    found = hub_entries(instructors=[], hub_url=address, service_url=address, state_folder=tmp_path)
    assert found.services[0]["url"] == address
    assert found.environment == {ADDRESS: f"{address}/services/progress/"}


@pytest.mark.parametrize("wrong", [{"hub_url": "proxy:8000"}, {"service_url": "proxy:8000"}])
def test_an_address_that_is_none_is_refused(tmp_path, wrong):
    """An address without http is said before any learner reports to nowhere."""
    given = {"hub_url": "http://proxy:8000"} | wrong
    with pytest.raises(InputError, match="'proxy:8000'"):
        hub_entries(instructors=[], state_folder=tmp_path, **given)


def test_the_service_started_by_hand_says_what_it_is(tmp_path):
    """Without a hub there is no service, and the message says where it belongs."""
    command = [sys.executable, "-m", "dmhelpers.workshop.view", "--state", str(tmp_path / "state")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": ""}, timeout=300)
    assert done.returncode == 1
    assert "hub_entries" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "state").exists()


def test_a_service_whose_hub_ended_before_it_began_ends_too(tmp_path):
    """A service that comes up after its hub is gone does not keep the port with a token that no hub knows."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dmhelpers.workshop.view", "--state", str(tmp_path), "--hub", str(gone.pid)]
    hub = {"JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}", "JUPYTERHUB_API_TOKEN": "t"}
    done = subprocess.run(command, check=False, env={**os.environ, **hub}, timeout=300, capture_output=True)
    assert done.returncode == 0


def test_a_loop_of_reports_is_slowed_down_and_nobody_elses():
    """After a burst a learner has one turn a second; the others have theirs."""
    now = [0.0]
    turns = Turns(clock=lambda: now[0])
    assert [turns.take("ada") for _ in range(BURST + 1)] == [True] * BURST + [False]
    assert turns.take("ben")
    now[0] += 1.0
    assert [turns.take("ada"), turns.take("ada")] == [True, False]
    now[0] += 1000.0
    assert [turns.take("ada") for _ in range(BURST + 1)] == [True] * BURST + [False]


def test_who_left_has_no_turn_while_a_message_may_be_under_way():
    """After a learner's row was deleted, a message sent before that comes too late to make it again."""
    now = [0.0]
    turns = Turns(clock=lambda: now[0])
    turns.close("ada")
    now[0] += CLOSED_S - 0.1
    assert not turns.take("ada")
    now[0] += 0.2
    assert turns.take("ada")
