"""A workshop that stops: killed processes, a machine that crashes, a closing that fails; no work is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from dmhelpers.errors import EngineError, InputError
from dmhelpers.workshop import control, disks, preparing, seats, services, settings
from dmhelpers.workshop.learner import Visitor
from dmhelpers.workshop.settings import Limits, Workshop
from tests.workshop.conftest import hold_nothing_is_left, sit_down, until

pytestmark = [pytest.mark.engine, pytest.mark.private_engine, pytest.mark.one_store]

NAME = "closing"
BULK_BYTES = 4_000_000
SEAT_WITHIN_S = 180
# It waits before the first archive is whole on the disk, so that what ends it comes in time on any machine.
# Where the tests were started in the background, Ctrl-C is ignored, and what they start would ignore it too.
_CLOSES = """
import os, pathlib, signal, sys
from dmhelpers.workshop import control
signal.signal(signal.SIGINT, signal.default_int_handler)
os.fsync = lambda file: signal.pause()
control.down(sys.argv[1], save=pathlib.Path(sys.argv[2]))
"""


@dataclass
class Class:
    """A workshop of two learners, whose work the tests know, and a folder where it is to be saved."""

    workshop: Workshop
    ann: Visitor
    ben: Visitor
    kept: Path
    work: dict[str, bytes] = field(default_factory=dict)

    def hold_work(self, visitor: Visitor) -> None:
        """Hold that a learner finds their work in their seat."""
        found = visitor.call("GET", f"/user/{visitor.login}/api/contents/diary.txt").json()
        assert found["content"].encode() == self.work[visitor.login]


@pytest.fixture(scope="module")
def opened(home, tmp_path_factory) -> Iterator[Class]:
    """Open a workshop; two learners come in and write something."""
    limits = Limits(memory_bytes=1_000_000_000, disk_bytes=500_000_000)
    wanted = preparing.Wanted(("Ann", "Ben"), port=0, limits=limits, name=NAME)
    unfinished = settings.folder_of(NAME) / "disks" / f"{disks.UNFINISHED}.img"
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(b"what an `up` that was killed had made of it")
    found = control.up(wanted)
    try:
        assert not unfinished.exists()
        codes = {one.login: one.code for one in found.cards}
        visitors = (Visitor(found.workshop.url, one, codes[one]) for one in ("ann", "ben"))
        made = Class(found.workshop, *visitors, tmp_path_factory.mktemp("kept"))
        sit_down(made.ann, made.ben, limit_s=SEAT_WITHIN_S)
        for one in (made.ann, made.ben):
            made.work[one.login] = f"written by {one.login} at {time.time()}".encode()
            body = {"type": "file", "format": "text", "content": made.work[one.login].decode()}
            assert one.call("PUT", f"/user/{one.login}/api/contents/diary.txt", body=body).status_code == 201
        yield made
    finally:
        if control.exists(NAME):
            control.down(NAME, discard=True)


def test_up_after_a_killed_supervisord_leaves_the_seats_of_use(opened):
    """Seats that ran on know the hub's new process: a login that they have not seen before is let in."""
    sit_down(opened.ann, opened.ben, limit_s=SEAT_WITHIN_S)
    seats_were = {one.container_id for one in seats.all_seats(opened.workshop)}
    kill_supervisord(opened.workshop)
    again = control.up(preparing.Wanted(("Ann", "Ben"), name=NAME))
    assert (again.workshop.hub_port, again.workshop.view_port) == (
        opened.workshop.hub_port,
        opened.workshop.view_port,
    )
    fresh = Visitor(opened.workshop.url, "ann", opened.ann.code)
    assert fresh.log_in() == 200
    until(lambda: fresh.call("GET", "/user/ann/api/status").status_code == 200, 180)
    assert {one.container_id for one in seats.all_seats(opened.workshop)} == seats_were


def test_up_with_another_address_moves_the_workshop_and_not_the_seats(opened):
    """A new port is listened at instead of the old one, and kernels go on; one that is taken changes nothing."""
    seats_were = {one.container_id for one in seats.all_seats(opened.workshop)}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="is in use"):
            control.up(preparing.Wanted(("Ann", "Ben"), port=taken.getsockname()[1], name=NAME))
    assert answers(opened.workshop.port)
    old = opened.workshop
    moved = control.up(preparing.Wanted(("Ann", "Ben"), port=0, url="https://course.example.org/", name=NAME))
    assert moved.workshop.port != old.port
    assert not answers(old.port)
    assert str(moved).startswith("The workshop is open at https://course.example.org")
    opened.workshop = moved.workshop
    opened.ann, opened.ben = (Visitor(moved.workshop.url, one.login, one.code) for one in (opened.ann, opened.ben))
    assert opened.ann.log_in() == 200
    until(lambda: opened.ann.call("GET", "/user/ann/api/status").status_code == 200, 180)
    assert {one.container_id for one in seats.all_seats(opened.workshop)} == seats_were


