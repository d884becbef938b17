"""What a rehearsal finds, as records, and how many seats follow from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dmhelpers.workshop import machine

_KEPT_FREE_FRACTION = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """What one learner's run took.

    Args:
        login: Who.
        seat_s: From the login until JupyterLab answered.
        notebook_s: From the first cell until the last one ended.
        memory_bytes: The most that the seat held at once, as sampled.
        disk_bytes: What the disk took of the machine's, at the end.
        failure: Why the run did not reach its verdict, or what of it was lost; ``""`` where neither.
        again: How many cells were run again after a fault of the drill.
        cuts: How often the connection to the kernel was opened again.
        saves: How many times a file was saved during the drill; the last one was there at the end.
    """

    login: str
    seat_s: float = 0.0
    notebook_s: float = 0.0
    memory_bytes: int = 0
    disk_bytes: int = 0
    failure: str = ""
    again: int = 0
    cuts: int = 0
    saves: int = 0


@dataclass(frozen=True, slots=True)
class Peak:
    """What the machine as a whole had at the worst moment: memory in use beyond the start, disk taken, load."""

    memory_bytes: int
    disk_bytes: int
    load: float


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that was broken on purpose in the middle of a rehearsal.

    Args:
        what: What was broken, and whose.
        at_work: How many learners were running the notebook at that moment.
        lasted_s: How long it was kept broken; 0 for what was killed, and may come back at once.
        back_s: From its end until all that it broke worked again; infinite where it never did.
        seen: What was seen meanwhile.
    """

    what: str
    at_work: int
    lasted_s: float
    back_s: float
    seen: str = ""

    @property
    def came_back(self) -> bool:
        """Whether all worked again by itself."""
        return math.isfinite(self.back_s)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rehearsal found; printed as a report."""

    created: str
    machine: machine.Machine
    pack: str
    places: tuple[Place, ...]
    peak: Peak
    seats_s: float
    whole_s: float
    faults: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every learner reached the verdict with all that they saved, and every fault passed."""
        return not any(one.failure for one in self.places) and all(one.came_back for one in self.faults)

    def __str__(self) -> str:
        from dmhelpers.workshop.report import as_text

        return as_text(self)


def seats_by_memory(found: Rehearsal) -> int:
    """Return how many such seats the machine's memory holds, a tenth of it kept free."""
    each = mean_memory(found)
    usable = found.machine.available_bytes - _KEPT_FREE_FRACTION * found.machine.memory_bytes
    return max(0, math.floor(usable / each)) if each else 0


def mean_memory(found: Rehearsal) -> float:
    """Return what a seat adds to the machine's memory at the worst moment, in bytes."""
    return found.peak.memory_bytes / len(found.places)


def seats_by_disk(found: Rehearsal) -> int:
    """Return how many such seats the machine's free disk holds, a tenth of the disk kept free."""
    each = mean_disk(found)
    usable = found.machine.disk_free_bytes - _KEPT_FREE_FRACTION * found.machine.disk_bytes
    return max(0, math.floor(usable / each)) if each else 0


def mean_disk(found: Rehearsal) -> float:
    """Return what a seat's disk takes of the machine's at the end of the notebook, in bytes."""
    return sum(one.disk_bytes for one in found.places) / len(found.places)
