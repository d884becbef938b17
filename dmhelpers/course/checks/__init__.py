"""The exercises' checks: each looks at the state of the engine, and never at the text of an answer."""

from __future__ import annotations

import functools
import re
from dataclasses import asdict
from importlib import import_module
from typing import Any

from dmhelpers.course import progress, reporting, scores
from dmhelpers.course.checks.records import Exercise, Hint, Look, NotYet, Verdict
from dmhelpers.errors import DmHelpersError, EngineUnavailable, InputError, near_matches
from dmhelpers.measure import built

__all__ = ["Exercise", "Hint", "Verdict", "check", "exercises", "hint"]

_NOTEBOOKS = (
    "n01_core_concept",
    "n02_typescript_api",
    "n03_builder",
    "n04_runtime",
    "n05_building_and_measuring",
    "n06_copy_from",
    "n07_targeting_a_stage",
    "n08_test_stage",
    "n09_multi_stage_for_go",
    "n10_inspecting_the_final_image",
    "n11_the_clinic",
    "n12_the_challenge",
    "n13_the_build_cache",
)
_SHORT = re.compile(r"(\d{1,2})[-_ ]?([a-z])")
"""What people type for an exercise's number: ``1a`` for ``01-a``."""

_given: dict[str, int] = {}


@functools.lru_cache(maxsize=1)
def exercises() -> tuple[Exercise, ...]:
    """Return every exercise, in the order of the course."""
    notebooks = (import_module(f"{__name__}.{one}") for one in _NOTEBOOKS)
    return tuple(one for notebook in notebooks for one in notebook.EXERCISES)


def check(exercise: str, *, answer: Any = None) -> Verdict:
    """Look at what you made for an exercise and say whether it is done.

    Args:
        exercise: Its number, such as ``"03-a"``.
        answer: What you measured or read, for the exercises that ask for it.

    Returns:
        Done or not yet, with what was seen on the engine and what is missing. Unfinished work raises nothing. The
        result is counted in `progress`; what was done once stays done. A try at the challenge is kept for `score`.

    Raises:
        InputError: There is no such exercise.
        EngineUnavailable: No engine answers.
    """
    found = _find(exercise)
    look = Look(answer)
    try:
        found.look(look)
    except NotYet as reason:
        look.lacks(str(reason))
    except EngineUnavailable:
        raise
    except DmHelpersError as error:
        look.lacks(error.message)
    done = bool(look.seen) and not look.missing
    if not done:
        _note_failed_builds(found, look)
    note = _note(found, look, done=done)
    return Verdict(found.number, found.title, done, tuple(look.seen), tuple(look.missing), note)


def hint(exercise: str) -> Hint:
    """Return the first hint for an exercise; called again, the second.

    Args:
        exercise: Its number, such as ``"03-a"``.

    Raises:
        InputError: There is no such exercise.
    """
    found = _find(exercise)
    number = min(_given.get(found.number, 0) + 1, len(found.hints))
    _given[found.number] = number
    return Hint(found.number, number, len(found.hints), found.hints[number - 1])


def _note_failed_builds(exercise: Exercise, look: Look) -> None:
    """Say it where an image is not the one that the learner has just tried to build."""
    for name in exercise.images:
        full = name if ":" in name else f"{name}:latest"
        if built.last_failed(full):
            look.lacks(
                f"your last build of {full} failed, and its error says why; until one ends well, this check sees "
                "the image from before it, if there is one"
            )


def _find(exercise: str) -> Exercise:
    wanted = str(exercise).strip().lower()
    short = _SHORT.fullmatch(wanted)
    if short:
        wanted = f"{int(short[1]):02}-{short[2]}"
    for one in exercises():
        if one.number == wanted:
            return one
    raise InputError(
        f"There is no exercise {exercise!r}.", hint=near_matches(wanted, [one.number for one in exercises()])
    )


def _note(exercise: Exercise, look: Look, *, done: bool) -> str:
    try:
        progress.note_check(exercise.number, done=done)
        if exercise.scored and look.weight is not None:
            scores.note_try(exercise.number, passed=done, **asdict(look.weight))
    except InputError as error:
        return str(error)
    reporting.report()
    return ""
