"""`dm.history()` of 100 images, against the command run per image, docker-py and the raw API."""

from __future__ import annotations

import sys
from urllib.parse import quote

import dmhelpers as dm
from benchmarks.crowd import crowd
from benchmarks.harness import Benchmark, Contender, Options, Target, compare, main
from benchmarks.peers import RawApi, docker_py, requests_made, typed
from benchmarks.results import Row
from dmhelpers.engine.client import api

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

    subject = Contender("dm.history(*names)", as_one_table, requests=requests_made(api(), as_one_table))
    peers = [
        Contender(
            "raw API", lambda: [raw.get(f"/images/{quote(name)}/history") for name in names], requests=len(names)
        ),
        Contender("docker history, each", by_command),
        Contender("docker-py image.history()", by_docker_py, requests=requests_made(high_level.api, by_docker_py)),
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
        "The raw API is one GET an image on a kept connection, its JSON parsed and nothing made of it.",
    ),
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