def test_after_a_crash_of_the_machine_up_brings_all_back(opened, record_property):
    """Every process and seat killed, disks unmounted: `up` with the roster opens it, same codes, all work."""
    first = psutil.Process(services.supervisor_pid(opened.workshop))
    killed = [first, *first.children(recursive=True)]
    for one in killed:
        one.kill()
    psutil.wait_procs(killed, 60)
    seats_were = seats.all_seats(opened.workshop)
    for one in seats_were:
        subprocess.run(["docker", "kill", "--signal=KILL", one.container_id], check=True, capture_output=True)
    for login in ("ann", "ben"):
        until(lambda login=login: not disks.unmount(opened.workshop, login), 60)
    begun = time.monotonic()
    again = control.up(preparing.Wanted(("Ann", "Ben"), name=NAME))
    record_property("workshop_open_again_s", round(time.monotonic() - begun, 1))
    assert again.cards == ()
    assert again.workshop.url == opened.workshop.url
    sit_down(opened.ann, opened.ben, limit_s=SEAT_WITHIN_S)
    record_property("seats_answer_again_s", round(time.monotonic() - begun, 1))
    for one in (opened.ann, opened.ben):
        opened.hold_work(one)


def test_a_save_to_where_nothing_can_be_written_leaves_the_workshop_open(opened, tmp_path):
    """A target that is a file, or has another workshop's archives, is refused before anything is stopped."""
    (tmp_path / "file").touch()
    (tmp_path / "ben.tar.gz").write_bytes(b"of last week")
    for target, said in ((tmp_path / "file", "cannot be saved in"), (tmp_path, "did not write: ben")):
        with pytest.raises(InputError, match=said):
            control.down(NAME, save=target)
    assert (tmp_path / "ben.tar.gz").read_bytes() == b"of last week"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ben.tar.gz", "file"]
    assert set(services.states(opened.workshop).values()) == {"RUNNING"}
    opened.hold_work(opened.ben)


def test_a_save_that_ends_in_the_middle_loses_nothing(opened, tmp_path):
    """A full disk, Ctrl-C and a kill leave no half archive under its name, and `up` opens all of it again."""
    bulk = os.urandom(BULK_BYTES)
    (opened.workshop.home("ann") / "course" / "bulk").write_bytes(bulk)
    opened.work["bulk"] = bulk
    with small_disk(tmp_path / "small") as small:
        with pytest.raises(EngineError, match=r"work of ann could not be saved in .* No space left"):
            control.down(NAME, save=small)
        assert list(small.glob("ann*")) == []
    for ended_by, left in ((signal.SIGINT, []), (signal.SIGKILL, ["ann.tar.gz.new"])):
        with subprocess.Popen([sys.executable, "-c", _CLOSES, NAME, str(opened.kept)]) as closing:
            until((opened.kept / "ann.tar.gz.new").exists, 180)
            closing.send_signal(ended_by)
            assert closing.wait(120) != 0
        assert [one.name for one in opened.kept.iterdir()] == left
    again = control.up(preparing.Wanted(("Ann", "Ben"), name=NAME))
    assert (again.cards, again.workshop.url) == ((), opened.workshop.url)
    sit_down(opened.ann, limit_s=SEAT_WITHIN_S)
    opened.hold_work(opened.ann)


def test_closing_saves_each_learners_course_and_leaves_nothing(opened):
    """Archives hold the course folders, byte for byte, and no engine's data; a killed supervisord's processes end."""
    kill_supervisord(opened.workshop)
    assert control.down(NAME, save=opened.kept) == 2
    hold_nothing_is_left(opened.workshop)
    assert not answers(opened.workshop.port)
    assert sorted(one.name for one in opened.kept.iterdir()) == ["ann.tar.gz", "ben.tar.gz"]
    for login in ("ann", "ben"):
        with tarfile.open(opened.kept / f"{login}.tar.gz") as archive:
            names = archive.getnames()
            assert {one.split("/")[0] for one in names} == {login}
            assert f"{login}/notebooks/00_start_here.ipynb" in names
            assert not [one for one in names if "docker" in one or "overlay2" in one]
            assert archive.extractfile(f"{login}/diary.txt").read() == opened.work[login]
            if login == "ann":
                assert archive.extractfile("ann/bulk").read() == opened.work["bulk"]


def test_a_learners_disk_that_cannot_be_copied_takes_no_room(tmp_path):
    """A machine that is full when a seat starts keeps no half disk, and says what is lacking."""
    with small_disk(tmp_path / "small") as small:
        planned = preparing.planned(preparing.Wanted(("Ann",), port=0), small)
        (small / "disks").mkdir()
        planned.disk(disks.TEMPLATE).write_bytes(os.urandom(600_000))
        with pytest.raises(EngineError, match="No space left"):
            disks.make_from_template(planned, "ann")
        assert [one.name for one in (small / "disks").iterdir()] == [f"{disks.TEMPLATE}.img"]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of 1 MB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def kill_supervisord(workshop: Workshop) -> None:
    """Kill it, and wait until it is gone; what it started runs on."""
    os.kill(services.supervisor_pid(workshop), signal.SIGKILL)
    until(lambda: services.supervisor_pid(workshop) is None, 60)


def answers(port: int) -> bool:
    """Say whether something listens on a port of this machine."""
    return any(one.laddr.port == port and one.status == "LISTEN" for one in psutil.net_connections("tcp"))
