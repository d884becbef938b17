"""The class rehearsal: a workshop of its own in which N learners come in at once and run notebook 05 to its end."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from dmhelpers.course.notebooks import read, shelf, source, tags
from dmhelpers.errors import DmHelpersError, InputError
from dmhelpers.workshop import control, disks, machine, preparing, roster, seats, services
from dmhelpers.workshop.learner import Kernel, Ran, Visitor
from dmhelpers.workshop.settings import Workshop, folder_of

NOTEBOOK = "05_building_and_measuring"
NAME = "rehearsal"

_SEAT_LIMIT_S = 900.0
_CELL_LIMIT_S = 1500.0
_SAMPLE_EVERY_S = 3.0
_KEPT_FREE_FRACTION = 0.1

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """What one learner's run took.

    Args:
        login: Who.
        seat_s: From the login until JupyterLab answered.
        notebook_s: From the first cell until the last one ended.
        memory_bytes: The most that the seat held at once, as sampled.
        disk_bytes: What the disk took of the machine's, at the end.
        failure: Why the run did not reach its verdict; ``""`` where it did.
    """

    login: str
    seat_s: float = 0.0
    notebook_s: float = 0.0
    memory_bytes: int = 0
    disk_bytes: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Peak:
    """What the machine as a whole had at the worst moment: memory in use beyond the start, disk taken, load."""

    memory_bytes: int
    disk_bytes: int
    load: float


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

    @property
    def ok(self) -> bool:
        """Whether every learner reached the verdict."""
        return not any(one.failure for one in self.places)

    def __str__(self) -> str:
        from dmhelpers.workshop.report import as_text

        return as_text(self)


@dataclass(slots=True)
class _Samples:
    memory: dict[str, int] = field(default_factory=dict)
    least_available_bytes: int = 2**62
    most_load: float = 0.0


def rehearse(learners: int, wanted: preparing.Wanted, *, say: Say = lambda _line: None) -> Rehearsal:
    """Open a workshop for the rehearsal, let the learners in at once, and close it again.

    Args:
        learners: How many.
        wanted: What the workshop is to be; its names, address, port and name are the rehearsal's own.
        say: Takes one line a stage.

    Raises:
        InputError: Fewer than one learner, or another rehearsal is under way.
        DmHelpersError: The workshop did not open; nothing of it is left.
    """
    if learners < 1:
        raise InputError(f"A rehearsal with {learners} learners shows nothing.", hint="Give --learners 1 or more.")
    if control.exists(NAME):
        raise InputError(
            f"Another rehearsal is under way, or was killed: {folder_of(NAME)}",
            hint=f"If none runs: dmhelpers workshop down --name {NAME} --discard",
        )
    names = tuple(f"learner-{number:02d}" for number in range(1, learners + 1))
    ours = replace(wanted, names=names, name=NAME, address="127.0.0.1", port=0, idle_after_s=0)
    try:
        opened = control.up(ours, say=say)
        return _in_class(opened, say)
    finally:
        if control.exists(NAME):
            say("Closing the rehearsal's workshop")
            control.down(NAME, discard=True)


def _in_class(opened: control.Opened, say: Say) -> Rehearsal:
    workshop, cards = opened.workshop, [one for one in opened.cards if one.login != preparing.INSTRUCTOR]
    before, samples, done = machine.look(workshop.folder), _Samples(), threading.Event()
    sampler = threading.Thread(target=_sample, args=(workshop, samples, done), daemon=True)
    sampler.start()
    begun = time.perf_counter()
    try:
        with ThreadPoolExecutor(len(cards)) as pool, _seats_gone_first(workshop):
            say(f"{len(cards)} learners come in")
            visitors = list(pool.map(lambda one: _come_in(workshop, one), cards))
            seats_s = time.perf_counter() - begun
            answering = sum(not one.failure for _, one in visitors)
            say(f"{answering} seats answer after {seats_s:.0f} s; all run {NOTEBOOK}")
            places = list(pool.map(lambda one: _work(workshop, one[0], one[1], say), visitors))
    finally:
        done.set()
        sampler.join()
    whole_s, after = time.perf_counter() - begun, machine.look(workshop.folder)
    peak = Peak(
        memory_bytes=max(0, before.available_bytes - samples.least_available_bytes),
        disk_bytes=max(0, before.disk_free_bytes - after.disk_free_bytes),
        load=samples.most_load,
    )
    kept = tuple(replace(one, memory_bytes=samples.memory.get(one.login, 0)) for one in places)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Rehearsal(created, before, workshop.pack, kept, peak, seats_s, whole_s)


@contextmanager
def _seats_gone_first(workshop: Workshop) -> Iterator[None]:
    """Remove the seats if the block is left by Ctrl-C or an error: who waits for an answer of theirs then ends."""
    try:
        yield
    except BaseException:
        services.stop(workshop)
        seats.remove_all(workshop)
        raise


def _come_in(workshop: Workshop, card: roster.Card) -> tuple[Visitor, Place]:
    begun, visitor, failure = time.perf_counter(), Visitor(workshop.url, card.login, card.code), ""
    try:
        status = visitor.log_in()
        if status != 200:
            failure = f"the login was answered with {status}"
        else:
            visitor.start_seat(limit_s=_SEAT_LIMIT_S)
    except (DmHelpersError, OSError) as error:
        failure = _first_line(error)
    return visitor, Place(card.login, seat_s=time.perf_counter() - begun, failure=failure)


def _work(workshop: Workshop, visitor: Visitor, place: Place, say: Say) -> Place:
    if place.failure:
        return place
    begun, failure = time.perf_counter(), ""
    try:
        with visitor.kernel() as kernel:
            failure = _run_notebook(kernel)
    except (DmHelpersError, OSError) as error:
        failure = _first_line(error)
    taken = time.perf_counter() - begun
    say(f"{place.login}: {failure or 'verdict reached'} after {taken:.0f} s")
    return replace(place, notebook_s=taken, disk_bytes=disks.used_bytes(workshop, place.login), failure=failure)


def _run_notebook(kernel: Kernel) -> str:
    """Run the solution up to its clean-up and return what failed, ``""`` for nothing."""
    claims, checks = 0, 0
    for cell in _cells():
        ran: Ran = kernel.run(source(cell), limit_s=_CELL_LIMIT_S)
        if ran.error:
            return f"cell {cell['id']}: {ran.error}"[:300]
        claims += "claim" in tags(cell)
        if "check" in tags(cell):
            checks += 1
            if "not yet" in ran.text:
                return f"cell {cell['id']}: {ran.text.strip()}"[:300]
    return "" if claims and checks else "the notebook holds no claim and no check"


def _cells() -> Sequence[dict[str, object]]:
    notebook = read(shelf().solution(NOTEBOOK))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "cleanup" not in tags(cell)]


def _sample(workshop: Workshop, samples: _Samples, done: threading.Event) -> None:
    while not done.wait(_SAMPLE_EVERY_S):
        try:
            now = machine.look(workshop.folder)
            samples.least_available_bytes = min(samples.least_available_bytes, now.available_bytes)
            samples.most_load = max(samples.most_load, now.load)
            for one in seats.all_seats(workshop):
                held = seats.memory_bytes(one.container_id)
                samples.memory[one.login] = max(samples.memory.get(one.login, 0), held)
        except (DmHelpersError, LookupError, OSError):  # a container that is just ending
            continue
        except Exception as error:  # docker-py's NotFound, which need not be imported for that
            if type(error).__name__ != "NotFound":
                raise


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


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
