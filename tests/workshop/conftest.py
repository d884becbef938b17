"""A workshop with four learners for the tests of this folder: opened once, closed at the end, nothing left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from dmhelpers.errors import DmHelpersError
from dmhelpers.workshop.learner import Visitor
from dmhelpers.workshop.settings import Workshop

LIMIT_S = 300.0
"""How long to wait for what must come: a busy machine takes many times what a quiet one does. Seats have longer."""
SEAT_LIMIT_S = 900.0
TEST_LIMIT_S = 2400
DISK_BYTES = 1_200_000_000
SMALL_DISK_BYTES = 7_000_000_000
RESERVE_BYTES = 400_000_000
BASE = "node:20-alpine"


@dataclass(frozen=True)
class Room:
    """An open workshop and the sessions of its people: three whose seats run, and two who have not come in yet."""

    workshop: Workshop
    ann: Visitor
    ben: Visitor
    cid: Visitor
    dee: Visitor
    instructor: Visitor

    def seat_of(self, visitor: Visitor) -> str:
        """Return the ID of a learner's container."""
        from dmhelpers.workshop import seats

        return next(one.container_id for one in seats.all_seats(self.workshop) if one.login == visitor.login)

    def inside(self, visitor: Visitor, command: str) -> tuple[int, str]:
        """Run a line of shell inside a learner's seat, as the learner."""
        from dmhelpers.workshop import seats

        return seats.run_in(self.seat_of(visitor), ["sh", "-c", command])

    def engine_answers(self, visitor: Visitor, limit_s: float = LIMIT_S) -> float:
        """Wait until a learner's engine answers, and return how long that took."""
        return until(lambda: self.inside(visitor, "docker version >/dev/null 2>&1")[0] == 0, limit_s)

    def seat_answers(self, visitor: Visitor, limit_s: float = LIMIT_S) -> float:
        """Wait until a learner's JupyterLab answers through the proxy, and return how long that took."""
        return until(lambda: visitor.call("GET", f"/user/{visitor.login}/api/status").status_code == 200, limit_s)


def until(holds: Callable[[], bool], limit_s: float = LIMIT_S) -> float:
    """Wait until something holds and return the seconds that it took; fail after the limit.

    The last look begins after the limit: a machine that stood still meanwhile does not decide.
    """
    begun = time.monotonic()
    while True:
        waited_s, told = time.monotonic() - begun, ""
        try:
            if holds():
                return time.monotonic() - begun
        except (DmHelpersError, OSError) as error:  # refused, reset: what is being waited for is not there yet
            told = f", and then: {error}"
        if waited_s > limit_s:
            pytest.fail(f"waited {limit_s:g} s{told}")
        time.sleep(0.2)


def sit_down(*visitors: Visitor, limit_s: float = SEAT_LIMIT_S) -> None:
    """Log people in with the codes that they have, and start their seats, all at once."""

    def come_in(one: Visitor) -> None:
        assert one.log_in() == 200
        one.start_seat(limit_s=limit_s)

    with ThreadPoolExecutor(len(visitors)) as pool:
        list(pool.map(come_in, visitors))


def kill(workshop: Workshop, program: str) -> int:
    """Kill one of a workshop's own processes as soon as it runs, and return which it was."""
    from dmhelpers.workshop import services

    until(lambda: services.process_id(workshop, program) > 0)
    found = services.process_id(workshop, program)
    assert found > 0  # 0 would be the tests themselves
    os.kill(found, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{found}").exists())
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests in the room the time that it takes to open: the first of them may have to build the seats' image."""
    for one in items:
        if "small_disk" in getattr(one, "fixturenames", ()):
            one.add_marker(pytest.mark.timeout(TEST_LIMIT_S))


@pytest.fixture(scope="session")
def small_disk(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give workshops a disk of their own that can be filled, in place of this machine's."""
    import subprocess

    from dmhelpers.engine.places import state_folder

    folder, disk = state_folder() / "workshops", tmp_path_factory.mktemp("disk") / "small.img"
    folder.mkdir(parents=True, exist_ok=True)
    with disk.open("wb") as handle:
        handle.truncate(SMALL_DISK_BYTES)
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-F", "-m", "0", str(disk)], check=True)
    subprocess.run(["mount", "-o", "loop,discard", str(disk), str(folder)], check=True)
    # Engines of other tests, in namespaces of their own, must let go of what is unmounted here.
    subprocess.run(["mount", "--make-shared", str(folder)], check=True)
    yield folder
    # What was mounted on it lets go of it a moment after its own unmounting.
    until(lambda: subprocess.run(["umount", str(folder)], check=False).returncode == 0)
    disk.unlink()


@pytest.fixture(scope="session")
def plain_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of the base image that notebook 05 needs, as a pack."""
    from dmhelpers.engine import bases
    from dmhelpers.engine.client import docker_cli

    bases.ensure_many([BASE])
    pack = tmp_path_factory.mktemp("pack") / "bases.tar"
    docker_cli(["save", "--output", str(pack), BASE], timeout_s=600)
    pack.chmod(0o644)
    return pack


@pytest.fixture(scope="session")
def room(small_disk: Path, plain_pack: Path) -> Iterator[Room]:
    """Open a workshop with four learners, three at their seats."""
    from dmhelpers.workshop import control, preparing
    from dmhelpers.workshop.settings import Limits

    limits = Limits(memory_bytes=1_000_000_000, disk_bytes=DISK_BYTES)
    names = ("Ann", "Ben", "Cid", "Dee")
    wanted = preparing.Wanted(names, pack=plain_pack, port=0, limits=limits, name="test", reserve_bytes=RESERVE_BYTES)
    opened = control.up(wanted)
    try:
        visitors = {one.login: Visitor(opened.workshop.url, one.login, one.code) for one in opened.cards}
        made = Room(opened.workshop, *(visitors[one] for one in ("ann", "ben", "cid", "dee", "instructor")))
        sit_down(made.ann, made.ben, made.cid)
        for one in (made.ann, made.ben, made.cid):
            made.engine_answers(one)
        yield made
    finally:
        control.down("test", discard=True)
        hold_nothing_is_left(opened.workshop)


def hold_nothing_is_left(workshop: Workshop) -> None:
    """Hold that a workshop that was closed left no container, network, mount, loop device, process or file."""
    from dmhelpers.engine.client import api
    from dmhelpers.workshop import seats, services

    assert seats.all_seats(workshop) == ()
    assert api().networks(names=[workshop.network]) == []
    assert str(workshop.folder) not in Path("/proc/mounts").read_text()
    until(lambda: not _loop_devices_on(workshop.folder), 60)  # the kernel lets go of them a moment after unmounting
    assert services.supervisor_pid(workshop) is None
    assert not workshop.folder.exists()


def _loop_devices_on(folder: Path) -> list[str]:
    found = []
    for one in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):  # somebody else's, which is just being let go of
            found.append(one.read_text())
    return [one for one in found if str(folder) in one]
