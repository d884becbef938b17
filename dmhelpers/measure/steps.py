"""From BuildKit's vertexes to the stages and lines of the Dockerfile.

BuildKit names a vertex ``[builder 2/5] RUN npm ci``; ``[stage-1 …]`` in a stage without a name,
``[2/5]`` where there is one stage only. FROM counts as a step if it names an image; RUN, COPY, ADD
and WORKDIR count; nothing else does. Two stages with an identical step share one vertex, named after
one of them. Where buildx gives provenance, the map from vertex to line is exact; else it is by name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.events import Vertex
from dmhelpers.measure.records import Instruction, Stage, StageOutcome, StageState, Step, StepState

_NAME = re.compile(r"\[(?:(?P<platform>[^\s\]]+/[^\s\]]+) )?(?:(?P<stage>[^\s\]]+) )?(?P<number>\d+)/\d+\] ")
_COUNTED = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})
_SETTINGS = frozenset({"ARG", "ENV", "SHELL", "USER"})
_PROVENANCE = "buildx.build.provenance"
_BUILDKIT = "https://mobyproject.org/buildkit@v1#metadata"

Lines = Mapping[str, frozenset[int]]
"""Vertex digest to the Dockerfile lines that it comes from."""


@dataclass(frozen=True, slots=True)
class StepPlace:
    """Where a step stands: its stage, its number by BuildKit's count in that stage, its instruction."""

    stage: Stage
    number: int
    instruction: Instruction


def provenance_lines(metadata: Mapping[str, Any]) -> Lines:
    """Return the exact map from vertexes to lines that a build's metadata file holds; empty without provenance.

    Args:
        metadata: What `--metadata-file` holds, with `BUILDX_METADATA_PROVENANCE=max` (buildx 0.14 or newer).
    """
    provenance = metadata.get(_PROVENANCE) or {}
    digests = (provenance.get("buildConfig") or {}).get("digestMapping") or {}
    source = ((provenance.get("metadata") or {}).get(_BUILDKIT) or {}).get("source") or {}
    locations = source.get("locations") or {}
    return {digest: frozenset(_lines_of(locations[step])) for digest, step in digests.items() if locations.get(step)}


def steps_of(dockerfile: Dockerfile, vertexes: Mapping[str, Vertex], lines: Lines, target: Stage) -> tuple[Step, ...]:
    """Return the build's steps, by stage in file order and by number in each stage.

    Args:
        dockerfile: The file that was built.
        vertexes: What BuildKit reported, by digest.
        lines: The exact map from provenance; empty to go by the vertexes' names.
        target: The stage that was built.
    """
    places = {(place.stage.index, place.number): place for place in step_places(dockerfile)}
    needed = dockerfile.needed_by(target)
    labels = {dockerfile.stages[index].label for index in needed}
    found: dict[tuple[int, int], Step] = {}
    for vertex in vertexes.values():
        for place in _places_of(vertex, places, lines, needed):
            found[place.stage.index, place.number] = _step(place, vertex, labels)
    for key, place in places.items():
        if key not in found and place.stage.index in needed:
            twin = _twin(place, found, places, dockerfile)
            if twin is not None:
                found[key] = replace(
                    twin,
                    stage=place.stage.label,
                    number=place.number,
                    line=place.instruction.line,
                    end_line=place.instruction.end_line,
                    instruction=" ".join(place.instruction.text.split()),
                    shared_with=twin.stage,
                )
    return tuple(found[key] for key in sorted(found))


