"""The steps of two builds side by side: which ran, which came from the build cache, and the seconds of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dmhelpers.errors import InputError
from dmhelpers.measure.records import Step
from dmhelpers.show import tables
from dmhelpers.show.builds import Build

if TYPE_CHECKING:
    import pandas as pd

Key = tuple[str, str, int]
"""A step's stage, its instruction, and how many steps before it in that stage have the same one."""


def compare_steps(before: Build, after: Build) -> pd.DataFrame:
    """Return the steps of two builds side by side, such as a build before an edit and one after it.

    A step is the same in both if it has the same instruction in a stage of the same name, wherever it stands there.
    What two stages have in common is carried out once and has one row, in the upper stage. FROM has none.

    Args:
        before: What `dm.build` returned first.
        after: What it returned then.

    Returns:
        Columns ``stage``, ``instruction`` (str), ``before``, ``after`` (str: ran, cached, or empty where that build
        has no such step), ``before_s`` and ``after_s`` (float64, 0.0 for a cached step, missing for none), in the
        order of the second build; what only the first one has comes last.

    Raises:
        InputError: One of the two is no build.
    """
    for one in (before, after):
        if not isinstance(one, Build):
            raise InputError(
                f"Steps are compared of two builds, and {type(one).__name__} is none.",
                hint="Give what dm.build(...) returned, twice: dm.compare_steps(before, after)",
            )
    first, second = dict(_steps(before)), dict(_steps(after))
    keys = list(dict.fromkeys([*second, *first]))
    olds, news = [first.get(key) for key in keys], [second.get(key) for key in keys]
    return tables.columns(
        {
            "stage": [stage for stage, _, _ in keys],
            "instruction": [instruction for _, instruction, _ in keys],
            "before": [one.state if one else "" for one in olds],
            "after": [one.state if one else "" for one in news],
            "before_s": [one.duration_s if one else None for one in olds],
            "after_s": [one.duration_s if one else None for one in news],
        }
    )


def _steps(build: Build) -> Iterator[tuple[Key, Step]]:
    seen: Counter[tuple[str, str]] = Counter()
    carried_out: set[str] = set()
    for one in build.record.steps:
        # BuildKit names a shared step after whichever stage came to it first; the row is always the upper stage's.
        again = one.digest in carried_out if one.digest else one.shared_with is not None
        if not again and not one.instruction.upper().startswith("FROM "):
            carried_out.add(one.digest)
            yield (one.stage, one.instruction, seen[one.stage, one.instruction]), one
            seen[one.stage, one.instruction] += 1
