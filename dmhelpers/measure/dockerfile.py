"""A Dockerfile as stages and the edges between them.

The text is split by e2b-dockerfile-utils, a port of BuildKit's own parser; what a stage is, which
name it answers to and what it takes from another one is worked out here, by BuildKit's rules
(names are matched without regard to case, the last stage is the default target).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dmhelpers.errors import DockerfileError, ProjectNotFound, StageNotFound, near_matches
from dmhelpers.measure.records import Instruction, Stage
from dmhelpers.measure.stage_list import list_stages

if TYPE_CHECKING:
    from e2b_dockerfile_utils import DockerfileSyntaxError

KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER "
        "VOLUME WORKDIR",
    )
)


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
            if stage.label == wanted or (wanted.isdecimal() and stage.index == int(wanted)):
                return stage
        names = [stage.label for stage in self.stages]
        raise StageNotFound(
            f"{self.path.name} has no stage {str(target)!r}; its stages are {', '.join(names)}.",
            hint=near_matches(wanted, names),
        )

    def name_of(self, stage: Stage) -> str:
        """Return the name by which a build can be told to stop at this stage or to run it again.

        Raises:
            StageNotFound: It has none, or a later stage has the same: BuildKit finds stages by name alone.
        """
        if stage.name is not None and self.find(stage.name) is stage:
            return stage.name
        why = "has no name" if stage.name is None else f"shares the name {stage.name!r} with a later one"
        raise StageNotFound(
            f"Stage {stage.index} of {self.path.name} (line {stage.line}) {why}, and BuildKit finds stages by name.",
            hint=f"Give it a name of its own on line {stage.line}: FROM {stage.base} AS NAME",
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

    def work_of(self, stage: Stage) -> tuple[Instruction, ...]:
        """Return what a build carries out after this stage's FROM: its base's triggers, then its own instructions.

        A trigger (ONBUILD) stands on its line in the stage that set it; setting one leaves no trace by itself.
        """
        base = _base_index(stage)
        before = self.stages[base].instructions if base is not None else ()
        triggers = tuple(_trigger(one) for one in before if one.name == "ONBUILD")
        return triggers + tuple(one for one in stage.instructions if one.name not in ("FROM", "ONBUILD"))

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
    return Dockerfile(path, text, list_stages(parsed, path, build_args or {}))


def _syntax_error(error: DockerfileSyntaxError, path: Path) -> DockerfileError:
    what = str(error).rpartition(f"line {error.line}: ")[2]
    where = path.name if error.line is None else f"{path.name}, line {error.line}"
    unknown = re.match(r"unknown instruction: (\S+)", what)
    hint = near_matches(unknown[1].upper(), KEYWORDS) if unknown else "Mend that line, then build again."
    return DockerfileError(f"{where}: {what}.", hint=hint, line=error.line)


def _trigger(onbuild: Instruction) -> Instruction:
    text = onbuild.text.partition(" ")[2].strip()
    return replace(onbuild, name=text.partition(" ")[0].upper(), text=text)


def _base_index(stage: Stage) -> int | None:
    return stage.edges[0].stage_index
