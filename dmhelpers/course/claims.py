"""Claims: a sentence of the course, held against what was measured a moment ago."""

from __future__ import annotations

import html
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from dmhelpers.engine.recorded import marks
from dmhelpers.errors import ClaimBroken

CLAIMS_LOG = "DMHELPERS_CLAIMS_LOG"
"""The environment variable that names a file to which each claim is added as a line of JSON."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, what it expects, what was measured, and whether it holds here.

    `outdated` marks a sentence of the written exercise that is no longer true of today's Docker; `recorded` says
    when and with which engine it was measured, in recorded mode, else ``""``.
    """

    claim: str
    expected: str
    measured: str
    holds: bool
    outdated: bool = False
    recorded: str = ""

    @property
    def verdict(self) -> str:
        """``"yes"``, ``"no"``, or for an outdated sentence that indeed does not hold ``"no, outdated"``."""
        if self.holds:
            return "yes"
        return "no, outdated" if self.outdated else "no"

    def __str__(self) -> str:
        return "\n".join(f"{name + ':':<10}{value}" for name, value in self._rows())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{name}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for name, value in self._rows()
        )
        return f"<table><tbody>{rows}</tbody></table>"

    def _rows(self) -> tuple[tuple[str, str], ...]:
        return (
            ("claim", self.claim),
            ("expected", self.expected),
            ("measured", self.measured),
            ("holds", self.verdict),
            *([("recorded", self.recorded.removeprefix("recorded "))] if self.recorded else []),
        )


def claim(text: str, *, expected: object, measured: object, holds: bool, outdated: bool = False) -> Claim:
    """State a sentence and hold it against what was measured.

    Args:
        text: The sentence.
        expected: What it says, in its own words or figures.
        measured: What was measured here; sizes as `docker_size` prints them.
        holds: Whether the measurement agrees, worked out from the measured values.
        outdated: The sentence was true once and is not today: it is shown with its measurement, and the
            error comes when it *does* hold.

    Returns:
        The claim, which shows itself. With `DMHELPERS_CLAIMS_LOG` set, it is also added to that file.

    Raises:
        ClaimBroken: It does not hold; or it is said to be outdated, and holds.
    """
    made = Claim(text, str(expected), str(measured), bool(holds), outdated, marks.sentence())
    _log(made)
    if made.holds == outdated:
        raise ClaimBroken(_broken(made), hint=_cure(made))
    return made


def _broken(made: Claim) -> str:
    how = "holds, although it is marked as outdated" if made.outdated else "does not hold on this machine"
    return f"{made.claim!r} {how}: expected {made.expected}, measured {made.measured}."


def _cure(made: Claim) -> str:
    if made.outdated:
        return "Docker may have changed: take outdated=True away if the measurement is right."
    return "Run the notebook from its first cell; if it stays so, the measurement is right and the sentence is not."


def _log(made: Claim) -> None:
    path = os.environ.get(CLAIMS_LOG)
    if not path:
        return
    told = {name: value for name, value in asdict(made).items() if name != "recorded" or value}
    line = json.dumps(told, ensure_ascii=False) + "\n"
    # One write to a file opened for appending: notebooks that run side by side do not cut each other's lines.
    descriptor = os.open(Path(path).expanduser(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
