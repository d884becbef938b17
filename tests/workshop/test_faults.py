"""What comes back by itself when a part of a workshop is killed or cut off, and that nothing saved is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from dmhelpers.errors import EngineError
from dmhelpers.workshop import control, preparing, seats, services, status, template
from dmhelpers.workshop.classroom import Saver
from tests.workshop.conftest import LIMIT_S, RESERVE_BYTES, SMALL_DISK_BYTES, kill, until

pytestmark = [pytest.mark.engine, pytest.mark.private_engine, pytest.mark.one_store]


def test_a_killed_engine_comes_back_with_its_images(room, record_property):
    """A learner's engine that is killed runs again within seconds, with its images and without orphans."""
    room.inside(room.ann, "docker tag node:20-alpine anns:work; docker run -d node:20-alpine sleep 7777")
    room.inside(room.ann, "pkill -9 -x dockerd; sleep 0.5")
    taken = room.engine_answers(room.ann)
    record_property("engine_back_s", round(taken, 1))
    told = room.inside(room.ann, "docker images; ps -e -o args | grep '[s]leep 7777'")[1]
    assert "anns" in told
    assert "sleep 7777" not in told


def test_a_killed_hub_comes_back_and_seats_do_not_notice(room, record_property):
    """While the hub is gone a kernel goes on; the new hub knows the seats and the sessions of the old one."""
    with room.ann.kernel() as kernel:
        kernel.run("x = 41", limit_s=LIMIT_S)
        kill(room.workshop, "hub")
        assert kernel.run("print(x + 1)", limit_s=LIMIT_S).text == "42\n"
        taken = until(lambda: _hub_knows(room))
        record_property("hub_back_s", round(taken, 1))
        assert kernel.run("print(x)", limit_s=LIMIT_S).text == "41\n"
    room.seat_answers(room.ann)


def test_a_killed_proxy_comes_back_with_its_routes(room, record_property):
    """A killed proxy runs again, and learns its routes from the hub; kernels keep what they hold."""
    before = kill(room.workshop, "proxy")
    until(lambda: services.process_id(room.workshop, "proxy") not in (0, before))
    taken = room.seat_answers(room.ann)
    record_property("proxy_back_s", round(taken, 1))


def test_a_cut_network_comes_back_as_it_was(room, record_property):
    """With the learners' network down a build fails or waits and no work is lost; up again, all seats answer."""
    bridge = seats.bridge(room.workshop)
    room.inside(room.ann, "echo before > ~/course/saved")
    subprocess.run(["ip", "link", "set", bridge, "down"], check=True)
    try:
        time.sleep(2)
        assert room.inside(room.ann, "echo during >> ~/course/saved; docker run --rm node:20-alpine true")[0] == 0
    finally:
        subprocess.run(["ip", "link", "set", bridge, "up"], check=True)
    taken = max(room.seat_answers(one) for one in (room.ann, room.ben))
    record_property("network_back_s", round(taken, 1))
    assert room.inside(room.ann, "cat ~/course/saved")[1] == "before\nduring\n"


def test_before_the_machine_is_full_all_seats_pause_and_go_on_when_there_is_room(room, small_disk, record_property):
    """With the machine's disk nearly full nobody's programs run, and nothing that was saved is lost."""
    saver = Saver(room.ann)
    saver.start()
    until(lambda: saver.acknowledged > 0)
    filler = small_disk / "filler"
    free = shutil.disk_usage(small_disk).free
    with filler.open("wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, free - RESERVE_BYTES // 2)
    try:
        until(lambda: {one.state for one in seats.all_seats(room.workshop)} == {"paused"})
        assert "All seats are paused" in status.table(room.workshop.name)
        time.sleep(2)
    finally:
        filler.unlink()
    taken = max(room.seat_answers(one) for one in (room.ann, room.ben, room.cid))
    record_property("full_machine_back_s", round(taken, 1))
    assert saver.stop() > 0
    assert saver.lost() == ""


def test_a_workshop_that_would_be_paused_at_once_is_refused(small_disk, plain_pack):
    """With less free than the reserve `up` says so, and leaves nothing."""
    wanted = preparing.Wanted(("Ann",), pack=plain_pack, port=0, name="full", reserve_bytes=2 * SMALL_DISK_BYTES)
    with pytest.raises(EngineError, match="must stay free"):
        control.up(wanted)
    assert not (small_disk / "full").exists()


def test_a_firewall_between_seats_and_hub_is_told_at_once(small_disk, plain_pack, monkeypatch):
    """Where this machine drops what comes from the seats, `up` says which bridge to let in, and leaves nothing."""
    monkeypatch.setattr(template, "_REACHED_WITHIN_S", 2)
    rule = ["INPUT", "-i", "dm-walled", "-j", "DROP"]
    subprocess.run(["iptables", "--wait", "-I", *rule], check=True)  # an engine may be at its own rules
    try:
        with pytest.raises(EngineError, match="firewall") as caught:
            control.up(preparing.Wanted(("Ann",), pack=plain_pack, port=0, name="walled", reserve_bytes=10**6))
    finally:
        subprocess.run(["iptables", "--wait", "-D", *rule], check=True)
    assert "ufw allow in on dm-walled" in caught.value.hint
    assert not (small_disk / "walled").exists()
    assert not Path("/sys/class/net/dm-walled").exists()


def _hub_knows(room) -> bool:
    answer = room.ann.call("GET", "/hub/api/users/ann")
    return answer.status_code == 200 and answer.json()["server"] == "/user/ann/"
