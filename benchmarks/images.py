"""`dm.images()` at 10, 100 and 1,000 images, against the command, docker-py and the raw API."""

from __future__ import annotations

import sys

import docker.errors

import dmhelpers as dm
from benchmarks.crowd import crowd
from benchmarks.harness import Benchmark, Contender, Options, Target, compare, main, requests_made
from benchmarks.peers import RawApi, docker_py, typed
from benchmarks.results import Row

LEVELS = (10, 100, 1000)
_TARGETS = {
    "raw API": Target("at most 1.3 times", 1.3),
    "docker images": Target("faster", 1.0),
    "docker-py images.list()": Target("at least 15 times faster", 1 / 15),
}


def measure(options: Options) -> list[Row]:
    """Fill the engine level by level, and compare on each."""
    rows: list[Row] = []
    with crowd() as images:
        for level in LEVELS[: 2 if options.quick else None]:
            listed = images.grow_to(level)
            rows += _compare(listed, options.rounds, goal=level == max(LEVELS))
    return rows


def _compare(listed: int, rounds: int, *, goal: bool) -> list[Row]:
    raw, high_level = RawApi(), docker_py()
    dm.images()  # a kernel's first call also imports pandas and asks the engine what it is
    asked = requests_made(dm.images)
    peers = [
        Contender("raw API", lambda: [raw.get(path) for path in asked], counted=True),
        Contender("docker images", lambda: typed("images")),
        Contender(
            "docker-py images.list()", high_level.images.list, counted=True, disturbed_by=(docker.errors.NotFound,)
        ),
    ]
    subject = Contender("dm.images()", dm.images, counted=True)
    return compare(f"{listed:,} images", subject, peers, rounds=rounds, targets=_TARGETS if goal else None)


BENCHMARK = Benchmark(
    "images",
    "dm.images(), the engine's images as a table",
    measure,
    rounds=15,
    quick_rounds=7,
    notes=(
        "The raw API makes the same request on a kept connection, parses the JSON and makes nothing of it.",
        "Requests are those of one call, counted; a kernel's first call also asks what the engine is.",
    ),
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
