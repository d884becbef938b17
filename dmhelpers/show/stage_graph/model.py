"""What the picture of a Dockerfile says: nodes and edges, before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dmhelpers.engine.recorded import marks
from dmhelpers.errors import InputError
from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.records import BuildRecord, Edge, EdgeKind, Stage, StageState
from dmhelpers.units import docker_size, seconds

SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class StageNode:
    """One stage: `needed` tells whether the target depends on it, `is_target` whether it is the target itself.

    `status` is what there is to say of it: ``"not built for runtime"``, after a build ``"ran 1.2s"``, its size.
    """

    index: int
    label: str
    base: str
    line: int
    end_line: int
    needed: bool
    is_target: bool
    status: str = ""


@dataclass(frozen=True, slots=True)
class ImageNode:
    """One image from outside the Dockerfile; ``scratch`` is the empty one."""

    name: str
    needed: bool


@dataclass(frozen=True, slots=True)
class Link:
    """All that one stage takes from one source in one way.

    Exactly one of `from_stage` and `from_image` is set: numbers into the graph's `stages` and `images`.
    """

    kind: EdgeKind
    source: str
    from_stage: int | None
    from_image: int | None
    to_stage: int
    lines: tuple[int, ...]
    needed: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """A Dockerfile's stages in file order, the images that they take from, and who takes from whom."""

    file: str
    target: str
    stages: tuple[StageNode, ...]
    images: tuple[ImageNode, ...]
    links: tuple[Link, ...]

    def into(self, stage: StageNode) -> tuple[Link, ...]:
        """Return what a stage takes, in the order of its lines."""
        return tuple(link for link in self.links if link.to_stage == stage.index)


def make_graph(
    dockerfile: Dockerfile,
    *,
    target: str | int | None = None,
    record: BuildRecord | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Graph:
    """Return the graph of a Dockerfile, for one target.

    Args:
        dockerfile: The Dockerfile.
        target: The stage to build, by name or number; the build's own, else the last one, for None.
        record: A build of it, whose states and seconds the stages are to show.
        sizes: Bytes to show, by stage name.

    Raises:
        StageNotFound: The target, or a name among the sizes, is none of its stages.
        InputError: The build is of another Dockerfile or another target.
    """
    aim = dockerfile.find(record.target if record is not None and target is None else target)
    states = _states(dockerfile, aim, record)
    needed = dockerfile.needed_by(aim)
    bytes_of = {dockerfile.find(name).index: size for name, size in (sizes or {}).items()}
    links = _links(dockerfile.stages, needed)
    return Graph(
        file=dockerfile.path.name,
        target=aim.label,
        stages=tuple(
            StageNode(
                index=stage.index,
                label=stage.label,
                base=stage.edges[0].source,
                line=stage.line,
                end_line=stage.end_line,
                needed=stage.index in needed,
                is_target=stage.index == aim.index,
                status=_status(stage, aim, needed, states, bytes_of.get(stage.index)),
            )
            for stage in dockerfile.stages
        ),
        images=_images(links),
        links=links,
    )


def line_words(lines: Sequence[int]) -> str:
    """Return lines as a person says them: ``"line 7"``, ``"lines 7, 9"``."""
    return f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"


def span_words(stage: StageNode) -> str:
    """Return which lines a stage takes up: ``"lines 2-13"``."""
    if stage.line == stage.end_line:
        return f"line {stage.line}"
    return f"lines {stage.line}-{stage.end_line}"


def _links(stages: Sequence[Stage], needed: frozenset[int]) -> tuple[Link, ...]:
    images: dict[str, int] = {}
    links: list[Link] = []
    for stage in stages:
        together: dict[tuple[EdgeKind, str, int | None], list[Edge]] = {}
        for edge in stage.edges:
            together.setdefault((edge.kind, _source(edge), edge.stage_index), []).append(edge)
        for (kind, source, index), edges in together.items():
            image = images.setdefault(source, len(images)) if index is None else None
            lines = tuple(dict.fromkeys(edge.line for edge in edges))
            links.append(Link(kind, source, index, image, stage.index, lines, stage.index in needed))
    return tuple(links)


def _source(edge: Edge) -> str:
    return SCRATCH if edge.stage_index is None and edge.source.lower() == SCRATCH else edge.source


def _images(links: Sequence[Link]) -> tuple[ImageNode, ...]:
    names = {link.from_image: link.source for link in links if link.from_image is not None}
    needed = {link.from_image for link in links if link.needed}
    return tuple(ImageNode(name, index in needed) for index, name in names.items())


def _states(dockerfile: Dockerfile, aim: Stage, record: BuildRecord | None) -> tuple[StageState, ...]:
    if record is None:
        return ()
    if [one.stage for one in record.stages] != [stage.label for stage in dockerfile.stages]:
        raise InputError(
            f"The build of {record.tag} has the stages {', '.join(one.stage for one in record.stages)}; "
            f"{dockerfile.path.name} has others.",
            hint="Give the project and the file that were built, or build again if the Dockerfile was changed.",
        )
    if dockerfile.find(record.target).index != aim.index:
        raise InputError(
            f"The build of {record.tag} made stage {record.target!r}, not {aim.label!r}.",
            hint="Leave target= out: the build knows its own.",
        )
    return record.stages


def _status(
    stage: Stage, aim: Stage, needed: frozenset[int], states: Sequence[StageState], size_bytes: int | None
) -> str:
    words = []
    if states:
        state = states[stage.index]
        took = f" {seconds(state.duration_s)}" if state.state == "ran" and state.duration_s else ""
        words.append(f"{state.state}{took}" if state.state != "not built" else f"not built for {aim.label}")
    elif stage.index not in needed:
        words.append(f"not built for {aim.label}")
    if size_bytes is not None:
        words.append(docker_size(size_bytes))
    if marks.sentence() and (states or size_bytes is not None):
        words.append("recorded")
    return ", ".join(words)
