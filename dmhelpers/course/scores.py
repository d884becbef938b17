"""The scoreboard of the challenge: a learner's own tries, in one plain file of the workspace."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmhelpers.course import kept
from dmhelpers.errors import InputError, near_matches

if TYPE_CHECKING:
    import pandas as pd

FILE = "scores.json"
KEPT = 50
"""How many tries of one exercise are kept: the best that passed, and the latest of the others."""


@dataclass(frozen=True, slots=True)
class Try:
    """One try: when it was checked, what it weighs beyond its base, how long its build took, whether it passed.

    `image` is the ID of what was checked, so that a second check of the same image is no second try.
    """

    at: str
    image: str
    size_beyond_base_bytes: int
    build_s: float
    passed: bool

    @property
    def rank(self) -> tuple[bool, int, float]:
        """What tries are ordered by: those that passed first, then by size, then by seconds."""
        return not self.passed, self.size_beyond_base_bytes, self.build_s


def score(exercise: str) -> pd.DataFrame:
    """Return your tries at one task of the challenge, the best first.

    Args:
        exercise: Its number, such as ``"12-a"``.

    Returns:
        One row a checked image, those that passed first, the smallest before the others. Columns ``try``
        (int64, from 1 in the order of time), ``date`` (str, UTC), ``passed`` (str, ``"yes"`` or ``"no"``),
        ``beyond_base_bytes`` (int64, the unpacked size without the base image; for two images their sum),
        ``behind_best_bytes`` (Int64, the difference to the first row; missing where none has passed) and ``build_s``
        (float64, of the build that made it, with what its cache saved). Kept in ``scores.json`` in the workspace;
        nothing is sent, and nobody else's tries are in it.

    Raises:
        InputError: There is no such task.
    """
    from dmhelpers.course.checks import exercises
    from dmhelpers.show import tables

    wanted, known = str(exercise).strip().lower(), [one.number for one in exercises() if one.scored]
    if wanted not in known:
        raise InputError(f"No tries are kept for {exercise!r}.", hint=near_matches(wanted, known))
    numbered = sorted(enumerate(tries(wanted), start=1), key=lambda one: one[1].rank)
    best = numbered[0][1] if numbered and numbered[0][1].passed else None
    return tables.columns(
        {
            "try": [number for number, _ in numbered],
            "date": [one.at for _, one in numbered],
            "passed": ["yes" if one.passed else "no" for _, one in numbered],
            "beyond_base_bytes": [one.size_beyond_base_bytes for _, one in numbered],
            "behind_best_bytes": [
                one.size_beyond_base_bytes - best.size_beyond_base_bytes if best else None for _, one in numbered
            ],
            "build_s": [one.build_s for _, one in numbered],
        },
        integers=("try", "beyond_base_bytes"),
        lines=("behind_best_bytes",),
    )


def tries(exercise: str) -> tuple[Try, ...]:
    """Return the tries at an exercise in the order of time; what cannot be read is left out."""
    try:
        found = json.loads(scores_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ()
    listed = found.get(exercise) if isinstance(found, dict) else None
    return tuple(one for raw in listed if (one := _try(raw))) if isinstance(listed, list) else ()


def note_try(exercise: str, *, image: str, size_beyond_base_bytes: int, build_s: float, passed: bool) -> Try:
    """Keep a try; a second one of the same image takes the first one's place, and what passed once stays so.

    Raises:
        InputError: The workspace cannot be written to.
    """
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
    new = Try(now, image, size_beyond_base_bytes, round(build_s, 1), passed)
    path = scores_file()
    try:
        with kept.exclusively(path, _is_scores):
            known = list(tries(exercise))
            same = next((number for number, one in enumerate(known) if one.image == image), None)
            if same is None:
                known.append(new)
            else:
                # Its first build made it; a later one may only have found it in the build cache.
                known[same] = new = replace(known[same], passed=known[same].passed or passed)
            content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            kept.write(path, {**content, exercise: [asdict(one) for one in _bounded(known)]})
    except OSError as error:
        raise InputError(
            f"Your tries cannot be kept in {str(path)!r}: {error.strerror or error}.",
            hint="Choose a workspace that you may write to: set DMHELPERS_WORKSPACE.",
        ) from error
    return new


def scores_file() -> Path:
    """Return where the tries are kept; the file need not exist yet."""
    return kept.file(FILE)


def _bounded(known: list[Try]) -> list[Try]:
    if len(known) <= KEPT:
        return known
    best = min(known, key=lambda one: one.rank)
    latest = known[-KEPT:]
    return latest if best in latest else [best, *latest[1:]]


def _is_scores(value: Any) -> bool:
    """Say whether all of the file can be read: what cannot is put aside whole, not dropped line by line."""
    return isinstance(value, dict) and all(
        isinstance(listed, list) and all(_try(one) for one in listed) for listed in value.values()
    )


def _try(raw: Any) -> Try | None:
    kinds = {"at": str, "image": str, "size_beyond_base_bytes": int, "build_s": (int, float), "passed": bool}
    if not isinstance(raw, dict) or raw.keys() != kinds.keys():
        return None
    sound = all(isinstance(raw[name], kind) for name, kind in kinds.items())  # type: ignore[arg-type]
    sound = sound and not any(isinstance(raw[name], bool) for name in ("size_beyond_base_bytes", "build_s"))
    if not sound or not math.isfinite(raw["build_s"]) or abs(raw["size_beyond_base_bytes"]) >= 2**62:
        return None
    return Try(**raw)
