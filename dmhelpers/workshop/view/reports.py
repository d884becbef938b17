"""What a learner's kernel reports, read with distrust: known names, bounded numbers, nothing else."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

VERSION = 1
MOST_BYTES = 16_384
MOST_TRIES = 100_000
MOST_AGE_S = 31 * 86_400.0


class BadReport(Exception):
    """A report that cannot be meant; says why, in words that hold nothing of the report."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """An exercise, by its number and the notebook that it stands in."""

    number: str
    notebook: str


@dataclass(frozen=True, slots=True)
class Check:
    """How far one check is. Times are seconds since 1970 by the service's own clock, None where not known."""

    done: bool
    tries: int
    first_try_at: float | None = None
    done_at: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A learner's whole state: when each notebook was last opened, and each check that was ever tried."""

    shares_name: bool
    opened: dict[str, float]
    checks: dict[str, Check]


@functools.lru_cache(maxsize=1)
def exercises() -> tuple[Exercise, ...]:
    """Return the exercises of the course, in its order."""
    from dmhelpers.course import checks

    return tuple(Exercise(one.number, one.notebook) for one in checks.exercises())


@functools.lru_cache(maxsize=1)
def notebooks() -> tuple[str, ...]:
    """Return the names of the notebooks, in their order."""
    from dmhelpers.course.notebooks import NAMES

    return NAMES


def read(raw: bytes, *, now: float) -> Report:
    """Return what a report says.

    Names that this version of the course does not know are passed over, so that a learner with a newer course is
    still seen; whatever else is not as it should be refuses the whole report.

    Args:
        raw: The body of the request.
        now: Seconds since 1970: what the ages in the report are counted back from.

    Raises:
        BadReport: It is no report.
    """
    if len(raw) > MOST_BYTES:
        raise BadReport(f"more than {MOST_BYTES} bytes")
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadReport("no JSON") from error
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise BadReport(f"no report of version {VERSION}")
    known = frozenset(one.number for one in exercises())
    opened = {name: now - _age_s(age) for name, age in _entries(content, "opened") if name in notebooks()}
    checks = {name: _check(entry, now) for name, entry in _entries(content, "checks") if name in known}
    return Report(_flag(content.get("shares_name")), opened, checks)


def _entries(content: dict[str, Any], part: str) -> Iterator[tuple[str, Any]]:
    found = content.get(part)
    if not isinstance(found, dict):
        raise BadReport(f"{part} is no object")
    yield from found.items()


def _check(entry: Any, now: float) -> Check:
    if not isinstance(entry, dict):
        raise BadReport("a check is no object")
    tries = entry.get("tries")
    if type(tries) is not int or not 0 <= tries <= MOST_TRIES:
        raise BadReport(f"tries are no whole number up to {MOST_TRIES}")
    first, done = (_moment(entry.get(key), now) for key in ("first_try_s", "done_s"))
    return Check(_flag(entry.get("done")), tries, first, done)


def _moment(age: Any, now: float) -> float | None:
    return None if age is None else now - _age_s(age)


def _age_s(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise BadReport("an age is no number of seconds")
    return float(min(value, MOST_AGE_S))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadReport("yes or no is neither true nor false")
    return value
