"""`dm.history()` of 100 images, against the command run per image, docker-py and the raw API."""

from __future__ import annotations

import sys

import dmhelpers as dm
from benchmarks.crowd import crowd
from benchmarks.harness import Benchmark, Contender, Options, Target, compare, main, requests_made
from benchmarks.peers import RawApi, docker_py, typed
from benchmarks.results import Row

IMAGES = 100
QUICK_IMAGES = 20


def measure(options: Options) -> list[Row]:
    """Read every image's history in each way."""
    with crowd() as images:
        images.add(QUICK_IMAGES if options.quick else IMAGES)
        return _compare(images.names, options.rounds)


def _compare(names: list[str], rounds: int) -> list[Row]:
    raw, high_level = RawApi(), docker_py()

    def as_one_table() -> object:
        return dm.history(*names)

    def by_docker_py() -> object:
        return [high_level.images.get(name).history() for name in names]

    def by_command() -> None:
        for name in names:
            typed("history", name)

    as_one_table()
    asked = requests_made(as_one_table)
    subject = Contender("dm.history(*names)", as_one_table, counted=True)
    peers = [
        Contender("raw API", lambda: [raw.get(path) for path in asked], counted=True),
        Contender("docker history, each", by_command),
        Contender("docker-py image.history()", by_docker_py, counted=True),
    ]
    targets = {"docker history, each": Target("at least 20 times faster", 1 / 20)}
    return compare(f"{len(names)} images", subject, peers, rounds=rounds, targets=targets)


BENCHMARK = Benchmark(
    "history",
    "dm.history(), the layers of many images as one table",
    measure,
    rounds=7,
    quick_rounds=3,
    notes=(
        "docker-py as it is written: client.images.get(name).history(), two requests an image.",
        "The raw API makes the same requests on a kept connection, parses the JSON and makes nothing of it.",
    ),
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
