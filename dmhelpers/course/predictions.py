"""Predict, then measure: what a learner guessed before a build, beside what the engine then did."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from dmhelpers.course import progress
from dmhelpers.course.quantities import compare, pair, plain, quantity
from dmhelpers.errors import DmHelpersError
from dmhelpers.show import stamp

_HEADINGS = ("what", "your guess", "measured", "verdict")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The guesses that were noted under a name, as text, and those that are still open."""

    name: str
    noted: tuple[tuple[str, str], ...]
    open: tuple[str, ...]
    trouble: str = ""

    def __str__(self) -> str:
        lines = []
        if self.noted:
            lines.append(f"Noted: {'; '.join(f'{what} {guess}' for what, guess in self.noted)}.")
        if self.open:
            lines.append(f"No guess yet: fill in {', '.join(self.open)}.")
        return "\n".join([*lines, *filter(None, [self.trouble])]) or "Nothing was asked for."

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self)).replace(chr(10), '<br>')}</p>"


@dataclass(frozen=True, slots=True)
class Compared:
    """One guess beside its measurement; `verdict` is right, close, wrong, or off and by how much."""

    what: str
    guess: str
    measured: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Guesses beside measurements, in the order of the measurements."""

    name: str
    rows: tuple[Compared, ...]

    def __str__(self) -> str:
        cells = [_HEADINGS, *((one.what, one.guess, one.measured, one.verdict) for one in self.rows)]
        widths = [max(len(row[index]) for row in cells) for index in range(3)]
        return stamp.lines(
            *(
                "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
                for row in cells
            )
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" style="text-align:left">{one}</th>' for one in _HEADINGS)
        rows = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align:left">{html.escape(cell)}</td>'
                for cell in (one.what, one.guess, one.measured, one.verdict)
            )
            + "</tr>"
            for one in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{stamp.paragraph()}"


def predict(name: str, **guesses: Any) -> Prediction:
    """Write down what you expect before you measure.

    Args:
        name: What the guesses are about, such as ``"05-size"``; `compare_guess` asks for it by this name.
        guesses: One for each thing to be measured: a size (``"450MB"``, or bytes), a share (``"90%"``), seconds
            (``"12s"``), a count, a list or set of names (``{"builder", "runtime"}``), ``"yes"`` or ``"no"``. None and
            ``...`` stand for a guess that is still open.

    Returns:
        What was noted and what is still open. It never raises: a guess of another form is kept as words.
    """
    values = {what: plain(value) for what, value in guesses.items()}
    noted = {what: value for what, value in values.items() if value is not None}
    trouble = ""
    try:
        progress.note_guesses(name, noted)
    except DmHelpersError as error:
        trouble = str(error)
    return Prediction(
        name,
        noted=tuple((what, str(quantity(value))) for what, value in noted.items()),
        open=tuple(what for what in values if what not in noted),
        trouble=trouble,
    )


def compare_guess(name: str, **measured: Any) -> Comparison:
    """Show what was guessed beside what was measured.

    Args:
        name: The name that `predict` was given.
        measured: What was measured, under the words used there: bytes, a fraction, a bool, names, or text
            such as ``"138MB"``.

    Returns:
        One row a measurement. A guess within 10 % is ``close``; one that prints alike is ``right``.
    """
    known = progress.guesses(name)
    return Comparison(name, tuple(_compared(what, known.get(what), plain(value)) for what, value in measured.items()))


def _compared(what: str, guess: Any, measured: Any) -> Compared:
    if measured is None:
        return Compared(what, "none" if guess is None else str(quantity(guess)), "nothing", "not measured yet")
    if guess is None:
        return Compared(what, "none", str(quantity(measured)), "no guess yet")
    one, other = pair(guess, measured)
    return Compared(what, str(one), str(other), compare(one, other))
