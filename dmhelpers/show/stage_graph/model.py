"""What the picture of a Dockerfile says: nodes and edges, before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dmhelpers.engine.recorded import marks
from dmhelpers.errors import InputError
from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.records import BuildRecord, Edge, EdgeKind, Stage, StageState
from dmhelpers.show.plots import theme
from dmhelpers.show.stage_graph.sizes import Sizes
from dmhelpers.units import docker_size, seconds

SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class StageNode:
    """One stage: `needed` tells whether the target depends on it, `is_target` whether it is the target itself.

    `status` is what there is to say of it: ``"not built for runtime"``, after a build ``"ran 1.2s"``, its size.
    `state` is what became of it, in one of the words that have a mark; ``""`` where nothing was built yet.
    """

    index: int
    label: str
    base: str
    line: int
    end_line: int
    needed: bool
    is_target: bool
    status: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class ImageNode:
    """One image from outside the Dockerfile; ``scratch`` is the empty one. `size` is in words, ``""`` if unknown."""

    name: str
    needed: bool
    size: str = ""


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
    """A Dockerfile's stages in file order, the images that they take from, and who takes from whom.

    `notes` are sentences about the figures: where sizes come from, and what is in them.
    """

    file: str
    target: str
    stages: tuple[StageNode, ...]
    images: tuple[ImageNode, ...]
    links: tuple[Link, ...]
    notes: tuple[str, ...] = ()

    def into(self, stage: StageNode) -> tuple[Link, ...]:
        """Return what a stage takes, in the order of its lines."""
        return tuple(link for link in self.links if link.to_stage == stage.index)


def make_graph(
    dockerfile: Dockerfile,
    *,
    target: str | int | None = None,
    record: BuildRecord | None = None,
    sizes: Sizes | None = None,
) -> Graph:
    """Return the graph of a Dockerfile, for one target.

    Args:
        dockerfile: The Dockerfile.
        target: The stage to build, by name or number; the build's own, else the last one, for None.
        record: A build of it, whose states and seconds the stages are to show.
        sizes: What is known of its sizes.

    Raises:
        StageNotFound: The target is none of its stages.
        InputError: The build is of another Dockerfile or another target.
    """
    aim = dockerfile.find(record.target if record is not None and target is None else target)
    states = _states(dockerfile, aim, record)
    needed = dockerfile.needed_by(aim)
    known = sizes or Sizes()
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
                status=_status(stage, aim, needed, states, known.stages.get(stage.index)),
                state=states[stage.index].state if states else "" if stage.index in needed else "not built",
            )
            for stage in dockerfile.stages
        ),
        images=_images(links, known),
        links=links,
        notes=_notes(known),
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


def _images(links: Sequence[Link], known: Sizes) -> tuple[ImageNode, ...]:
    names = {link.from_image: link.source for link in links if link.from_image is not None}
    needed = {link.from_image for link in links if link.needed}
    sizes = {name: docker_size(size_bytes) for name, size_bytes in known.images.items()}
    return tuple(ImageNode(name, index in needed, sizes.get(name, "")) for index, name in names.items())


def _notes(known: Sizes) -> tuple[str, ...]:
    if not known.note:
        return ()
    # The second has its place in the picture either way: where it stands depends on no engine.
    return known.note, theme.STAND_IN_NOTE if known.stand_in else ""


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
