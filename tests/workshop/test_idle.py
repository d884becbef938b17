"""Seats that nobody uses: they are stopped, those in use are not, and the work stays."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from dmhelpers.errors import InputError
from dmhelpers.workshop import control, preparing, seats
from dmhelpers.workshop.learner import Visitor
from dmhelpers.workshop.preparing import LEAST_IDLE_S
from dmhelpers.workshop.settings import Limits, Workshop
from tests.workshop.conftest import hold_nothing_is_left, sit_down, until

NAME = "idle"
SEAT_WITHIN_S = 180
WORK = "what ann wrote before she went for coffee"


@pytest.fixture
def two_at_work(home) -> Iterator[tuple[Workshop, Visitor, Visitor]]:
    """Open a workshop whose seats are stopped as soon as can be when unused; two learners come in."""
    limits = Limits(memory_bytes=1_000_000_000, disk_bytes=300_000_000)
    found = control.up(preparing.Wanted(("Ann", "Ben"), port=0, limits=limits, idle_after_s=LEAST_IDLE_S, name=NAME))
    try:
        codes = {one.login: one.code for one in found.cards}
        ann, ben = (Visitor(found.workshop.url, one, codes[one]) for one in ("ann", "ben"))
        sit_down(ann, ben, limit_s=SEAT_WITHIN_S)
        yield found.workshop, ann, ben
    finally:
        control.down(NAME, discard=True)
        hold_nothing_is_left(found.workshop)


@pytest.mark.engine
@pytest.mark.private_engine
@pytest.mark.one_store
def test_a_seat_that_is_not_used_is_stopped_and_starts_again_with_its_work(two_at_work, record_property):
    """A seat without a request is stopped, one that is used goes on; the next visit finds the work."""
    workshop, ann, ben = two_at_work
    body = {"type": "file", "format": "text", "content": WORK}
    assert ann.call("PUT", "/user/ann/api/contents/diary.txt", body=body).status_code == 201
    seat_of_ben = _running(workshop)["ben"]

    def ann_is_gone() -> bool:
        assert ben.call("GET", "/user/ben/api/status").status_code == 200
        time.sleep(1)
        return "ann" not in _running(workshop)

    taken = until(ann_is_gone, 6 * LEAST_IDLE_S)
    record_property("idle_seat_stopped_s", round(taken, 1))
    assert _running(workshop) == {"ben": seat_of_ben}
    ann.start_seat(limit_s=SEAT_WITHIN_S)
    found = ann.call("GET", "/user/ann/api/contents/diary.txt").json()
    assert found["content"] == WORK


@pytest.mark.parametrize("idle", [-1, 1, LEAST_IDLE_S - 1])
def test_a_time_unused_that_the_hub_cannot_know_is_refused(idle, tmp_path):
    """Seats in use would be stopped if the time were shorter than the hub needs to know of it."""
    with pytest.raises(InputError, match=f"after {idle} s"):
        preparing.planned(preparing.Wanted(("Ann",), port=0, idle_after_s=idle), tmp_path)


def _running(workshop: Workshop) -> dict[str, str]:
    """Return each learner's running container."""
    return {one.login: one.container_id for one in seats.all_seats(workshop) if one.running}
