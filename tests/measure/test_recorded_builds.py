"""BuildKit's events and their map to stages and lines, on recorded builds (see tests/data/builds/record.py)."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dmhelpers.measure.dockerfile import Dockerfile, parse_dockerfile
from dmhelpers.measure.events import Progress, StatusChanged, VertexChanged, decode
from dmhelpers.measure.records import Step
from dmhelpers.measure.steps import as_they_ran, provenance_lines, stage_states, steps_of

DATA = Path(__file__).parents[1] / "data" / "builds"
VERSIONS = ("0.13.1", "0.29.1")
CASES = sorted(one.parent.name for one in DATA.glob("*/case.json"))
RECORDINGS = [(case, version) for case in CASES for version in VERSIONS]
WITH_PROVENANCE = sorted(one.parent.name for one in DATA.glob("*/*.metadata.json"))


class Recording(NamedTuple):
    """A recorded build, read."""

    dockerfile: Dockerfile
    progress: Progress
    metadata: dict[str, Any]
    target: str | None

    def steps(self, *, exact: bool = False) -> tuple[Step, ...]:
        """Return the steps, mapped by provenance if `exact`, else by names."""
        lines = provenance_lines(self.metadata) if exact else {}
        return steps_of(self.dockerfile, self.progress.vertexes, lines, self.dockerfile.find(self.target))

    def states(self) -> dict[str, str]:
        """Return each stage's state."""
        found = stage_states(self.dockerfile, self.steps(), self.dockerfile.find(self.target))
        return {one.stage: one.state for one in found}


def raw(case: str, version: str) -> bytes:
    """Return what buildx wrote on standard error."""
    path = DATA / case / f"{version}.rawjson"
    return path.read_bytes() if path.is_file() else gzip.decompress(Path(f"{path}.gz").read_bytes())


def load(case: str, version: str) -> Recording:
    """Read a recording."""
    folder = DATA / case
    progress = Progress()
    for value in decode(raw(case, version).splitlines(keepends=True)):
        progress.feed(value)
    metadata = folder / f"{version}.metadata.json"
    return Recording(
        parse_dockerfile((folder / "Dockerfile").read_text()),
        progress,
        json.loads(metadata.read_text()) if metadata.is_file() else {},
        json.loads((folder / "case.json").read_text()).get("target"),
    )


def brief(steps: tuple[Step, ...]) -> list[tuple[str, int, int | None, str]]:
    """Return what must be the same however the steps were mapped."""
    return [(one.stage, one.number, one.line, one.state) for one in steps]


@pytest.mark.parametrize("case", WITH_PROVENANCE)
def test_names_and_provenance_agree(case):
    """Mapping by the vertexes' names gives what the exact map from provenance gives."""
    recording = load(case, "0.29.1")
    assert provenance_lines(recording.metadata)
    assert brief(recording.steps(exact=True)) == brief(recording.steps())
    assert {(one.line, one.shared_with) for one in recording.steps(exact=True)} == {
        (one.line, one.shared_with) for one in recording.steps()
    }


@pytest.mark.parametrize("case", [case for case in CASES if case != "failing_beside"])
def test_both_versions_of_buildx_tell_the_same(case):
    """What buildx 0.13 indents over many lines reads like what 0.29 prints one a line."""
    assert brief(load(case, "0.13.1").steps()) == brief(load(case, "0.29.1").steps())


@pytest.mark.parametrize(("case", "version"), RECORDINGS)
def test_no_step_is_lost(case, version):
    """Every vertex that BuildKit names after a stage is one of the steps."""
    recording = load(case, version)
    digests = {one.digest for one in recording.steps()}
    for vertex in recording.progress.vertexes.values():
        inner = vertex.name.startswith(("[internal]", "[auth]")) or not vertex.name.startswith("[")
        assert inner or vertex.digest in digests, vertex.name


@pytest.mark.parametrize(("case", "version"), RECORDINGS)
def test_steps_stand_on_their_lines(case, version):
    """A step's instruction is what the Dockerfile has on the step's line."""
    recording = load(case, version)
    lines = recording.dockerfile.text.splitlines()
    for step in recording.steps():
        assert step.line is not None
        assert lines[step.line - 1].removeprefix("ONBUILD ").split()[0] == step.instruction.split()[0]
        assert step.end_line >= step.line


@pytest.mark.parametrize(("case", "version"), RECORDINGS)
def test_steps_are_in_order(case, version):
    """Steps come by stage in file order, and by number in each."""
    recording = load(case, version)
    stages = [one.label for one in recording.dockerfile.stages]
    for one, other in pairwise(recording.steps()):
        assert (one.stage == other.stage and one.number < other.number) or stages.index(one.stage) < stages.index(
            other.stage
        )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("case", "states"),
    [
        ("two_stages", {"builder": "ran", "runtime": "ran"}),
        ("unnamed_stages", {"stage-0": "ran", "stage-1": "ran"}),
        ("one_stage", {"stage-0": "ran"}),
        ("shared_steps", {"builder": "ran", "runtime": "ran"}),
        ("skipped_test_stage", {"builder": "ran", "test": "not built", "runtime": "ran"}),
        ("chain", {"deps": "ran", "builder": "ran", "test": "ran", "stage-3": "not built"}),
        ("cached", {"builder": "cached", "runtime": "cached"}),
        ("long_log", {"chatty": "ran", "stage-1": "ran"}),
        ("onbuild", {"template": "ran", "made": "ran", "stage-2": "ran"}),
        ("failing_run", {"builder": "failed"}),
        ("failing_copy", {"builder": "failed"}),
        ("failing_beside", {"broken": "failed"}),
    ],
)
def test_stage_states(case, version, states):
    """A stage ran, came from the cache, failed, or was not built because the target does not need it."""
    found = load(case, version).states()
    assert {name: found[name] for name in states} == states


