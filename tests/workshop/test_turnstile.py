"""What many at once cost a hub: codes checked in line, and disks copied beside everything else."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest

from dmhelpers.workshop import hub, roster
from dmhelpers.workshop.turnstile import OF_A_LOGIN, OF_A_LOGIN_FROM_AN_ADDRESS, OFF_THE_ROSTER, Turnstile

GATEWAY = "192.0.2.1"


@pytest.fixture(scope="module")
def room():
    """Return a roster of thirty and their codes."""
    people, cards = roster.enrol([f"seat {number}" for number in range(30)])
    return {one.login: one for one in people}, {one.login: one.code for one in cards}


def at_once(*tries):
    """Run tries at the same moment and return what each was told."""

    async def run():
        return await asyncio.gather(*tries)

    return asyncio.run(run())


def test_thirty_behind_one_gateway_come_in_at_once(room):
    """A class that arrives behind one address comes in whole, though one of them floods another's login."""
    people, codes = room
    gate = Turnstile()
    flood = [gate.admits(people, "seat-0", roster.new_code(), GATEWAY) for _ in range(50)]
    flood += [gate.admits(people, f"nobody-{number}", "x", GATEWAY) for number in range(50)]
    told = at_once(*flood, *(gate.admits(people, one, codes[one], GATEWAY) for one in codes if one != "seat-0"))
    assert told[100:] == [True] * 29
    assert told[:50].count(False) == OF_A_LOGIN_FROM_AN_ADDRESS
    assert told[50:100].count(False) == OFF_THE_ROSTER
    assert told[:100].count(None) == 100 - OF_A_LOGIN_FROM_AN_ADDRESS - OFF_THE_ROSTER
    assert at_once(gate.admits(people, "seat-0", codes["seat-0"], GATEWAY)) == [True]


def test_a_flood_from_elsewhere_leaves_a_place(room):
    """A login that is flooded from one address can be used from another; from many addresses it has bounds too."""
    people, codes = room
    gate = Turnstile()
    flood = [gate.admits(people, "seat-1", roster.new_code(), GATEWAY) for _ in range(50)]
    assert at_once(*flood, gate.admits(people, "seat-1", codes["seat-1"], "192.0.2.2"))[-1] is True
    flood = [gate.admits(people, "seat-2", roster.new_code(), f"192.0.2.{number}") for number in range(50)]
    assert at_once(*flood).count(False) == OF_A_LOGIN


def test_who_came_in_before_waits_for_nobody(room):
    """A code that was right once is known at once, in any flood of its login; a fresh code ends that."""
    people, codes = room
    gate = Turnstile()
    code = codes["seat-3"]
    assert at_once(gate.admits(people, "seat-3", code, GATEWAY)) == [True]
    flood = [gate.admits(people, "seat-3", roster.new_code(), GATEWAY) for _ in range(50)]
    assert at_once(*flood, gate.admits(people, "seat-3", code.upper(), GATEWAY))[-1] is True
    (fresh,), (card,) = roster.enrol(["seat 3"])
    renewed = {**people, "seat-3": fresh}
    assert at_once(gate.admits(renewed, "seat-3", code, GATEWAY)) == [False]
    assert at_once(gate.admits(renewed, "seat-3", card.code, GATEWAY)) == [True]


def test_disks_of_a_class_leave_the_hub_its_threads(monkeypatch):
    """While the disks of a class that arrives are copied, two at a time, the hub's own threads answer."""
    go_on, copying = threading.Event(), []
    monkeypatch.setattr(hub, "prepare_disk", lambda _, login: (copying.append(login), go_on.wait(600)))
    prepare = hub._disk_hook(None)

    async def arrive():
        spawners = [SimpleNamespace(escaped_name=f"seat-{number}") for number in range(40)]
        disks = asyncio.gather(*(prepare(one) for one in spawners))
        loop = asyncio.get_running_loop()
        try:
            deadline = loop.time() + 60
            while len(copying) < 2 and loop.time() < deadline:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # a third would begin now
            begun = len(copying)
            answered = await asyncio.wait_for(loop.run_in_executor(None, lambda: "here"), 60)
        finally:
            go_on.set()
        await disks
        return begun, answered

    assert asyncio.run(arrive()) == (2, "here")
    assert len(copying) == 40
