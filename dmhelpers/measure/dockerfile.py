"""A Dockerfile as stages and the edges between them.

The text is split by e2b-dockerfile-utils, a port of BuildKit's own parser; what a stage is, which
name it answers to and what it takes from another one is worked out here, by BuildKit's rules
(names are matched without regard to case, the last stage is the default target).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dmhelpers.errors import DockerfileError, ProjectNotFound, StageNotFound, near_matches
from dmhelpers.measure.records import Edge, EdgeKind, Instruction, Stage

if TYPE_CHECKING:
    from e2b_dockerfile_utils import DockerfileInstruction, DockerfileSyntaxError

KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER "
        "VOLUME WORKDIR",
    )
)
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::(?P<test>[-+])(?P<word>[^}]*))?\}|(?P<plain>\w+))")
_MOUNT_FROM = re.compile(r"(?:^|,)from=([^,]+)")


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile that was read: its stages in file order."""

    path: Path
    text: str
    stages: tuple[Stage, ...]

    def find(self, target: str | int | None) -> Stage:
        """Return the stage of that name or number; the last one for None.

        Raises:
            StageNotFound: There is none; close names are offered.
        """
        if target is None:
            return self.stages[-1]
        wanted = str(target).lower()
        for stage in reversed(self.stages):
            if stage.label == wanted or (wanted.isdigit() and stage.index == int(wanted)):
                return stage
        names = [stage.label for stage in self.stages]
        raise StageNotFound(
            f"{self.path.name} has no stage {str(target)!r}; its stages are {', '.join(names)}.",
            hint=near_matches(wanted, names),
        )

    def needed_by(self, stage: Stage) -> frozenset[int]:
        """Return the numbers of the stages that a build of this stage depends on, itself included."""
        needed: set[int] = set()
        waiting = [stage.index]
        while waiting:
            index = waiting.pop()
            if index not in needed:
                needed.add(index)
                edges = self.stages[index].edges
                waiting += [edge.stage_index for edge in edges if edge.stage_index is not None]
        return frozenset(needed)

    def chain(self, stage: Stage) -> tuple[Stage, ...]:
        """Return the stages whose instructions the image of this stage is made of, the oldest first."""
        linked = [stage]
        while (base := _base_index(linked[0])) is not None:
            linked.insert(0, self.stages[base])
        return tuple(linked)

    def base_images(self, stage: Stage) -> tuple[str, ...]:
        """Return the images that a build of this stage starts from or copies from, each once, in file order."""
        needed = self.needed_by(stage)
        edges = (edge for one in self.stages if one.index in needed for edge in one.edges)
        named = (edge.source for edge in edges if edge.stage_index is None and edge.source.lower() != "scratch")
        return tuple(dict.fromkeys(named))


def project_folder(project: str | os.PathLike[str]) -> Path:
    """Return the project's folder as an absolute path.

    Raises:
        ProjectNotFound: There is no such folder.
    """
    folder = Path(project).expanduser().absolute()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ProjectNotFound(
            f"{str(folder)!r} is a file, not a project folder.", hint="Give the folder that holds the Dockerfile."
        )
    siblings = [entry.name for entry in folder.parent.iterdir()] if folder.parent.is_dir() else []
    raise ProjectNotFound(
        f"There is no folder {str(folder)!r}.", hint="Check the path. " + near_matches(folder.name, siblings)
    )


def read_dockerfile(
    project: str | os.PathLike[str], *, file: str = "Dockerfile", build_args: Mapping[str, str] | None = None
) -> Dockerfile:
    """Read a project's Dockerfile.

    Args:
        project: The folder of the project (the build context).
        file: The Dockerfile, relative to the project.
        build_args: Values that a `docker build --build-arg` would give to the ARGs before the first FROM.

    Raises:
        ProjectNotFound: There is no such folder, or no such file in it.
        DockerfileError: The file cannot be read as a Dockerfile; carries the line.
    """
    folder = project_folder(project)
    path = folder / file
    if not path.is_file():
        found = sorted(entry.name for entry in folder.glob("*ockerfile*") if entry.is_file())
        raise ProjectNotFound(
            f"There is no {file!r} in {str(folder)!r}.",
            hint=near_matches(file, found) if found else "Create one, or give the folder that holds it.",
        )
    return parse_dockerfile(path.read_bytes().decode("utf-8-sig", "replace"), path=path, build_args=build_args)


