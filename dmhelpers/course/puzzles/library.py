"""The Parsons problems: one file each in `problems/`, data only."""

from __future__ import annotations

import functools
import hashlib
import tomllib
from importlib import resources
from typing import Any

from dmhelpers.course.puzzles.records import Line, Probe, Problem
from dmhelpers.errors import InputError, near_matches


@functools.lru_cache(maxsize=1)
def problems() -> tuple[Problem, ...]:
    """Return every problem, from easy to hard."""
    folder = resources.files("dmhelpers.course.puzzles").joinpath("problems")
    read = [
        (one.name.removesuffix(".toml"), tomllib.loads(one.read_text(encoding="utf-8")))
        for one in folder.iterdir()
        if one.name.endswith(".toml")
    ]
    return tuple(_problem(name, raw) for name, raw in sorted(read, key=lambda one: one[1]["order"]))


def problem(name: str) -> Problem:
    """Return the problem of that name.

    Raises:
        InputError: There is none; close names are offered.
    """
    wanted = str(name).strip().lower()
    for one in problems():
        if one.name == wanted:
            return one
    raise InputError(
        f"There is no Parsons problem {name!r}.", hint=near_matches(wanted, [one.name for one in problems()])
    )


def _problem(name: str, raw: dict[str, Any]) -> Problem:
    right = [(text, "") for text in raw["lines"]]
    all_of_them = right + [(one["line"], one["why"]) for one in raw.get("distractors", ())]
    # By a digest: the same for everybody, on every version of Python, and in no order that gives anything away.
    keys = [hashlib.sha256(f"{name}: {text}".encode()).digest() for text, _ in all_of_them]
    places = sorted(range(len(keys)), key=keys.__getitem__)
    return Problem(
        name=name,
        title=raw["title"],
        level=raw["level"],
        task=" ".join(raw["task"].split()),
        files=tuple(raw["files"].items()),
        lines=tuple(Line(number, *all_of_them[at]) for number, at in enumerate(places, start=1)),
        solution=tuple(places.index(at) + 1 for at in range(len(right))),
        probes=tuple(Probe(**{**one, "paths": tuple(one.get("paths", ()))}) for one in raw["probes"]),
    )