@pytest.mark.parametrize("exact", [False, True])
def test_a_trigger_is_a_step_of_the_stage_that_it_fires_in(exact):
    """What ONBUILD left to do comes first in the next stage, with the line of the ONBUILD."""
    made = [one for one in load("onbuild", "0.29.1").steps(exact=exact) if one.stage == "made"]
    assert [(one.number, one.line, one.instruction) for one in made] == [
        (1, 4, "COPY fresh /triggered"),
        (2, 7, "COPY fresh /own"),
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stage_beside_the_failing_one_is_cancelled(version):
    """When one stage fails, what another was just doing counts as cancelled, not as failed or done."""
    recording = load("failing_beside", version)
    [slow] = [one for one in recording.steps() if one.instruction == "RUN sleep 20"]
    [broken] = [one for one in recording.steps() if one.state == "failed"]
    assert (slow.state, broken.instruction) == ("cancelled", "RUN sleep 1; exit 4")
    assert recording.states()["slow"] == "cancelled"


@pytest.mark.parametrize("version", VERSIONS)
def test_identical_steps_are_told_once_and_counted_for_both(version):
    """An identical step of two stages is run once; the other stage shows it with the name of the one that ran it."""
    steps = load("shared_steps", version).steps()
    shared = [one for one in steps if one.shared_with]
    assert {one.instruction.split(" AS ")[0] for one in shared} == {
        "FROM node:20-alpine",
        "WORKDIR /app",
        "COPY fresh ./",
    }
    for one in shared:
        [owner] = [other for other in steps if other.digest == one.digest and other is not one]
        assert (owner.stage, owner.shared_with) == (one.shared_with, None)
    assert len([one for one in steps if one.instruction == "RUN cp fresh made"]) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_shared_seconds_are_counted_once(version):
    """The seconds of a shared step are those of the stage that ran it, and of no other."""
    recording = load("shared_steps", version)
    total = sum(
        one.duration_s
        for one in stage_states(recording.dockerfile, recording.steps(), recording.dockerfile.find(None))
    )
    once = {one.digest: one.duration_s for one in recording.steps()}
    assert total == pytest.approx(sum(once.values()))


@pytest.mark.parametrize("version", VERSIONS)
def test_cached_steps_take_no_time(version):
    """A step from the build cache has the state `cached` and no seconds; FROM only looks its image up."""
    steps = [one for one in load("cached", version).steps() if not one.instruction.startswith("FROM")]
    assert {one.state for one in steps} == {"cached"}
    assert {one.duration_s for one in steps} == {0.0}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_failing_run_keeps_what_it_printed(version):
    """The log has a failing RUN's own words, its name, and the engine's excerpt of the Dockerfile."""
    recording = load("failing_run", version)
    log = recording.progress.log()
    assert "about to fail\n" in log
    assert ">>> RUN echo" in log
    assert "exit code: 3" in log
    [failed] = [one for one in recording.steps() if one.state == "failed"]
    assert (failed.stage, failed.line) == ("builder", 3)
    assert recording.progress.log_of(failed.digest) == "about to fail\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_long_log_arrives_in_order(version):
    """A log of many thousand lines comes in order and whole, up to where BuildKit itself clips it and says so."""
    recording = load("long_log", version)
    [run] = [one for one in recording.steps() if one.instruction.startswith("RUN")]
    *told, cut, note = recording.progress.log_of(run.digest).splitlines()
    assert told == [f"line {number}" for number in range(1, len(told) + 1)]
    assert len(told) > 15_000
    assert f"line {len(told) + 1}".startswith(cut)
    assert "output clipped" in note


@pytest.mark.parametrize(("case", "version"), RECORDINGS)
def test_events_reach_the_listener(case, version):
    """A listener hears of every vertex, and of the bytes of the context on the way."""
    heard = []
    progress = Progress(heard.append)
    for value in decode(raw(case, version).splitlines(keepends=True)):
        progress.feed(value)
    assert {one.vertex.digest for one in heard if isinstance(one, VertexChanged)} == set(progress.vertexes)
    assert any(isinstance(one, StatusChanged) for one in heard)


@pytest.mark.parametrize(("case", "version"), RECORDINGS)
def test_recordings_tell_nothing_of_the_machine(case, version):
    """A recording holds no path, user or address of where it was made."""
    text = raw(case, version).decode()
    for word in ("/home/", "/root", "/tmp", "://registry-", "/Users/"):
        assert word not in text


def test_what_ran_before_a_second_try_did_not_come_from_the_cache():
    """Of a build that is run once more, steps count as run that ran the first time; cached ones stay cached."""
    first = load("two_stages", VERSIONS[0]).steps()
    again = tuple(replace(one, state="cached", duration_s=0.0) for one in first)
    assert {one.state for one in first} == {"ran", "cached"}
    assert as_they_ran(first, again) == first
    assert as_they_ran(again, again) == again
    assert as_they_ran((), again) == again
    assert as_they_ran(again, first) == first
