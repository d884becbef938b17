"""The records that the measure room makes and the show room draws. Frozen; bytes and seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

StepState = Literal["ran", "cached", "failed", "cancelled"]
"""What happened to one step of a build."""

StageOutcome = Literal["ran", "cached", "not built", "failed", "cancelled"]
"""What happened to one stage of a build; ``"not built"``: the target does not depend on it."""

EdgeKind = Literal["from", "copy", "mount"]
"""How a stage depends on another: ``FROM x``, ``COPY --from=x``, ``RUN --mount=from=x``."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile; lines count from 1.

    `exec_form` says that its arguments are a JSON list; `heredocs` holds the text of each here-document.
    """

    name: str
    text: str
    line: int
    end_line: int
    flags: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    exec_form: bool = False
    heredocs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """What a stage takes from: another stage (`stage_index` is set) or an image."""

    kind: EdgeKind
    source: str
    stage_index: int | None
    line: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: a FROM line and what follows it, up to the next FROM."""

    index: int
    name: str | None
    base: str
    line: int
    end_line: int
    instructions: tuple[Instruction, ...]
    edges: tuple[Edge, ...]

    @property
    def label(self) -> str:
        """The stage's name, or BuildKit's own word for one without: ``stage-1``."""
        return self.name or f"stage-{self.index}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a build, as BuildKit ran it or took it from the build cache.

    `line` is None where the step stands in no Dockerfile line that could be found.
    `duration_s` is 0.0 for a cached step. `shared_with` names the stage that ran an identical step for this one.
    """

    stage: str
    number: int
    line: int | None
    end_line: int | None
    instruction: str
    state: StepState
    duration_s: float
    started: datetime | None = None
    digest: str = ""
    shared_with: str | None = None


@dataclass(frozen=True, slots=True)
class StageState:
    """What became of one stage; `duration_s` adds up its steps' seconds."""

    stage: str
    state: StageOutcome
    duration_s: float


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """One finished build."""

    image_id: str
    tag: str
    target: str
    command: str
    duration_s: float
    steps: tuple[Step, ...]
    stages: tuple[StageState, ...]
    log: str
    warnings: tuple[str, ...]
    mapped_by: Literal["provenance", "names"]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image as the engine lists it.

    `size_bytes` is the unpacked size, the sum of its history; `engine_size_bytes` is what this engine's
    `docker images` shows, which on containerd's store counts the packed layers too. Neither compares
    across image stores: containerd's counts whole disk blocks, so many small files weigh more there.
    `base_origin` is ``"assembled"`` for a stand-in base image and what was built on one, else ``""``.
    """

    repository: str
    tag: str
    image_id: str
    created: datetime
    size_bytes: int
    engine_size_bytes: int
    base_origin: str = ""


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """One row of an image's history; `stage` and `line` are None where the course did not build it."""

    created_by: str
    size_bytes: int
    created: datetime | None
    comment: str
    stage: str | None = None
    line: int | None = None
    empty: bool = False


@dataclass(frozen=True, slots=True)
class ImageHistory:
    """An image's layers, newest first, as Docker prints them.

    `stages` holds all stages of its Dockerfile in file order, where the course built it.
    """

    image: str
    image_id: str
    layers: tuple[LayerRecord, ...] = field(default=())
    stages: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """The unpacked size: the sum over the layers."""
        return sum(layer.size_bytes for layer in self.layers)


@dataclass(frozen=True, slots=True)
class KindBytes:
    """How many bytes of an image's final filesystem are of one kind."""

    kind: str
    size_bytes: int
    files: int
