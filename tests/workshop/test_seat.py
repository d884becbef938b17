"""What a learner and an instructor find: the landing, the notebooks, the processes, and room for who comes late."""

from __future__ import annotations

import pytest

from dmhelpers.workshop import control, preparing, services, status
from dmhelpers.workshop.learner import Visitor

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
        told = kernel.run(asks, limit_s=120)
    assert (told.error, "node" in told.text) == ("", True)
    assert "rootless" in room.inside(room.ben, "docker info --format '{{.SecurityOptions}}'")[1]


def test_status_names_every_learner_and_process(room):
    """`workshop status` lists each learner with their seat, and hub, proxy and culler as running."""
    assert {services.states(room.workshop).get(one) for one in ("hub", "proxy", "culler")} == {"RUNNING"}
    lines = status.table(room.workshop.name).splitlines()
    for login in ("ann", "ben", "cid"):
        [line] = [one for one in lines if one.startswith(f"{login} ")]
        assert "running" in line


def test_who_comes_late_is_let_in_and_the_others_keep_their_codes(room):
    """A second `up` with one name more gives one card and lets that person in; seats and codes stay as they are."""
    opened = control.up(preparing.Wanted(("Ann", "Ben", "Cid", "Dee"), name="test"))
    assert [one.login for one in opened.cards] == ["dee"]
    assert Visitor(room.workshop.url, "dee", opened.cards[0].code).log_in() == 200
    assert Visitor(room.workshop.url, "ann", room.ann._code).log_in() == 200
    room.seat_answers(room.ann, 30)
