"""Exercises and verdicts, as data."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dmhelpers.show import stamp


class NotYet(Exception):
    """Ends a check early: what is missing makes the rest of it pointless. It never leaves `check`."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What a try at a scored exercise weighs: the ID of its image, its bytes beyond the base, its build's seconds."""

    image: str
    size_beyond_base_bytes: int
    build_s: float


class Look:
    """What a check has seen so far and what it misses, in the order in which it looked.

    Args:
        answer: What the learner gave to `check` beside the state of the engine.
    """

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.seen: list[str] = []
        self.missing: list[str] = []
        self.weight: Weight | None = None

    def weigh(self, weight: Weight) -> None:
        """Note what the try weighs, for the scoreboard."""
        self.weight = weight

    def saw(self, text: str) -> None:
        """Note something that is as it should be."""
        self.seen.append(text)

    def lacks(self, text: str) -> None:
        """Note something that is missing: what was found instead, never how to write it."""
        self.missing.append(text)

    def expect(self, holds: bool, seen: str, missing: str) -> bool:
        """Note one or the other, and return `holds`."""
        if holds:
            self.saw(seen)
        else:
            self.lacks(missing)
        return holds

    def need(self, holds: bool, seen: str, missing: str) -> None:
        """Note what was seen, or end the check with what is missing."""
        if not holds:
            raise NotYet(missing)
        self.saw(seen)

    def end_if_missing(self) -> None:
        """End the check here if something is missing: what follows costs time and would only repeat it."""
        if self.missing:
            raise NotYet(self.missing.pop())


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise: its number, where it stands, what is asked, two hints, and what looks at the result.

    `images` holds the names that the learner's images are to have; the check finds the work by them.
    `scored` says that each try is kept for `score`.
    """

    number: str
    notebook: str
    title: str
    prompt: str
    hints: tuple[str, str]
    images: tuple[str, ...]
    look: Callable[[Look], None]
    scored: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an exercise is done, what the check saw and what it still misses; shows itself."""

    exercise: str
    title: str
    done: bool
    seen: tuple[str, ...]
    missing: tuple[str, ...]
    note: str = ""

    @property
    def word(self) -> str:
        """``"done"`` or ``"not yet"``."""
        return "done" if self.done else "not yet"

    @property
    def next_step(self) -> str:
        """What to do now; empty when it is done."""
        return "" if self.done else f'Change your answer and check again; dm.hint("{self.exercise}") gives a hint.'

    def __str__(self) -> str:
        lines = [f"{self.exercise} {self.word}: {self.title}"]
        lines += [f"  seen     {one}" for one in self.seen]
        lines += [f"  missing  {one}" for one in self.missing]
        return stamp.lines(*lines, *filter(None, [self.next_step, self.note]))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = html_rows("seen", self.seen) + html_rows("missing", self.missing)
        after = "".join(f"<p>{html.escape(one)}</p>" for one in (self.next_step, self.note) if one)
        return (
            f"<p><strong>{self.exercise}: {self.word}.</strong> {html.escape(self.title)}</p>"
            f"<table><tbody>{rows}</tbody></table>{after}{stamp.paragraph()}"
        )


@dataclass(frozen=True, slots=True)
class Hint:
    """One hint: its number among those of the exercise, and its words."""

    exercise: str
    number: int
    of: int
    text: str

    def __str__(self) -> str:
        return f"Hint {self.number} of {self.of} for {self.exercise}: {self.text}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p><strong>Hint {self.number} of {self.of}.</strong> {html.escape(self.text)}</p>"


def html_rows(name: str, texts: Iterable[str]) -> str:
    """Return a table row for each text, headed by one word."""
    return "".join(
        f'<tr><th scope="row" style="text-align:left">{name}</th>'
        f'<td style="text-align:left">{html.escape(one)}</td></tr>'
        for one in texts
    )
