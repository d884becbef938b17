"""The class rehearsal: a workshop of its own in which N learners come in at once and run notebook 05 to its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from dmhelpers.errors import DmHelpersError, InputError
from dmhelpers.workshop import control, disks, drills, machine, preparing, roster, seats, services, settings
from dmhelpers.workshop.classroom import NOTEBOOK, Classroom
from dmhelpers.workshop.findings import Fault, Peak, Place, Rehearsal
from dmhelpers.workshop.settings import Workshop, folder_of

NAME = "rehearsal"

_SAMPLE_EVERY_S = 3.0

Say = Callable[[str], None]


@dataclass(slots=True)
class _Samples:
    memory: dict[str, int] = field(default_factory=dict)
    least_available_bytes: int = 2**62
    most_load: float = 0.0


def rehearse(
    learners: int, wanted: preparing.Wanted, *, drill: bool = False, say: Say = lambda _line: None
) -> Rehearsal:
    """Open a workshop for the rehearsal, let the learners in at once, and close it again.

    Args:
        learners: How many.
        wanted: What the workshop is to be; its names, address, port and name are the rehearsal's own.
        drill: Whether parts of the workshop are broken on purpose while the learners are at work.
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
    is_well = False
    try:
        opened = control.up(ours, say=say)
        found = _in_class(opened, say, drill=drill)
        is_well = found.ok
        return found
    finally:
        if control.exists(NAME):
            if not is_well:
                say(f"Its logs are kept: {services.keep_log(settings.load(folder_of(NAME)))}")
            say("Closing the rehearsal's workshop")
            control.down(NAME, discard=True)


def _in_class(opened: control.Opened, say: Say, *, drill: bool) -> Rehearsal:
    workshop = opened.workshop
    before, samples, done = machine.look(workshop.folder), _Samples(), threading.Event()
    sampler = threading.Thread(target=_sample, args=(workshop, samples, done), daemon=True)
    sampler.start()
    begun = time.perf_counter()
    try:
        places, faults, seats_s = _hold_class(opened, say, drill=drill)
    finally:
        done.set()
        sampler.join()
    whole_s = time.perf_counter() - begun
    peak = Peak(
        memory_bytes=max(0, before.available_bytes - samples.least_available_bytes),
        disk_bytes=sum(one.disk_bytes for one in places) + disks.used_bytes(workshop, disks.TEMPLATE),
        load=samples.most_load,
    )
    kept = tuple(replace(one, memory_bytes=samples.memory.get(one.login, 0)) for one in places)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Rehearsal(created, before, workshop.pack, kept, peak, seats_s, whole_s, faults)


def _hold_class(opened: control.Opened, say: Say, *, drill: bool) -> tuple[list[Place], tuple[Fault, ...], float]:
    """Return what each learner's run took, what was broken, and after how many seconds all seats answered."""
    workshop, begun = opened.workshop, time.perf_counter()
    cards = [one for one in opened.cards if one.login != roster.INSTRUCTOR]
    room = Classroom(workshop, len(cards), drill=drill)
    with ThreadPoolExecutor(len(cards) + 1) as pool, _dismissed_first(workshop, room):
        say(f"{len(cards)} learners come in")
        came = list(pool.map(room.come_in, cards))
        seats_s = time.perf_counter() - begun
        seated = [visitor for visitor, place in came if not place.failure]
        say(f"{len(seated)} seats answer after {seats_s:.0f} s; all run {NOTEBOOK}")
        broken = pool.submit(drills.run, workshop, seated, room, say) if drill and seated else None
        places = list(pool.map(lambda one: _told(room.work(*one), say), came))
        return places, broken.result() if broken else (), seats_s


def _told(place: Place, say: Say) -> Place:
    say(f"{place.login}: {place.failure or 'verdict reached'} after {place.notebook_s:.0f} s")
    return place


@contextmanager
def _dismissed_first(workshop: Workshop, room: Classroom) -> Iterator[None]:
    """If the block is left by Ctrl-C or an error, end what waits for an answer of a seat: remove the seats."""
    try:
        yield
    except BaseException:
        room.dismissed.set()
        services.stop(workshop)
        seats.remove_all(workshop)
        raise


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