def as_they_ran(first: tuple[Step, ...], again: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps of a build that was run once more; one that ran the first time did not come from the cache."""
    ran = {(one.stage, one.number): one for one in first if one.state == "ran"}
    return tuple(ran.get((one.stage, one.number), one) if one.state == "cached" else one for one in again)


def stage_states(dockerfile: Dockerfile, steps: tuple[Step, ...], target: Stage) -> tuple[StageState, ...]:
    """Return what became of every stage, in file order; ``"not built"``: nothing of it was even looked at."""
    needed = dockerfile.needed_by(target)
    outcomes: dict[int, StageOutcome] = {}
    states = []
    for stage in dockerfile.stages:
        own = [step for step in steps if step.stage == stage.label]
        outcomes[stage.index] = _outcome(stage, own, outcomes, needed=stage.index in needed)
        spent = sum(step.duration_s for step in own if step.shared_with is None)
        states.append(StageState(stage.label, outcomes[stage.index], spent))
    return tuple(states)


def _outcome(stage: Stage, steps: list[Step], earlier: Mapping[int, StageOutcome], *, needed: bool) -> StageOutcome:
    work = [step for step in steps if not step.instruction.startswith("FROM")] or steps
    if not work:
        base = stage.edges[0].stage_index
        if not needed:
            return "not built"
        return earlier[base] if base is not None else "cached"
    states = {step.state for step in work}
    for worst in ("failed", "cancelled", "ran"):
        if worst in states:
            return worst
    return "cached"


def step_places(dockerfile: Dockerfile) -> Iterator[StepPlace]:
    """Yield every step of a Dockerfile, built or not, by stage in file order and by number in each."""
    for stage in dockerfile.stages:
        from_image = stage.edges[0].stage_index is None and stage.base.lower() != "scratch"
        opening = stage.instructions[:1] if from_image else ()
        counted = [*opening, *(one for one in dockerfile.work_of(stage) if one.name in _COUNTED)]
        for number, instruction in enumerate(counted, start=1):
            yield StepPlace(stage, number, instruction)


def _places_of(
    vertex: Vertex, places: Mapping[tuple[int, int], StepPlace], lines: Lines, needed: Collection[int]
) -> Iterator[StepPlace]:
    match = _NAME.match(vertex.name)
    if match is None:
        return
    number, stage = int(match["number"]), match["stage"]
    named = [one for one in places.values() if one.number == number and stage in (None, one.stage.label)]
    exact = lines.get(vertex.digest)
    # BuildKit counts the lines of a trigger (ONBUILD) from the trigger's own text: only its name tells which it is.
    if exact is None or any(one.instruction.line < one.stage.line for one in named):
        own = len({one.stage.index for one in named}) == 1
        if not own or named[0].stage.index not in needed:
            lent = [one for one in places.values() if one.number == number and one.stage.index in needed]
            named = [one for one in lent if _reads(one, vertex.name)][:1] or (named if own else [])
        yield from named
    else:
        yield from (one for one in places.values() if one.instruction.line in exact)


def _reads(place: StepPlace, name: str) -> bool:
    """Say whether a vertex's name is that of this instruction.

    It is asked where the stage in the name is none of this build's: BuildKit carries out a step that two builds
    have in common once, under the name that the first of them gave it.
    """
    text = name.partition("] ")[2]
    if place.instruction.name == "FROM":
        return text.startswith("FROM ") and place.stage.base.lower() in text
    return " ".join(place.instruction.text.split()) == text


def _step(place: StepPlace, vertex: Vertex, labels: Collection[str]) -> Step:
    named = _NAME.match(vertex.name)
    owner = named["stage"] if named else None
    return Step(
        stage=place.stage.label,
        number=place.number,
        line=place.instruction.line,
        end_line=place.instruction.end_line,
        instruction=" ".join(place.instruction.text.split()),
        state=_state(vertex),
        duration_s=0.0 if vertex.cached else vertex.duration_s,
        started=vertex.started,
        digest=vertex.digest,
        shared_with=owner if owner in labels and owner != place.stage.label else None,
    )


def _state(vertex: Vertex) -> StepState:
    if vertex.cached:
        return "cached"
    if vertex.error:
        return "cancelled" if "context canceled" in vertex.error else "failed"
    if vertex.done:
        return "ran"
    return "cancelled" if vertex.started else "cached"


def _twin(
    place: StepPlace,
    found: Mapping[tuple[int, int], Step],
    places: Mapping[tuple[int, int], StepPlace],
    dockerfile: Dockerfile,
) -> Step | None:
    """Return the step of another stage that BuildKit ran for this one: same base, same instructions up to it."""
    mine = _history(place, dockerfile)
    for key, step in found.items():
        other = places[key]
        if other.stage is not place.stage and _history(other, dockerfile) == mine:
            return step
    return None


def _history(place: StepPlace, dockerfile: Dockerfile) -> tuple[str, ...]:
    """Return all that decides about this step's result: an ENV, say, decides about a RUN, but not about a COPY."""
    chain = dockerfile.chain(place.stage)
    told = [chain[0].base]
    settings: list[str] = []
    for stage in chain:
        if stage is place.stage and place.instruction.name == "FROM":
            break
        for instruction in dockerfile.work_of(stage):
            text = " ".join(instruction.text.split())
            if instruction.name in _SETTINGS:
                settings.append(text)
            elif instruction.name in _COUNTED:
                told += [*(settings if instruction.name == "RUN" else ()), text]
            if stage is place.stage and instruction == place.instruction:
                break
    return tuple(told)


def _lines_of(location: Mapping[str, Any]) -> Iterator[int]:
    for one in location.get("locations") or ():
        for span in one.get("ranges") or ():
            yield span["start"]["line"]
