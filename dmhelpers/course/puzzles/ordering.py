"""A learner's order of a problem's lines: what each press of a button does to it, and how it is kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dmhelpers.course.puzzles.records import Problem
from dmhelpers.course.samples import workspace_folder
from dmhelpers.errors import InputError


class Ordering:
    """The lines that are in, in order, and the one that is chosen; kept in the workspace after each change.

    Args:
        problem: The problem.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.order: list[int] = read_order(problem)
        self.chosen: int | None = self.order[-1] if self.order else None
        self.trouble = ""

    @property
    def place(self) -> int:
        """The place of the chosen line, counted from 0; -1 where none is chosen."""
        return self.order.index(self.chosen) if self.chosen in self.order else -1

    def press(self, number: int) -> None:
        """Put a line in below the chosen one and choose it; take it out if it is in."""
        if number in self.order:
            self.choose(number)
            self.take_out()
            return
        self.order.insert(self.place + 1 if self.order else 0, number)
        self.chosen = number
        self._keep()

    def choose(self, number: int) -> None:
        """Choose a line that is in."""
        self.chosen = number

    def move(self, by: int) -> None:
        """Move the chosen line up (-1) or down (1); at either end it stays."""
        here, there = self.place, self.place + by
        if here >= 0 and 0 <= there < len(self.order):
            self.order[here], self.order[there] = self.order[there], self.order[here]
            self._keep()

    def take_out(self) -> None:
        """Take the chosen line out, and choose the one above it, or what is first then."""
        place = self.place
        if place >= 0:
            del self.order[place]
            self.chosen = self.order[max(place - 1, 0)] if self.order else None
            self._keep()

    def replace(self, order: Sequence[int]) -> None:
        """Take an order as a whole.

        Raises:
            InputError: It names a line that is not there, or one twice.
        """
        self.order = checked(self.problem, order)
        self.chosen = self.order[-1] if self.order else None
        self._keep()

    def _keep(self) -> None:
        try:
            write_order(self.problem, self.order)
        except OSError as error:
            self.trouble = f"Your order cannot be kept in the workspace: {error.strerror or error}."


def checked(problem: Problem, order: object) -> list[int]:
    """Return an order of lines as a list.

    Raises:
        InputError: It names a line that is not there, or one twice.
    """
    numbers: list[Any] = list(order) if isinstance(order, list | tuple) else [order]
    count = len(problem.lines)
    wrong = [one for one in numbers if type(one) is not int or not 1 <= one <= count]
    if wrong:
        raise InputError(
            f"{wrong[0]!r} is not the number of a line of {problem.name}; they go from 1 to {count}.",
            hint=f"Give the numbers in order, as in .answer({list(range(1, min(count, 3) + 1))})",
        )
    twice = [one for one in numbers if numbers.count(one) > 1]
    if twice:
        raise InputError(f"Line {twice[0]} is in your answer twice.", hint="Give each number once, or leave it out.")
    return numbers


def order_file(problem: Problem) -> Path:
    """Return where a learner's order is kept: a text file in the workspace, a line a line."""
    return workspace_folder() / "puzzles" / f"{problem.name}.txt"


def read_order(problem: Problem) -> list[int]:
    """Return the order that was kept; empty where there is none, or one of other lines."""
    try:
        rows = order_file(problem).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    numbers = []
    for row in rows:
        number, _, text = row.strip().partition("  ")
        known = problem.lines[int(number) - 1].text if number.isdecimal() and _is_line(problem, int(number)) else None
        if known != text:
            return []  # the problem was changed since, or the file is another one
        numbers.append(int(number))
    return numbers if len(set(numbers)) == len(numbers) else []


def write_order(problem: Problem, order: Sequence[int]) -> None:
    """Keep an order: the whole file or none of it."""
    path = order_file(problem)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{number}  {problem.lines[number - 1].text}\n" for number in order)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _is_line(problem: Problem, number: int) -> bool:
    return 1 <= number <= len(problem.lines)