def parse_dockerfile(
    text: str, *, path: Path = Path("Dockerfile"), build_args: Mapping[str, str] | None = None
) -> Dockerfile:
    """Read the text of a Dockerfile; `path` names it in messages. Raises as `read_dockerfile` does."""
    from e2b_dockerfile_utils import DockerfileSyntaxError, parse_dockerfile_ast

    try:
        parsed = parse_dockerfile_ast(text).instructions
    except DockerfileSyntaxError as error:
        raise _syntax_error(error, path) from error
    return Dockerfile(path, text, _stages(parsed, path, build_args or {}))


def _syntax_error(error: DockerfileSyntaxError, path: Path) -> DockerfileError:
    what = str(error).rpartition(f"line {error.line}: ")[2]
    where = path.name if error.line is None else f"{path.name}, line {error.line}"
    unknown = re.match(r"unknown instruction: (\S+)", what)
    hint = near_matches(unknown[1].upper(), KEYWORDS) if unknown else "Mend that line, then build again."
    return DockerfileError(f"{where}: {what}.", hint=hint, line=error.line)


def _stages(parsed: list[DockerfileInstruction], path: Path, build_args: Mapping[str, str]) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    variables: dict[str, str] = {}
    for group in _by_stage(parsed):
        if group[0].name != "FROM":
            variables = _read_global_args(group, path, build_args)
            continue
        stages.append(_stage(group, stages, variables, path))
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
    values: dict[str, str] = {}
    for one in group:
        if one.name != "ARG":
            raise DockerfileError(
                f"{path.name}, line {one.start_line}: {one.name} stands before the first FROM.",
                hint="Only ARG may stand there: put FROM and a base image above it.",
                line=one.start_line,
            )
        for word in one.args:
            name, _, default = word.partition("=")
            values[name] = build_args.get(name, _expand(default.strip("\"'"), values))
    return values


def _stage(
    group: list[DockerfileInstruction], earlier: list[Stage], variables: Mapping[str, str], path: Path
) -> Stage:
    opening = group[0]
    words = [_expand(word, variables) for word in opening.args]
    named = len(words) == 3 and words[1].upper() == "AS"
    if not words or not words[0] or not (named or len(words) == 1):
        raise DockerfileError(
            f"{path.name}, line {opening.start_line}: FROM takes a base image, then perhaps AS and a name; "
            f"here it has {' '.join(words)!r}.",
            hint="Write it like: FROM node:20-alpine AS builder",
            line=opening.start_line,
        )
    base, base_index = words[0], _index_of(words[0], earlier)
    edges = [Edge("from", _source_name(base, base_index, earlier), base_index, opening.start_line)]
    edges += [edge for one in group[1:] for edge in _edges(one, earlier)]
    return Stage(
        index=len(earlier),
        name=words[2].lower() if named else None,
        base=base,
        line=opening.start_line,
        end_line=group[-1].end_line,
        instructions=tuple(_instruction(one) for one in group),
        edges=tuple(edges),
    )


def _edges(one: DockerfileInstruction, earlier: list[Stage]) -> Iterator[Edge]:
    sources: list[tuple[EdgeKind, str]] = []
    for flag in one.flags:
        if one.name == "COPY" and flag.startswith("--from="):
            sources.append(("copy", flag.removeprefix("--from=")))
        elif one.name == "RUN" and flag.startswith("--mount="):
            sources += [("mount", name) for name in _MOUNT_FROM.findall(flag.removeprefix("--mount="))]
    for kind, source in sources:
        index = _index_of(source, earlier, by_number=True)
        yield Edge(kind, _source_name(source, index, earlier), index, one.start_line)


def _index_of(name: str, earlier: list[Stage], *, by_number: bool = False) -> int | None:
    for stage in reversed(earlier):
        if stage.name == name.lower():
            return stage.index
    return int(name) if by_number and name.isdigit() and int(name) < len(earlier) else None


def _source_name(name: str, index: int | None, earlier: list[Stage]) -> str:
    return name if index is None else earlier[index].label


def _instruction(one: DockerfileInstruction) -> Instruction:
    return Instruction(one.name, one.original, one.start_line, one.end_line, tuple(one.flags), tuple(one.args))


def _base_index(stage: Stage) -> int | None:
    return stage.edges[0].stage_index


def _expand(word: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        found = values.get(match["braced"] or match["plain"], "")
        if match["test"] == "-":
            return found or match["word"]
        return match["word"] if match["test"] == "+" and found else ("" if match["test"] else found)

    return _VARIABLE.sub(value, word)
