"""The grid of learners and checks: who opened, passed, or is stuck on what."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from dmhelpers.workshop.view.reports import Check, Exercise, exercises, notebooks
from dmhelpers.workshop.view.store import Learner

State = Literal["passed", "stuck", "trying", "opened", "not opened"]
STUCK_TRIES = 3
STUCK_MINUTES = 10.0
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Limits:
    """When a learner is stuck on a check: not passed, and so many tries, or so many minutes since the first one."""

    tries: int = STUCK_TRIES
    minutes: float = STUCK_MINUTES


@dataclass(frozen=True, slots=True)
class Cell:
    """One learner at one check: its state, how often it was tried, when first, and when it passed."""

    exercise: Exercise
    state: State
    tries: int = 0
    first_try_at: float | None = None
    done_at: float | None = None

    def minutes(self, now: float) -> float | None:
        """Return the minutes since the first try, until it passed or until now; None where not known."""
        end = self.done_at if self.state == "passed" else now
        return None if self.first_try_at is None or end is None else max(0.0, (end - self.first_try_at) / 60)


@dataclass(frozen=True, slots=True)
class Row:
    """One learner: the notebook they opened last (empty for none), and their cells.

    `stuck` are those of the cells that need help now, `until` is when time alone makes one of the states another.
    """

    learner: Learner
    last_opened: str
    cells: tuple[Cell, ...]
    stuck: tuple[Cell, ...]
    until: float

    @property
    def number(self) -> int:
        """The number that stands for the learner."""
        return self.learner.number


@dataclass(frozen=True, slots=True)
class Grid:
    """All learners, by number, over the columns, at a moment in seconds since 1970.

    A notebook without exercises has one column, without a number.
    """

    columns: tuple[Exercise, ...]
    rows: tuple[Row, ...]
    now: float

    def passed(self, column: int) -> int:
        """Return how many learners passed the check of a column; without one, how many opened the notebook."""
        wanted = ("passed",) if self.columns[column].number else ("passed", "opened")
        return sum(row.cells[column].state in wanted for row in self.rows)

    def stuck(self) -> list[tuple[Row, Cell]]:
        """Return who is stuck on what in the notebook that they opened last, the longest first.

        Who has gone on to another notebook needs no help now; the grid still shows what was left.
        """
        found = [(row, cell) for row in self.rows for cell in row.stuck]
        return sorted(found, key=lambda one: -(one[1].minutes(self.now) or 0))


def columns() -> tuple[Exercise, ...]:
    """Return the columns in the order of the course."""
    found: list[Exercise] = []
    for name in notebooks():
        here = [one for one in exercises() if one.notebook == name]
        found += here or [Exercise("", name)]
    return tuple(found)


def grid(learners: Sequence[Learner], *, now: float, limits: Limits, before: Grid | None = None) -> Grid:
    """Return the grid of these learners at a moment.

    Args:
        learners: By number.
        now: Seconds since 1970.
        limits: When somebody counts as stuck.
        before: An earlier grid under the same limits; rows in which nothing changed since are taken from it.
    """
    across = before.columns if before else columns()
    known = {row.number: row for row in before.rows} if before else {}

    def row_of(one: Learner) -> Row:
        row = known.get(one.number)
        return row if row and row.learner is one and now < row.until else _row(one, across, now, limits)

    return Grid(across, tuple(map(row_of, learners)), now)


def _row(learner: Learner, across: Sequence[Exercise], now: float, limits: Limits) -> Row:
    report = learner.report
    begun = {one.notebook for one in across if one.number in report.checks} | set(report.opened)
    cells = tuple(_cell(one, report.checks.get(one.number), one.notebook in begun, now, limits) for one in across)
    last = max(report.opened, key=lambda name: report.opened[name], default="")
    stuck = tuple(one for one in cells if one.state == "stuck" and last in ("", one.exercise.notebook))
    trying = (one.first_try_at for one in cells if one.state == "trying" and one.first_try_at is not None)
    return Row(learner, last, cells, stuck, min(trying, default=math.inf) + limits.minutes * 60)


def _cell(exercise: Exercise, check: Check | None, begun: bool, now: float, limits: Limits) -> Cell:
    if check is None or not (check.tries or check.done):
        return Cell(exercise, "opened" if begun else "not opened")
    if check.done:
        return Cell(exercise, "passed", check.tries, check.first_try_at, check.done_at)
    begun_at = check.first_try_at
    stuck = check.tries >= limits.tries or (begun_at is not None and now >= begun_at + limits.minutes * 60)
    return Cell(exercise, "stuck" if stuck else "trying", check.tries, begun_at)


def as_csv(found: Grid) -> str:
    """Return one line a learner and column: ``learner, notebook, check, state, tries, minutes, last_report``.

    The minutes are since the first try, until it passed or until now; the last report is a time in UTC. A name that
    a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["learner", "notebook", "check", "state", "tries", "minutes", "last_report"])
    for row in found.rows:
        label = row.learner.label
        label = f"'{label}" if label.startswith(_FORMULA) else label
        seen = datetime.fromtimestamp(row.learner.seen_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for cell in row.cells:
            since = cell.minutes(found.now)
            minutes = "" if since is None else f"{since:.1f}"
            tries = cell.tries if cell.exercise.number else ""
            writer.writerow([label, cell.exercise.notebook, cell.exercise.number, cell.state, tries, minutes, seen])
    return text.getvalue()
