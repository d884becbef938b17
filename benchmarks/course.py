"""Every solution notebook, cold (nothing cached but the base images), then warm; and the time outside builds."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Benchmark, Options, main
from benchmarks.kernel_clock import KEEP_CACHE, LOG
from benchmarks.results import Row
from dmhelpers.course.notebook_run import run
from dmhelpers.course.notebooks import shelf
from dmhelpers.engine.cleanup import cleanup
from dmhelpers.errors import InputError
from dmhelpers.units import seconds

WARM_LIMIT_S = 180
_ROOT = Path(__file__).resolve().parents[1]
_QUICK = ("01", "05")


@dataclass(frozen=True, slots=True)
class Timing:
    """One run of a notebook: in all, in builds, in containers, and how many of the builds' steps ran."""

    total_s: float
    builds_s: float
    engine_s: float
    steps: int
    cached: int

    @property
    def outside_builds_s(self) -> float:
        """Kernel, imports, tables, plots, containers, clean-up."""
        return self.total_s - self.builds_s

    @property
    def outside_engine_s(self) -> float:
        """The same without containers, other commands and clean-up."""
        return self.outside_builds_s - self.engine_s

    def __str__(self) -> str:
        return (
            f"{seconds(self.total_s):>7} ({seconds(self.builds_s)} in builds, {seconds(self.engine_s)} in containers "
            f"and clean-up, {seconds(self.outside_engine_s)} elsewhere; "
            f"{self.steps - self.cached} of {self.steps} steps ran)"
        )


def measure(options: Options) -> list[Row]:
    """Run each notebook cold and warm, `rounds` times, and return its rows and those of all together."""
    names = shelf().written(_QUICK if options.quick else ())
    timings = {name: [_pair(name) for _ in range(options.rounds)] for name in names}
    if len(names) > 1:
        timings["all of them"] = [_sum([timings[name][index] for name in names]) for index in range(options.rounds)]
    rows = [_row(name, pairs, "warm", "cold") for name, pairs in timings.items()]
    return rows + [_row(name, pairs, "outside builds", "warm") for name, pairs in timings.items()]


def _pair(name: str) -> tuple[Timing, Timing]:
    cleanup()
    try:
        cold, warm = _timed(name), _timed(name)
    finally:
        cleanup()
    sys.stdout.write(f"{name}\n  cold {cold}\n  warm {warm}\n")
    sys.stdout.flush()
    return cold, warm


def _timed(name: str) -> Timing:
    with tempfile.TemporaryDirectory(prefix="dmhelpers-bench-") as folder:
        log, startup = Path(folder) / "clock.jsonl", Path(folder) / "profile_default" / "startup" / "00-clock.py"
        startup.parent.mkdir(parents=True)
        startup.write_text(
            f"import sys\nsys.path.insert(0, {str(_ROOT)!r})\nfrom benchmarks.kernel_clock import start\nstart()\n",
            encoding="utf-8",
        )
        log.touch()
        done = run(shelf().solution(name), environment={"IPYTHONDIR": folder, LOG: str(log), KEEP_CACHE: "1"})
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    if done.failures:
        raise InputError(
            f"{name}, cell {done.failures[0].cell_id}: {done.failures[0].error}",
            hint="A notebook that fails cannot be timed: python -m dmhelpers.course.notebooks execute " + name[:2],
        )
    builds = [one for one in lines if one["kind"] == "build"]
    return Timing(
        done.duration_s,
        sum(one["duration_s"] for one in builds),
        sum(one["duration_s"] for one in lines if one["kind"] != "build"),
        sum(one["steps"] for one in builds),
        sum(one["cached"] for one in builds),
    )


def _sum(pairs: Sequence[tuple[Timing, Timing]]) -> tuple[Timing, Timing]:
    cold, warm = (
        Timing(
            sum(one[which].total_s for one in pairs),
            sum(one[which].builds_s for one in pairs),
            sum(one[which].engine_s for one in pairs),
            sum(one[which].steps for one in pairs),
            sum(one[which].cached for one in pairs),
        )
        for which in (0, 1)
    )
    return cold, warm


def _row(name: str, pairs: Sequence[tuple[Timing, Timing]], subject: str, peer: str) -> Row:
    values = [
        (warm.total_s, cold.total_s) if subject == "warm" else (warm.outside_builds_s, warm.total_s)
        for cold, warm in pairs
    ]
    held = subject == "warm" and name == "all of them"
    median_s = statistics.median(one for one, _ in values)
    return Row(
        case=name,
        subject=subject,
        median_s=median_s,
        peer=peer,
        peer_median_s=statistics.median(other for _, other in values),
        ratio=statistics.median(one / other for one, other in values),
        difference_s=statistics.median(one - other for one, other in values),
        rounds=len(values),
        target=f"warm in {WARM_LIMIT_S} s" if held else None,
        met=median_s <= WARM_LIMIT_S if held else None,
    )


BENCHMARK = Benchmark(
    "course",
    "The solution notebooks, cold and warm, and the time outside builds",
    measure,
    rounds=1,
    quick_rounds=1,
    notes=(
        "cold: the course's own build cache was removed first; if not all steps ran, somebody else's cache had them.",
        "warm: the same notebook again, with what the cold run left in the build cache. Each has a fresh kernel.",
        "outside builds: kernel, imports, tables, plots, containers and clean-up of the warm run.",
    ),
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
