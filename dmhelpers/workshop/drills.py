"""The drill: parts of a workshop are broken on purpose while a class is at work, and what comes back is timed.

Whoever serves a room meets these faults sooner or later; here they are met the day before.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from dmhelpers.errors import DmHelpersError, EngineError
from dmhelpers.workshop import seats, services
from dmhelpers.workshop.classroom import Classroom
from dmhelpers.workshop.findings import Fault
from dmhelpers.workshop.learner import Visitor
from dmhelpers.workshop.settings import Workshop

_ALL_AT_WORK_LIMIT_S = 900.0
_BACK_LIMIT_S = 300.0
_DISK_FULL_S = 15.0
_NETWORK_CUT_S = 10.0
_BETWEEN_S = 3.0

_FILL = (
    "cd && { fallocate -l $(df --output=avail -B1 . | tail -n 1) filler || true; } 2>/dev/null;"
    " dd if=/dev/zero of=filler2 bs=4k 2>/dev/null; test -e filler2"
)

Say = Callable[[str], None]


def run(workshop: Workshop, visitors: Sequence[Visitor], room: Classroom, say: Say) -> tuple[Fault, ...]:
    """Break one part after the other, each when all that the last one broke works again.

    Args:
        workshop: An open workshop, with all visitors at their seats.
        visitors: The learners who came in.
        room: Where they work; the drill begins when all are in the middle of it.
        say: Takes one line a fault.

    Returns:
        One record a fault, in the order in which they were made: a learner's engine killed, a learner's disk full,
        the proxy killed, the hub killed, the learners' network cut.
    """
    room.wait_for_all(_ALL_AT_WORK_LIMIT_S)
    found: list[Fault] = []
    for broken in (_engine, _disk, _proxy, _hub, _network):
        at_work = room.at_work()
        fault = replace(broken(_Scene(workshop, visitors, room.dismissed)), at_work=at_work)
        back = f"back after {fault.back_s:.1f} s" if fault.came_back else "NOT back"
        say(f"Drill, {at_work} at work: {fault.what}: {back}{f'; {fault.seen}' if fault.seen else ''}")
        found.append(fault)
        if room.dismissed.wait(_BETWEEN_S):
            break
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Scene:
    workshop: Workshop
    visitors: Sequence[Visitor]
    dismissed: threading.Event

    def inside(self, visitor: Visitor, command: str) -> tuple[int, str]:
        """Run a line of shell in a learner's seat."""
        for seat in seats.all_seats(self.workshop):
            if seat.login == visitor.login and seat.running:
                return seats.run_in(seat.container_id, ["sh", "-c", command])
        raise EngineError(f"The seat of {visitor.login} is gone.", hint="Run the rehearsal again.")

    def engine_answers(self, visitor: Visitor) -> bool:
        """Tell whether a learner's engine answers."""
        return self.inside(visitor, "docker version >/dev/null 2>&1")[0] == 0

    def images(self, visitor: Visitor) -> set[str]:
        """Return the IDs of what a learner's engine has."""
        return set(self.inside(visitor, "docker images --quiet --no-trunc")[1].split())

    def all_answer(self) -> bool:
        """Tell whether every learner's JupyterLab answers."""
        with ThreadPoolExecutor(len(self.visitors)) as pool:
            return all(pool.map(_answers, self.visitors))

    def kill(self, program: str) -> None:
        """Kill one of the workshop's own processes, and return when another runs in its place."""
        before = services.process_id(self.workshop, program)
        if not before:
            raise EngineError(f"The {program} does not run, so it cannot be killed.", hint="Run the rehearsal again.")
        os.kill(before, signal.SIGKILL)
        self.until(lambda: services.process_id(self.workshop, program) not in (0, before))

    def until(self, holds: Callable[[], bool], *, since: float | None = None) -> float:
        """Wait until something holds and return the seconds that it took; infinity where it did not in time."""
        begun = time.monotonic() if since is None else since
        while time.monotonic() - begun < _BACK_LIMIT_S and not self.dismissed.is_set():
            try:
                if holds():
                    return time.monotonic() - begun
            except (DmHelpersError, OSError):  # refused, reset: what is being waited for is not there yet
                pass
            time.sleep(0.2)
        return math.inf


def _engine(scene: _Scene) -> Fault:
    victim = scene.visitors[0]
    before = scene.images(victim)
    scene.inside(victim, "pkill -9 -x dockerd; sleep 0.5")
    taken = scene.until(lambda: scene.engine_answers(victim))
    gone = before - scene.images(victim)
    seen = f"{len(before)} images before, {f'{len(gone)} of them lost' if gone else 'all there after'}"
    return Fault(f"the engine of {victim.login} killed", 0, 0.0, math.inf if gone else taken, seen)


def _disk(scene: _Scene) -> Fault:
    victim = scene.visitors[1 % len(scene.visitors)]
    begun = time.monotonic()
    try:
        refused = _fill_and_save(scene, victim)
        while not refused and time.monotonic() - begun < _DISK_FULL_S:
            refused = _fill_and_save(scene, victim)
        scene.dismissed.wait(_DISK_FULL_S)
    finally:
        scene.inside(victim, "rm -f ~/filler ~/filler2")
    taken = scene.until(lambda: victim.save("one-more.txt", "x" * 100_000) and scene.engine_answers(victim))
    seen = "a save was refused meanwhile" if refused else "a save went through: the disk was not full"
    return Fault(f"the disk of {victim.login} full", 0, _DISK_FULL_S, taken if refused else math.inf, seen)


def _fill_and_save(scene: _Scene, victim: Visitor) -> bool:
    """Fill a learner's disk and return whether a save is refused; a build that fails of it may make room between."""
    scene.inside(victim, _FILL)
    return not victim.save("one-more.txt", "x" * 100_000)


def _proxy(scene: _Scene) -> Fault:
    killed_at = time.monotonic()
    scene.kill("proxy")
    return Fault("the proxy killed", 0, 0.0, scene.until(scene.all_answer, since=killed_at))


def _hub(scene: _Scene) -> Fault:
    killed_at = time.monotonic()
    scene.kill("hub")
    seen = "a seat answered meanwhile" if _answers(scene.visitors[0]) else "no seat answered meanwhile"
    taken = scene.until(lambda: _hub_knows(scene.visitors[0]) and scene.all_answer(), since=killed_at)
    return Fault("the hub killed", 0, 0.0, taken, seen)


def _network(scene: _Scene) -> Fault:
    bridge = seats.bridge(scene.workshop)
    _link(bridge, "down")
    try:
        reached = any(_answers(one, limit_s=2.0) for one in scene.visitors[:3])
        scene.dismissed.wait(_NETWORK_CUT_S)
    finally:
        _link(bridge, "up")
    taken = scene.until(scene.all_answer)
    seen = "seats could be reached: it was not cut" if reached else "no seat could be reached meanwhile"
    return Fault("the learners' network cut", 0, _NETWORK_CUT_S, math.inf if reached else taken, seen)


def _link(bridge: str, state: str) -> None:
    subprocess.run(["ip", "link", "set", bridge, state], check=True, capture_output=True)


def _answers(visitor: Visitor, *, limit_s: float = 60.0) -> bool:
    try:
        return bool(visitor.call("GET", f"/user/{visitor.login}/api/status", limit_s=limit_s).status_code == 200)
    except OSError:
        return False


def _hub_knows(visitor: Visitor) -> bool:
    answer = visitor.call("GET", f"/hub/api/users/{visitor.login}")
    return bool(answer.status_code == 200 and answer.json()["server"] == f"/user/{visitor.login}/")
