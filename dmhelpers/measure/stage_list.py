"""From instructions to stages, by BuildKit's rules: which name a stage answers to, and what it takes from where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dmhelpers.errors import DockerfileError
from dmhelpers.measure.records import Edge, EdgeKind, Instruction, Stage
from dmhelpers.measure.variables import expand, preset_variables

if TYPE_CHECKING:
    from e2b_dockerfile_utils import DockerfileInstruction

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_MOUNT_FROM = re.compile(r"(?:^|,)from=([^,]+)")


def list_stages(parsed: list[DockerfileInstruction], path: Path, build_args: Mapping[str, str]) -> tuple[Stage, ...]:
    """Return the stages of a Dockerfile that was split into instructions, in file order.

    Args:
        parsed: Its instructions.
        path: The file, for messages.
        build_args: Values that a build would give to the ARGs before the first FROM.

    Raises:
        DockerfileError: What it says cannot be a stage; carries the line.
    """
    stages: list[Stage] = []
    variables = preset_variables()
    total = sum(one.name == "FROM" for one in parsed)
    for group in _by_stage(parsed):
        if group[0].name != "FROM":
            variables |= _read_global_args(group, path, build_args)
            continue
        stages.append(_stage(group, stages, total, variables, path))
    if not stages:
        raise DockerfileError(
            f"{path.name} has no FROM, so it has no stage.", hint="Begin it with FROM and a base image.", line=None
        )
    return tuple(stages)


def _by_stage(parsed: list[DockerfileInstruction]) -> Iterator[list[DockerfileInstruction]]:
    group: list[DockerfileInstruction] = []
    for one in parsed:
        if one.name == "FROM" and group:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _read_global_args(
    group: list[DockerfileInstruction], path: Path, build_args: Mapping[str, str]
) -> dict[str, str]:
    values = preset_variables()
    for one in group:
        if one.name != "ARG":
            raise DockerfileError(
                f"{path.name}, line {one.start_line}: {one.name} stands before the first FROM.",
                hint="Only ARG may stand there: put FROM and a base image above it.",
                line=one.start_line,
            )
        for word in one.args:
            name, given, default = word.partition("=")
            if name in build_args:
                values[name] = build_args[name]
            elif given:
                values[name] = expand(default, values)
    return values


def _stage(
    group: list[DockerfileInstruction],
    earlier: list[Stage],
    total: int,
    variables: Mapping[str, str],
    path: Path,
) -> Stage:
    opening = group[0]
    words = [expand(opening.args[0], variables), *opening.args[1:]] if opening.args else []
    named = len(words) == 3 and words[1].upper() == "AS"
    if not words or not words[0] or not (named or len(words) == 1):
        raise DockerfileError(
            f"{path.name}, line {opening.start_line}: FROM takes a base image, then perhaps AS and a name; "
            f"here it has {' '.join(words)!r}.",
            hint="Write it like: FROM node:20-alpine AS builder",
            line=opening.start_line,
        )
    name = words[2].lower() if named else None
    if name is not None and not _STAGE_NAME.fullmatch(name):
        raise DockerfileError(
            f"{path.name}, line {opening.start_line}: {words[2]!r} cannot be the name of a stage.",
            hint="Use letters, digits, dashes, dots and underscores, a letter first: FROM node:20-alpine AS builder",
            line=opening.start_line,
        )
    base, base_index = words[0], _index_of(words[0], earlier)
    edges = [Edge("from", _source_name(base, base_index, earlier), base_index, opening.start_line)]
    edges += [edge for one in group[1:] for edge in _edges(one, earlier, total, path)]
    return Stage(
        index=len(earlier),
        name=name,
        base=base,
        line=opening.start_line,
        end_line=group[-1].end_line,
        instructions=tuple(_instruction(one) for one in group),
        edges=tuple(edges),
    )


def _edges(one: DockerfileInstruction, earlier: list[Stage], total: int, path: Path) -> Iterator[Edge]:
    sources: list[tuple[EdgeKind, str]] = []
    for flag in one.flags:
        if one.name == "COPY" and flag.startswith("--from="):
            sources.append(("copy", flag.removeprefix("--from=")))
        elif one.name == "RUN" and flag.startswith("--mount="):
            sources += [("mount", name) for name in _MOUNT_FROM.findall(flag.removeprefix("--mount="))]
    for kind, source in sources:
        if not source:  # BuildKit reads an empty --from as none
            continue
        # A number names a stage for COPY alone: RUN --mount takes it for an image.
        numbered = kind == "copy" and source.isdecimal()
        index = _numbered(int(source), earlier, total, one, path) if numbered else _index_of(source, earlier)
        yield Edge(kind, _source_name(source, index, earlier), index, one.start_line)


def _numbered(index: int, earlier: list[Stage], total: int, one: DockerfileInstruction, path: Path) -> int | None:
    if index < total:
        # BuildKit minds a stage that stands further below only when it builds this one.
        return index if index < len(earlier) else None
    raise DockerfileError(
        f"{path.name}, line {one.start_line}: --from={index} names no stage; the last one is {total - 1}.",
        hint="Stages count from 0. A name is safer than a number: FROM … AS builder, then --from=builder.",
        line=one.start_line,
    )


def _index_of(name: str, earlier: list[Stage]) -> int | None:
    for stage in reversed(earlier):
        if stage.name == name.lower():
            return stage.index
    return None


def _source_name(name: str, index: int | None, earlier: list[Stage]) -> str:
    return name if index is None else earlier[index].label


def _instruction(one: DockerfileInstruction) -> Instruction:
    heredocs = tuple(heredoc.content for heredoc in one.heredocs)
    return Instruction(
        one.name, one.original, one.start_line, one.end_line, tuple(one.flags), tuple(one.args), one.json, heredocs
    )
