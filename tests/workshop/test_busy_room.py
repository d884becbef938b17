"""A hub, an engine and learners who are slow or cut off for a while: what asks them asks again, and then ends."""

from __future__ import annotations

import runpy
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import docker.errors
import pytest

from dmhelpers.errors import EngineError
from dmhelpers.workshop import classroom, drills, seats, services, settings
from dmhelpers.workshop.classroom import Classroom, Saver
from dmhelpers.workshop.kernel import Ran
from dmhelpers.workshop.learner import Visitor

CONFIG = Path(__file__).parents[2] / "deploy" / "workshop" / "jupyterhub_config.py"


def answer(status, content=None):
    """Return a response as `requests` gives one."""
    return SimpleNamespace(status_code=status, json=lambda: content)


STOPPING = {"pending": "stop", "server": None}
RUNNING = {"pending": None, "server": "/user/ann/"}
STARTING = {"pending": "spawn", "server": None}


@pytest.mark.parametrize(
    "answers",
    [
        [answer(400), answer(200, STOPPING), answer(202), answer(503), answer(200, STARTING), answer(200)],
        [answer(503), answer(201), answer(200)],
        [answer(400), answer(200, RUNNING), answer(200)],
    ],
    ids=["is being stopped", "hub is away", "runs already"],
)
def test_a_seat_starts_whatever_it_is_doing_just_now(monkeypatch, answers):
    """A seat that is just being stopped is asked for again after that, and one that runs is taken as it is."""
    visitor = Visitor("http://127.0.0.1:9", "ann", "")
    monkeypatch.setattr(visitor, "call", lambda *_, **__: answers.pop(0))
    monkeypatch.setattr(visitor, "_wait", lambda *_: None)
    visitor.start_seat(limit_s=60)
    assert answers == []


def test_what_was_saved_is_looked_at_again_by_who_is_cut_off(monkeypatch):
    """A save is lost where the file lacks it, and not where the server cannot be asked for a moment."""
    monkeypatch.setattr(classroom, "_LOOK_AGAIN_AFTER_S", 0.0)
    found = [OSError("reset"), EngineError("503", hint=""), "7\n"]

    def saved(_path):
        one = found.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    saver = Saver(SimpleNamespace(saved=saved, left=threading.Event()))
    saver.acknowledged = 7
    assert saver.lost() == ""
    found.append("6\n")
    assert "save 7 was acknowledged" in saver.lost()
    monkeypatch.setattr(classroom, "_LOOK_AGAIN_FOR_S", 0.0)
    found += [OSError("reset"), OSError("refused")]
    with pytest.raises(OSError, match=r"^(reset|refused)$"):
        saver.lost()


@pytest.mark.parametrize(
    ("tag", "failed"),
    [("do", Ran("", "EngineUnavailable: no engine")), ("check", Ran("05-a not yet: no engine", ""))],
)
@pytest.mark.parametrize(("drill", "asked"), [(True, 12), (False, 1)])
def test_a_cell_is_run_again_until_the_fault_has_passed(monkeypatch, drill, asked, tag, failed):
    """In a drill an engine that takes long to come back fails no learner; outside of one an error is one at once."""
    monkeypatch.setattr(classroom, "_RUN_AGAIN_AFTER_S", 0.0)
    tries = []

    def run(_source, *, limit_s):
        tries.append(limit_s)
        return Ran("05-a done", "") if len(tries) == 12 else failed

    cell = {"cell_type": "code", "source": "1", "metadata": {"tags": [tag]}}
    missed, again = Classroom(SimpleNamespace(), 1, drill=drill)._run_cell(SimpleNamespace(run=run), cell)
    assert (len(tries), again, missed == "") == (asked, asked - 1, drill)


def test_a_disk_that_a_failing_build_makes_room_on_is_filled_again():
    """The drill counts a disk as full when a save is refused, and fills it until one is."""
    told, filled = [True, True, False, True], []
    victim = SimpleNamespace(login="ann", save=lambda *_: told.pop(0))

    def inside(_victim, command):
        filled.append(command)
        return 0, ""

    dismissed = SimpleNamespace(wait=lambda _: None)
    scene = SimpleNamespace(
        visitors=[victim],
        inside=inside,
        dismissed=dismissed,
        until=lambda holds: holds() and 1.0,
        engine_answers=bool,
    )
    fault = drills._disk(scene)
    assert (fault.came_back, fault.seen) == (True, "a save was refused meanwhile")
    assert filled.count(drills._FILL) == 3


def test_a_container_that_takes_long_to_die_is_removed_again(monkeypatch):
    """Where the engine is removing a container already, or did not see it die in time, it is asked again."""
    left, refusals = ["ann", "ben"], {"ann": [409, 500], "ben": [404]}

    def remove(container_id, **_):
        if refusals[container_id]:
            status = refusals[container_id].pop(0)
            if status == 404:
                left.remove(container_id)
            raise docker.errors.APIError("refused", response=SimpleNamespace(status_code=status))
        left.remove(container_id)

    monkeypatch.setattr(seats, "api", lambda: SimpleNamespace(remove_container=remove))
    monkeypatch.setattr(seats, "all_seats", lambda _: tuple(seats.Seat(one, one, "running", "") for one in left))
    seats.remove_containers(SimpleNamespace(), None)
    assert left == []
    monkeypatch.setattr(seats, "_REMOVAL_LIMIT_S", 0.0)
    left.append("ann")
    refusals["ann"] = [500] * 1000
    with pytest.raises(EngineError, match="Seats do not end: ann"):
        seats.remove_containers(SimpleNamespace(), None)


def test_a_supervisord_that_does_not_answer_is_an_error_with_its_log(monkeypatch):
    """Where supervisord is too slow to answer, the error says so and where its log is."""

    def hangs(command, **_):
        raise subprocess.TimeoutExpired(command, 120)

    monkeypatch.setattr(subprocess, "run", hangs)
    with pytest.raises(EngineError, match="did not answer `pid hub`") as caught:
        services.process_id(SimpleNamespace(folder=Path("/nowhere")), "hub")
    assert "/nowhere/log/supervisord.log" in caught.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="process namespaces are Linux's")
def test_the_view_that_a_killed_hub_left_ends_with_the_workshops_processes(tmp_path, monkeypatch):
    """The view is started with the mark by which its workshop's processes are known, and so frees the seats' port."""
    pytest.importorskip("jupyterhub", reason="`make test` installs the extra `workshop`")
    from traitlets.config import Config

    from tests.workshop.room_hub import RoomHub

    RoomHub(tmp_path)  # lays out its folder
    monkeypatch.setenv(settings.VARIABLE, str(tmp_path))
    config = Config()
    runpy.run_path(str(CONFIG), {"get_config": lambda: config})
    (view,) = (one for one in config.JupyterHub.services if one["name"] == "progress")
    waits = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    with subprocess.Popen(waits, env=view["environment"], stdout=subprocess.PIPE) as left:
        try:
            left.stdout.readline()
            services.stop(settings.load(tmp_path))
            assert left.wait(60) == -signal.SIGTERM
        finally:
            left.kill()
