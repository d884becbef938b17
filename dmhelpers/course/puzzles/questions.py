"""Questions about a person's own Dockerfile, each with the engine's answer and the reason for it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dmhelpers.course.checks.trials import trial_build
from dmhelpers.errors import InputError
from dmhelpers.measure import origins
from dmhelpers.measure.contents import Contents, contents_of
from dmhelpers.measure.dockerfile import Dockerfile, project_folder, read_dockerfile
from dmhelpers.measure.records import Stage
from dmhelpers.show.stage_graph.plan import would_build

QuizKind = Literal["stages", "files"]
"""What is asked: which stages run, or whether a file is in the image."""

CACHES = "package-manager caches"
OF_EACH = 3
"""How many files of the image, and how many that stayed behind, are asked for."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One item of a question: whether it is so on the engine, and why."""

    item: str
    holds: bool
    why: str


def stage_items(dockerfile: Dockerfile) -> tuple[str, ...]:
    """Return the names of the stages, each with its line where two share a name."""
    labels = [one.label for one in dockerfile.stages]
    alone = [labels.count(one) == 1 for one in labels]
    return tuple(
        one.label if single else f"{one.label} (line {one.line})"
        for one, single in zip(dockerfile.stages, alone, strict=True)
    )


def stage_facts(project: str | os.PathLike[str], *, target: str | None, file: str) -> tuple[Fact, ...]:
    """Build the target under a throw-away name and return which stages the engine built for it, in file order.

    Raises:
        BuildFailed: A step failed.
        EngineUnavailable: No engine answers.
    """
    plan = would_build(project, target=target, file=file)
    items = stage_items(read_dockerfile(project, file=file))
    with trial_build(project_folder(project), file=file, target=target) as trial:
        states = trial.record.stages
    return tuple(
        Fact(item, state.state != "not built", _stage_why(state.state, planned.why))
        for item, state, planned in zip(items, states, plan.stages, strict=True)
    )


def file_facts(project: str | os.PathLike[str], *, target: str | None, file: str) -> tuple[Fact, ...]:
    """Build the target and the stages that it takes from, and draw files of the image and files that stayed behind.

    The draw depends on the files' paths and sizes alone; the throw-away images are removed again.

    Raises:
        InputError: Nothing that the target takes from leaves a file behind.
        BuildFailed: A step failed.
        EngineUnavailable: No engine answers.
    """
    dockerfile = read_dockerfile(project, file=file)
    aim = dockerfile.find(target)
    final = _contents(project, dockerfile, aim, file)
    there = set(final.paths)
    inside = [_Place(one, _inside_why(one, dockerfile)) for one in _own(final)]
    behind: dict[str, _Place] = {}
    for stage in _others(dockerfile, aim):
        for one in _own(_contents(project, dockerfile, stage, file)):
            if one.path not in there:
                behind.setdefault(one.path, _Place(one, _behind_why(one, dockerfile, aim)))
    if not behind:
        raise InputError(
            f"A build of {aim.label} leaves no file of another stage behind that could be asked for.",
            hint="Ask of a Dockerfile of several stages, or which stages run: kind='stages'",
        )
    facts = [Fact(one.file.path, True, one.why) for one in _drawn(inside)]
    facts += [Fact(one.file.path, False, one.why) for one in _drawn(behind.values())]
    return tuple(sorted(facts, key=lambda one: zlib.crc32(one.item.encode())))


@dataclass(frozen=True, slots=True)
class _File:
    """A file that a line of the Dockerfile put there."""

    path: str
    size_bytes: int
    stage: str
    line: int


@dataclass(frozen=True, slots=True)
class _Place:
    file: _File
    why: str


def _stage_why(state: str, why: str) -> str:
    return f"not built: {why}" if state == "not built" else f"{state}: {why}"


def _contents(project: str | os.PathLike[str], dockerfile: Dockerfile, stage: Stage, file: str) -> Contents:
    target = None if stage is dockerfile.stages[-1] else stage.index
    with trial_build(project_folder(project), file=file, target=target) as trial:
        # The same image may be the learner's own: what is noted of it then is the same, so it stays.
        origins.remember(trial.image.image_id, dockerfile, stage)
        return contents_of(trial.image.image_id)


def _others(dockerfile: Dockerfile, aim: Stage) -> list[Stage]:
    """Return the stages that the target takes from but does not start from."""
    own = {stage.index for stage in dockerfile.chain(aim)}
    return [dockerfile.stages[index] for index in sorted(dockerfile.needed_by(aim) - own)]


def _own(found: Contents) -> Iterator[_File]:
    """Yield the files that the Dockerfile put there, not the base image; no cache's, whose names hold moments."""
    for path, size, kind, layer in zip(found.paths, found.sizes, found.kinds, found.layers, strict=True):
        made = found.by_layer[layer]
        if made.stage is not None and made.line is not None and kind != CACHES:
            yield _File(path, size, made.stage, made.line)


def _drawn(places: Iterable[_Place]) -> list[_Place]:
    """Return a few: of each line one in turn, the heaviest first, for those are what a stage is there for."""
    by_line: dict[int, list[_Place]] = {}
    for one in sorted(places, key=lambda one: (-one.file.size_bytes, one.file.path)):
        by_line.setdefault(one.file.line, []).append(one)
    rounds = max((len(rows) for rows in by_line.values()), default=0)
    turns = [
        by_line[line][turn]
        for turn in range(min(rounds, OF_EACH))
        for line in sorted(by_line)
        if turn < len(by_line[line])
    ]
    return turns[:OF_EACH]


def _inside_why(one: _File, dockerfile: Dockerfile) -> str:
    return f"{one.stage} put it there, line {one.line}: {_instruction(dockerfile, one.line)}"


def _behind_why(one: _File, dockerfile: Dockerfile, aim: Stage) -> str:
    instruction = _instruction(dockerfile, one.line)
    return f"it stayed in {one.stage}, line {one.line}: {instruction}; {_taken(dockerfile, aim)}"


def _taken(dockerfile: Dockerfile, aim: Stage) -> str:
    copies = [edge for stage in dockerfile.chain(aim) for edge in stage.edges if edge.kind == "copy"]
    lines: Sequence[int] = sorted({edge.line for edge in copies})
    if not lines:
        return f"{aim.label} copies nothing"
    word = "lines" if len(lines) > 1 else "line"
    return f"{aim.label} takes only what {word} {', '.join(map(str, lines))} copies"


def _instruction(dockerfile: Dockerfile, line: int) -> str:
    rows = dockerfile.text.splitlines()
    return rows[line - 1].strip() if 0 < line <= len(rows) else ""
