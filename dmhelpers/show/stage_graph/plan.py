"""Which stages a build of a target needs and which it skips, each with its reason in words."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dmhelpers.measure.dockerfile import read_dockerfile
from dmhelpers.measure.records import EdgeKind
from dmhelpers.show.stage_graph.model import Graph, Link, StageNode, line_words, make_graph

_TAKES: dict[EdgeKind, str] = {"from": "starts FROM it", "copy": "copies from it", "mount": "mounts it"}


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage, whether a build of the target needs it, and why: a clause that follows "because"."""

    stage: str
    built: bool
    why: str


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What building a target takes: a row a stage, in file order. It shows itself."""

    file: str
    target: str
    stages: tuple[PlannedStage, ...]

    @property
    def built(self) -> tuple[str, ...]:
        """The stages that a build of the target needs, the target among them."""
        return tuple(one.stage for one in self.stages if one.built)

    @property
    def skipped(self) -> tuple[str, ...]:
        """The stages that BuildKit leaves out."""
        return tuple(one.stage for one in self.stages if not one.built)

    def __str__(self) -> str:
        needed = _joined(f"{one.stage} ({one.why})" for one in self.stages if one.built)
        skipped = _joined(f"{one.stage} ({one.why})" for one in self.stages if not one.built)
        counted = f"Building {self.target} takes {len(self.built)} of {len(self.stages)} stages: {needed}."
        return f"{counted} Skipped: {skipped}." if skipped else f"{counted} Nothing is skipped."

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f'<p style="max-width:56em;line-height:1.5">{html.escape(str(self))}</p>'


def would_build(
    project: str | os.PathLike[str],
    *,
    target: str | int | None = None,
    file: str = "Dockerfile",
    build_args: Mapping[str, str] | None = None,
) -> BuildPlan:
    """Say which stages a build of a target would take and which it would skip, and why. Asks no engine.

    Args:
        project: The project's folder (or a sample).
        target: The stage to build, by name or number; the last one for None, as for `docker build`.
        file: The Dockerfile, relative to the project.
        build_args: Values for the ARGs that stand before the first FROM.

    Returns:
        The plan: ``.built`` and ``.skipped`` (names, in file order) and ``.stages`` with a reason each.

    Raises:
        ProjectNotFound: There is no such folder or Dockerfile.
        DockerfileError: The Dockerfile cannot be read; carries the line.
        StageNotFound: The target is not one of its stages.
    """
    return plan_of(make_graph(read_dockerfile(project, file=file, build_args=build_args), target=target))


def plan_of(graph: Graph) -> BuildPlan:
    """Return the plan that a graph for a target holds."""
    rows = tuple(PlannedStage(stage.label, stage.needed, _why(stage, graph)) for stage in graph.stages)
    return BuildPlan(graph.file, graph.target, rows)


def _why(stage: StageNode, graph: Graph) -> str:
    takers = [link for link in graph.links if link.from_stage == stage.index]
    if stage.is_target:
        return "the target"
    if stage.needed:
        return _taken(next(link for link in takers if link.needed), graph)
    if not takers:
        return f"no stage takes anything from it, so {graph.target} does not need it"
    names = _joined(dict.fromkeys(graph.stages[link.to_stage].label for link in takers))
    return f"only {names} takes from it, and {graph.target} does not need that"


def _taken(link: Link, graph: Graph) -> str:
    return f"{graph.stages[link.to_stage].label} {_TAKES[link.kind]}, {line_words(link.lines)}"


def _joined(names: Iterable[str]) -> str:
    listed = list(names)
    return listed[0] if len(listed) == 1 else " and ".join(filter(None, [", ".join(listed[:-1]), *listed[-1:]]))
