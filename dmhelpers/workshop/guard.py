"""The guard: before this machine's disk is full, all seats are paused, and they go on when there is room again.

The learners' disks are files that grow. On a full machine the kernel could no longer write what a learner's program
was told is written; a paused program writes nothing more, and the reserve takes what the kernel still holds back.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from dmhelpers.errors import DmHelpersError, EngineError
from dmhelpers.units import docker_size
from dmhelpers.workshop import machine, seats, settings
from dmhelpers.workshop.settings import Workshop

_LOOK_EVERY_S = 1.0
_LEAST_RESERVE_BYTES = 1_000_000_000
_ENOUGH_AGAIN = 1.1


def reserve_bytes() -> int:
    """Return how much of the disk should stay free: what the kernel may hold in memory unwritten, 1 GB at least.

    Its limit is the sysctl `vm.dirty_bytes`, or `vm.dirty_ratio` percent of the memory where that is 0.
    """
    settings_folder = Path("/proc/sys/vm")
    fixed = int((settings_folder / "dirty_bytes").read_text(encoding="utf-8"))
    percent = int((settings_folder / "dirty_ratio").read_text(encoding="utf-8"))
    unwritten = fixed or machine.look(settings_folder).memory_bytes * percent // 100
    return max(_LEAST_RESERVE_BYTES, unwritten)


def outlook(workshop: Workshop, learners: int) -> str:
    """Return what may come of the learners' disks on this machine, ``""`` where all can grow to their limit.

    Raises:
        EngineError: There is less room than the reserve, so that every seat would be paused at once.
    """
    free = machine.look(workshop.folder).disk_free_bytes
    left, reserve = docker_size(free), docker_size(workshop.reserve_bytes)
    if free < workshop.reserve_bytes:
        raise EngineError(
            f"{left} are free on the disk of {workshop.folder}, and {reserve} must stay free.",
            hint="Make room, lower --reserve, or keep the workshop on a larger disk: write DMHELPERS_HOME=FOLDER "
            "after `sudo` in each command.",
        )
    each = workshop.limits.disk_bytes
    if learners * each <= free - workshop.reserve_bytes:
        return ""
    return (
        f"{learners} disks of {docker_size(each)} could grow to {docker_size(learners * each)}, and {left} are free: "
        f"with less than {reserve} left all seats pause until there is room"
    )


class Guard:
    """Pauses the seats of a workshop and lets them go on, as the disk has it."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._may_be_paused = True  # by a guard before this one

    def look(self) -> str:
        """Look at the disk, do what it asks for, and return what was done; ``""`` for nothing."""
        free = machine.look(self._workshop.folder).disk_free_bytes
        told = f"{docker_size(free)} of this machine's disk is free"
        if free < self._workshop.reserve_bytes:
            self._may_be_paused = True
            count = seats.pause_all(self._workshop)  # each time anew: one may have started meanwhile
            return f"{told}: {count} seats paused" if count else ""
        if self._may_be_paused and free >= self._workshop.reserve_bytes * _ENOUGH_AGAIN:
            count = seats.unpause_all(self._workshop)
            self._may_be_paused = False
            return f"{told}: {count} seats go on" if count else ""
        return ""


def main() -> None:
    """Look at the disk every second, until the process is ended."""
    guard = Guard(settings.load())
    while True:
        try:
            done = guard.look()
        except DmHelpersError as error:
            done = str(error)
        if done:
            sys.stdout.write(f"{time.strftime('%FT%TZ', time.gmtime())} {done}\n")
            sys.stdout.flush()
        time.sleep(_LOOK_EVERY_S)


if __name__ == "__main__":
    main()
