"""What a learner and an instructor find: the landing, the notebooks, the processes, and room for who comes late."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from dmhelpers.workshop import control, preparing, seats, services, status
from dmhelpers.workshop.learner import Visitor
from tests.workshop.conftest import LIMIT_S, SEAT_LIMIT_S, until

pytestmark = [pytest.mark.engine, pytest.mark.private_engine, pytest.mark.one_store]


def test_a_seat_opens_on_notebook_00(room):
    """A learner who opens their seat lands on notebook 00, in JupyterLab."""
    answer = room.ben.call("GET", "/user/ben/")
    assert answer.status_code == 302
    assert answer.headers["Location"].rstrip("?") == "/user/ben/lab/tree/notebooks/00_start_here.ipynb"
    names = {one["name"] for one in room.ben.call("GET", "/user/ben/api/contents/notebooks").json()["content"]}
    assert "00_start_here.ipynb" in names
    assert len(names) >= 13


def test_a_seat_builds_with_its_own_engine(room):
    """In a seat the course finds an engine that is rootless, with the base image of the pack."""
    with room.ben.kernel() as kernel:
        asks = "import dmhelpers as dm; print(sorted(dm.images()['repository'].unique()))"
        told = kernel.run(asks, limit_s=LIMIT_S)
    assert (told.error, "node" in told.text) == ("", True)
    assert "rootless" in room.inside(room.ben, "docker info --format '{{.SecurityOptions}}'")[1]


def test_status_names_every_learner_and_process(room):
    """`workshop status` lists each learner with their seat, and hub, proxy and culler as running."""
    # One that has just been started again counts as starting for a second.
    until(lambda: {services.states(room.workshop).get(one) for one in ("hub", "proxy", "culler")} == {"RUNNING"})
    lines = status.table(room.workshop.name).splitlines()
    for login in ("ann", "ben", "cid"):
        [line] = [one for one in lines if one.startswith(f"{login} ")]
        assert "running" in line


def test_who_is_gone_from_the_roster_is_locked_out_and_who_comes_late_is_let_in(room):
    """An `up` without a name ends that person's session and seat; one with it gives a card, and the work of before.

    The others keep codes, sessions and seats.
    """
    before = {one.login: one.container_id for one in seats.all_seats(room.workshop)}
    assert room.dee.log_in() == 200
    room.dee.start_seat(limit_s=SEAT_LIMIT_S)
    room.inside(room.dee, "echo of dee > ~/course/saved")
    assert control.up(preparing.Wanted(("Ann", "Ben", "Cid"), name="test")).cards == ()
    assert {one.login: one.container_id for one in seats.all_seats(room.workshop)} == before
    assert room.dee.call("GET", "/hub/api/users/dee").status_code == 403
    answer = room.dee.session.get(f"{room.workshop.url}/hub/home", timeout=LIMIT_S)
    assert answer.url.startswith(f"{room.workshop.url}/hub/login")
    assert room.dee.log_in() == 403
    again = control.up(preparing.Wanted(("Ann", "Ben", "Cid", "Dee"), name="test"))
    assert [one.login for one in again.cards] == ["dee"]
    assert Visitor(room.workshop.url, "dee", again.cards[0].code).log_in() == 200
    assert (room.workshop.home("dee") / "course" / "saved").read_text() == "of dee\n"
    assert Visitor(room.workshop.url, "ann", room.ann.code).log_in() == 200
    room.seat_answers(room.ann)


def test_up_mends_what_an_interrupted_up_left(room, monkeypatch):
    """A hub that was not told of the roster, or does not run, is started again by the next `up`; seats go on."""
    wanted = preparing.Wanted(("Ann", "Ben", "Cid", "Dee"), name="test")
    before = {one.login: one.container_id for one in seats.all_seats(room.workshop)}
    first = services.process_id(room.workshop, "hub")
    (room.workshop.folder / "told").write_text("ann\nben\ninstructor", encoding="utf-8")
    control.up(wanted)
    second = services.process_id(room.workshop, "hub")
    assert second != first
    control.up(wanted)
    assert services.process_id(room.workshop, "hub") == second
    services._control(room.workshop, "stop", "hub")
    # Only now: before, a hub that is slow to answer would be started anew.
    monkeypatch.setattr(services, "_BUSY_LIMIT_S", 3.0)
    control.up(wanted)
    until(lambda: services.states(room.workshop).get("hub") == "RUNNING")
    assert {one.login: one.container_id for one in seats.all_seats(room.workshop)} == before
    room.seat_answers(room.ann)


def test_the_hub_can_hold_more_connections_than_a_seat_can_open(room):
    """Processes may hold many more files than the usual 1,024, which one seat could take up."""
    limits = Path(f"/proc/{services.process_id(room.workshop, 'hub')}/limits").read_text(encoding="utf-8")
    [line] = [one for one in limits.splitlines() if one.startswith("Max open files")]
    assert int(line.split()[3]) >= min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]) > 1024
