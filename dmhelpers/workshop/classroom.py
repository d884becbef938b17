"""A class of a rehearsal: learners who come in, run notebook 05, and save as they go."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from dmhelpers.course.notebooks import read, shelf, source, tags
from dmhelpers.errors import DmHelpersError
from dmhelpers.workshop import disks
from dmhelpers.workshop.findings import Place
from dmhelpers.workshop.kernel import Kernel, Ran
from dmhelpers.workshop.learner import Visitor
from dmhelpers.workshop.roster import Card
from dmhelpers.workshop.settings import Workshop

NOTEBOOK = "05_building_and_measuring"

_SEAT_LIMIT_S = 900.0
_CELL_LIMIT_S = 1500.0
_TRIES_IN_A_DRILL = 5
_TRY_AGAIN_FOR_S = 300.0
_RUN_AGAIN_AFTER_S = 10.0
_LOOK_AGAIN_FOR_S = 300.0
_LOOK_AGAIN_AFTER_S = 1.0
_SAVE_EVERY_S = 5.0


class Classroom:
    """Learners at work at once, and who of them is in the middle of it.

    Args:
        workshop: The workshop.
        learners: How many are expected.
        drill: Whether something will be broken on purpose: learners then save as they go, and run a cell again
            that failed.
    """

    def __init__(self, workshop: Workshop, learners: int, *, drill: bool = False) -> None:
        self._workshop, self._learners, self._drill = workshop, learners, drill
        self._cells = _cells()
        self._changed = threading.Condition()
        self.dismissed = threading.Event()
        """Set when the class is broken off: whoever waits then ends."""
        self._begun: set[str] = set()
        self._ended: set[str] = set()

    def at_work(self) -> int:
        """Return how many are in the middle of the notebook."""
        with self._changed:
            return len(self._begun - self._ended)

    def wait_for_all(self, limit_s: float) -> None:
        """Wait until everybody is in the middle of the notebook, or has ended."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._begun | self._ended) >= self._learners, limit_s)

    def come_in(self, card: Card) -> tuple[Visitor, Place]:
        """Log a learner in and start their seat; what failed stands in the place."""
        begun, failure = time.perf_counter(), ""
        visitor = Visitor(self._workshop.url, card.login, card.code, left=self.dismissed)
        try:
            status = visitor.log_in()
            if status != 200:
                failure = f"the login was answered with {status}"
            else:
                visitor.start_seat(limit_s=_SEAT_LIMIT_S)
        except (DmHelpersError, OSError) as error:
            failure = _first_line(error)
        return visitor, Place(card.login, seat_s=time.perf_counter() - begun, failure=failure)

    def work(self, visitor: Visitor, place: Place) -> Place:
        """Have a learner run the notebook, and return what it took."""
        begun, saver = time.perf_counter(), Saver(visitor)
        try:
            if place.failure:
                return place
            if self._drill:
                saver.start()
            with visitor.kernel() as kernel:
                place = self._run_notebook(kernel, place)
                place = replace(place, cuts=kernel.cuts)
            if self._drill:
                place = replace(place, saves=saver.stop(), failure=place.failure or saver.lost())
        except (DmHelpersError, OSError) as error:
            place = replace(place, failure=_first_line(error))
        finally:
            saver.stop()
            self._mark(self._ended, place.login)
        taken = time.perf_counter() - begun
        return replace(place, notebook_s=taken, disk_bytes=disks.used_bytes(self._workshop, place.login))

    def _run_notebook(self, kernel: Kernel, place: Place) -> Place:
        """Run the solution up to its clean-up."""
        claims, checks, again = 0, 0, 0
        for cell in self._cells:
            missed, more = self._run_cell(kernel, cell)
            again += more
            if missed:
                return replace(place, again=again, failure=f"cell {cell['id']}: {missed}"[:300])
            claims += "claim" in tags(cell)
            checks += "check" in tags(cell)
            self._mark(self._begun, place.login)
        return replace(
            place, again=again, failure="" if claims and checks else "the notebook has no claim or no check"
        )

    def _run_cell(self, kernel: Kernel, cell: dict[str, object]) -> tuple[str, int]:
        """Run a cell, in a drill again for as long as what was broken may take to come back.

        Returns:
            What it missed, ``""`` for nothing, and how often it was run again.
        """
        missed, again = _missed(cell, kernel.run(source(cell), limit_s=_CELL_LIMIT_S)), 0
        deadline = time.monotonic() + _TRY_AGAIN_FOR_S
        while self._drill and missed and (again < _TRIES_IN_A_DRILL - 1 or time.monotonic() < deadline):
            self.dismissed.wait(_RUN_AGAIN_AFTER_S)
            missed, again = _missed(cell, kernel.run(source(cell), limit_s=_CELL_LIMIT_S)), again + 1
        return missed, again

    def _mark(self, group: set[str], login: str) -> None:
        with self._changed:
            group.add(login)
            self._changed.notify_all()


class Saver:
    """A learner's file that is saved every few seconds with the next number in it.

    What the server acknowledged must be there at the end.
    """

    FILE = "saved.txt"

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._save_on, daemon=True)
        self.acknowledged = 0
        """The last number that the server said is saved."""

    def start(self) -> None:
        """Begin to save."""
        self._thread.start()

    def stop(self) -> int:
        """End, and return the last number that was acknowledged; 0 where none was."""
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join()
        return self.acknowledged

    def lost(self) -> str:
        """Return what was acknowledged and is not there, ``""`` for nothing."""
        if not self.acknowledged:
            return "nothing could be saved during the drill"
        found = self._look().strip()
        if found.isdigit() and int(found) >= self.acknowledged:
            return ""
        return f"save {self.acknowledged} was acknowledged, and the file holds {found[:20]!r}"

    def _look(self) -> str:
        """Return what the file holds; who is cut off just now looks again, as a learner would."""
        deadline = time.monotonic() + _LOOK_AGAIN_FOR_S
        while True:
            try:
                return self._visitor.saved(self.FILE)
            except (DmHelpersError, OSError):
                if self._visitor.left.wait(_LOOK_AGAIN_AFTER_S) or time.monotonic() > deadline:
                    raise

    def _save_on(self) -> None:
        number = 0
        while not self._done.is_set():
            number += 1
            try:
                if self._visitor.save(self.FILE, f"{number}\n"):
                    self.acknowledged = number
            except OSError:  # cut off; a learner saves again
                pass
            self._done.wait(_SAVE_EVERY_S)


def _missed(cell: dict[str, object], ran: Ran) -> str:
    is_not_passed = "check" in tags(cell) and "not yet" in ran.text
    return ran.error or (ran.text.strip() if is_not_passed else "")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _cells() -> Sequence[dict[str, object]]:
    notebook = read(shelf().solution(NOTEBOOK))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "cleanup" not in tags(cell)]
