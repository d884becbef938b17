"""`dm.build` against the bare `docker buildx build`, with every step cached and with none."""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dmhelpers as dm
from benchmarks.harness import Benchmark, Contender, Options, Target, compare, main
from benchmarks.peers import typed
from benchmarks.results import Row
from dmhelpers.engine import ledger
from dmhelpers.engine.build_cache import cache_records, remove_cache_records
from dmhelpers.engine.cleanup import suppress_gone
from dmhelpers.engine.client import api, docker_cli, engine_answers, get_json
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import BuildFailed
from dmhelpers.measure import origins

NODE = "node:20-alpine"
_CACHED = {"docker buildx build": Target("at most 1.15 times", 1.15)}
_UNCACHED = {"docker buildx build": Target("at most 1.05 times", 1.05)}

# TOKEN makes the steps distinct from everybody else's, and their build cache records findable.
_COPIES = """\
FROM scratch AS parts
COPY one-TOKEN.txt two-TOKEN.txt /parts/
COPY three-TOKEN.txt /parts/
FROM scratch
COPY --from=parts /parts /parts-TOKEN
COPY one-TOKEN.txt /last/
"""
_RUNS = """\
FROM node:20-alpine AS builder
WORKDIR /bench-TOKEN
COPY one-TOKEN.txt two-TOKEN.txt three-TOKEN.txt ./
RUN node -e 'let s = 0; for (let i = 0; i < 5e7; i++) s += i % 7; console.log("TOKEN", s)' > sum.txt
RUN cat *-TOKEN.txt | sha256sum > digest.txt
FROM node:20-alpine
WORKDIR /bench-TOKEN
COPY --from=builder /bench-TOKEN/sum.txt /bench-TOKEN/digest.txt ./
RUN node -e 'require("fs").statSync("/bench-TOKEN/sum.txt")'
"""


class Project:
    """A project in a temporary folder, built under two names: one for the course's builds, one for the command's."""

    def __init__(self, folder: Path, dockerfile: str, token: str) -> None:
        self.folder = folder
        self.token = token
        self.ours = f"bench-{token}/dm:latest"
        self.theirs = f"bench-{token}/docker:latest"
        self._made: set[str] = set()
        self._last: dm.Build | None = None
        (folder / "Dockerfile").write_text(dockerfile.replace("TOKEN", token), encoding="utf-8")
        for name in ("one", "two", "three"):
            (folder / f"{name}-{token}.txt").write_text(f"{name}\n" * 1000, encoding="utf-8")

    def by_course(self, *, no_cache: bool) -> None:
        """Build with `dm.build`, in this process."""
        self._last = dm.build(self.folder, tag=self.ours, no_cache=no_cache, progress="quiet")

    def by_command(self, *, no_cache: bool) -> None:
        """Build as a person types it."""
        typed("buildx", "build", *self._flags(no_cache=no_cache))

    def by_plugin(self, *, no_cache: bool) -> None:
        """Build with buildx's own program, without the `docker` command before it."""
        docker_cli(["buildx", "build", *self._flags(no_cache=no_cache)], timeout_s=600)

    def _flags(self, *, no_cache: bool) -> list[str]:
        label = next(f"--label={name}={value}" for name, value in COURSE_LABELS.items())
        flags = ["--provenance=false", label, "-t", self.theirs]
        return [*flags, *(["--no-cache"] if no_cache else []), str(self.folder)]

    def hold(self, state: str) -> None:
        """Note what was built, and see that the course's build was what the case says."""
        assert self._last is not None
        # --no-cache leaves FROM and WORKDIR as they are: they run nothing.
        worked = [one for one in self._last.record.steps if one.instruction.startswith(("COPY", "RUN"))]
        states = {one.state for one in worked}
        if states != {state}:
            raise BuildFailed(
                f"Every step should be {state!r}; there were {sorted(states)}.", hint="Run the benchmark again."
            )
        self.note(self.ours)

    def note(self, tag: str) -> None:
        """Enter the image that has this tag now in the ledger."""
        image_id = get_json(f"/images/{tag}/json")["Id"]
        if image_id not in self._made:
            self._made.add(image_id)
            ledger.record(engine_info().engine_id, "image", [image_id])

    def remove(self) -> None:
        """Remove the images and the build cache records of these builds."""
        engine_id = engine_info().engine_id
        for tag in (self.ours, self.theirs):
            with suppress_gone():
                self.note(tag)
        for image_id in self._made:
            with engine_answers(), suppress_gone():
                api().remove_image(image_id, force=True)
            origins.forget(image_id)
        ledger.forget(engine_id, "image", self._made)
        records = [one.record_id for one in cache_records() if self.token in one.description]
        remove_cache_records(records)
        ledger.forget(engine_id, "cache", records)


def measure(options: Options) -> list[Row]:
    """Compare on a project of COPYs alone and, where its base image is present, on one that RUNs."""
    rows = _compare("COPYs on scratch", _COPIES, options.rounds)
    if _present(NODE):
        rows += _compare(f"RUNs on {NODE}", _RUNS, options.rounds)
    else:
        print(f"{NODE} is not on this engine, so only builds from scratch are measured: dmhelpers bases prepare\n")
    return rows


def _compare(title: str, dockerfile: str, rounds: int) -> list[Row]:
    with _project(dockerfile) as project:
        rows = _race(f"{title}, uncached", project, _UNCACHED, rounds, no_cache=True)
        return [*rows, *_race(f"{title}, cached", project, _CACHED, rounds, no_cache=False)]


def _race(case: str, project: Project, targets: Mapping[str, Target], rounds: int, *, no_cache: bool) -> list[Row]:
    subject = Contender(
        "dm.build()",
        lambda: project.by_course(no_cache=no_cache),
        settle=lambda: project.hold("ran" if no_cache else "cached"),
    )
    peers = [
        Contender(
            "docker buildx build",
            lambda: project.by_command(no_cache=no_cache),
            settle=lambda: project.note(project.theirs),
        ),
        Contender(
            "docker-buildx, itself",
            lambda: project.by_plugin(no_cache=no_cache),
            settle=lambda: project.note(project.theirs),
        ),
    ]
    return compare(case, subject, peers, rounds=rounds, targets=targets)


@contextmanager
def _project(dockerfile: str) -> Iterator[Project]:
    with tempfile.TemporaryDirectory(prefix="dmhelpers-bench-") as folder:
        project = Project(Path(folder), dockerfile, secrets.token_hex(4))
        try:
            yield project
        finally:
            project.remove()


def _present(image: str) -> bool:
    import docker.errors

    try:
        get_json(f"/images/{image}/json")
    except docker.errors.NotFound:
        return False
    return True


BENCHMARK = Benchmark(
    "build",
    "dm.build(), with its records of every step, against the bare build",
    measure,
    rounds=11,
    quick_rounds=5,
    notes=(
        "dm.build() is timed in this process, from the call to the Build; commands from their start to their end.",
        "All have --provenance=false, the course's label and a tag; uncached adds --no-cache. dm.build() also reads",
        "the progress, the base image, the image's ID and, where a step ran, the new build cache records.",
        "docker-buildx, itself: the plugin's program without the docker command, which is how dm.build() calls it.",
    ),
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
