"""`dm.parsons`: the lines of a Dockerfile, shuffled, to be put in order; the answer is really built."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from types import EllipsisType
from typing import Any

from dmhelpers.course.puzzles.board import Board
from dmhelpers.course.puzzles.judge import judge
from dmhelpers.course.puzzles.library import problem
from dmhelpers.course.puzzles.ordering import Ordering
from dmhelpers.course.puzzles.records import Judged, Problem, is_stub
from dmhelpers.show.widget_view import view_of


class Parsons:
    """One Parsons problem and the learner's order of its lines, which outlives the kernel.

    Args:
        posed: The problem.
    """

    def __init__(self, posed: Problem) -> None:
        self.problem = posed
        self.ordering = Ordering(posed)
        self._board: Board | None = None

    @property
    def order(self) -> tuple[int, ...]:
        """The numbers of the lines that are in, in order."""
        return tuple(self.ordering.order)

    @property
    def dockerfile(self) -> str:
        """The Dockerfile so far."""
        return self.problem.dockerfile(self.order)

    @property
    def result(self) -> Judged | None:
        """What the board's button last said; None before."""
        return self._board.result if self._board else None

    @property
    def board(self) -> Board:
        """The buttons."""
        if self._board is None:
            self._board = Board(self.ordering, self.check)
        return self._board

    def answer(self, order: Sequence[int] | EllipsisType) -> Judged:
        """Put the lines in this order, build the Dockerfile, and say whether it is right.

        Args:
            order: Numbers of lines; those that do not belong are left out. ``...`` stands for your order as it is,
                such as the buttons made it.

        Returns:
            What `check` returns.

        Raises:
            InputError: A number is not of a line, or is there twice.
            EngineUnavailable: No engine answers.
        """
        if isinstance(order, EllipsisType) or is_stub(order):
            return self.check()
        self.ordering.replace(order)
        if self._board is not None:
            self._board.show()
        return self.check()

    def check(self) -> Judged:
        """Build the Dockerfile so far and say whether it is right: by what the engine made, never by its text.

        Returns:
            Solved or not yet, with what was seen, what is missing, what the engine said, and what there is to say of
            lines that do not belong. It is counted in `progress` as ``"parsons NAME"``.

        Raises:
            EngineUnavailable: No engine answers.
        """
        return judge(self.problem, self.order)

    def __str__(self) -> str:
        posed = self.problem
        lines = [f"{posed.name}: {posed.title} ({posed.level})", *textwrap.wrap(posed.task, 100), ""]
        width = len(str(len(posed.lines)))
        lines += [f"  {one.number:>{width}}  {one.text}" for one in posed.lines]
        so_far = ", ".join(map(str, self.order)) or "no line is in yet"
        return "\n".join([*lines, "", f"Your order: {so_far}", f"Answer with: {self._how()}"])

    def __repr__(self) -> str:
        return f"<Parsons {self.problem.name}, {len(self.order)} of {len(self.problem.lines)} lines in>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": str(self), "text/html": self._static()} | view_of(self.board.widget)

    def _how(self) -> str:
        return f'dm.parsons("{self.problem.name}").answer([…])'

    def _static(self) -> str:
        posed = self.problem
        rows = "".join(f"<li><code>{html.escape(one.text)}</code></li>" for one in posed.lines)
        so_far = ", ".join(map(str, self.order)) or "no line is in yet"
        return (
            f"<p><strong>{html.escape(posed.title)}</strong> ({posed.level}). {html.escape(posed.task)}</p>"
            f"<ol>{rows}</ol><p>Your order: {so_far}. Answer with <code>{html.escape(self._how())}</code></p>"
        )


def parsons(name: str) -> Parsons:
    """Put shuffled lines of a Dockerfile in order; some do not belong. The engine judges what they build.

    Args:
        name: ``"two-stages"``, ``"cache-order"``, ``"test-stage"`` or ``"go-scratch"``, from easy to hard.

    Returns:
        The problem: buttons in a notebook, numbered lines elsewhere, and ``.answer([3, 1, 2])`` by line numbers.
        Your order is kept in the workspace, in ``puzzles/NAME.txt``.

    Raises:
        InputError: There is no such problem; close names are offered.
    """
    return Parsons(problem(name))
