"""The grid of learners and checks: who opened, passed, or is stuck on what."""

from __future__ import annotations

import csv
import io
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
    """One learner at one check; `minutes` are since the first try, until it passed or until now."""

    exercise: Exercise
    state: State
    tries: int = 0
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One learner: label, the notebook they opened last (empty for none), when they last reported, their cells."""

    number: int
    label: str
    last_opened: str
    seen_at: float
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """All learners, by number, over the columns; a notebook without exercises has one column, without a number."""

    columns: tuple[Exercise, ...]
    rows: tuple[Row, ...]

    def passed(self, column: int) -> int:
        """Return how many learners passed the check of a column; without one, how many opened the notebook."""
        wanted = ("passed",) if self.columns[column].number else ("passed", "opened")
        return sum(row.cells[column].state in wanted for row in self.rows)

    def stuck(self) -> list[tuple[Row, Cell]]:
        """Return who is stuck on what in the notebook that they opened last, the longest first.

        Who has gone on to another notebook needs no help now; the grid still shows what was left.
        """
        found = [(row, cell) for row in self.rows for cell in row.cells if cell.state == "stuck"]
        found = [(row, cell) for row, cell in found if row.last_opened in ("", cell.exercise.notebook)]
        return sorted(found, key=lambda one: -(one[1].minutes or 0))


def columns() -> tuple[Exercise, ...]:
    """Return the columns in the order of the course."""
    found: list[Exercise] = []
    for name in notebooks():
        here = [one for one in exercises() if one.notebook == name]
        found += here or [Exercise("", name)]
    return tuple(found)


def grid(learners: Sequence[Learner], *, now: float, limits: Limits) -> Grid:
    """Return the grid of these learners at a moment, in seconds since 1970."""
    across = columns()
    return Grid(across, tuple(_row(one, across, now, limits) for one in learners))


def _row(learner: Learner, across: Sequence[Exercise], now: float, limits: Limits) -> Row:
    report = learner.report
    begun = {one.notebook for one in across if one.number in report.checks} | set(report.opened)
    cells = tuple(_cell(one, report.checks.get(one.number), one.notebook in begun, now, limits) for one in across)
    last = max(report.opened, key=lambda name: report.opened[name], default="")
    return Row(learner.number, learner.label, last, learner.seen_at, cells)


def _cell(exercise: Exercise, check: Check | None, begun: bool, now: float, limits: Limits) -> Cell:
    if check is None or not (check.tries or check.done):
        return Cell(exercise, "opened" if begun else "not opened")
    if check.done:
        return Cell(exercise, "passed", check.tries, _minutes(check.first_try_at, check.done_at))
    minutes = _minutes(check.first_try_at, now)
    stuck = check.tries >= limits.tries or (minutes is not None and minutes >= limits.minutes)
    return Cell(exercise, "stuck" if stuck else "trying", check.tries, minutes)


def _minutes(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else max(0.0, (end - begin) / 60)


def as_csv(found: Grid) -> str:
    """Return one line a learner and column: ``learner, notebook, check, state, tries, minutes, last_report``.

    The minutes are since the first try, until it passed or until now; the last report is a time in UTC. A name that
    a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["learner", "notebook", "check", "state", "tries", "minutes", "last_report"])
    for row in found.rows:
        label = f"'{row.label}" if row.label.startswith(_FORMULA) else row.label
        seen = datetime.fromtimestamp(row.seen_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for cell in row.cells:
            minutes = "" if cell.minutes is None else f"{cell.minutes:.1f}"
            tries = cell.tries if cell.exercise.number else ""
            writer.writerow([label, cell.exercise.notebook, cell.exercise.number, cell.state, tries, minutes, seen])
    return text.getvalue()
