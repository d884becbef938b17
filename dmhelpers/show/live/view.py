"""What a running build's view says at one moment, as frozen records: the same view is drawn the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["building", "built", "failed", "cancelled"]
"""What the build as a whole is doing; ``"cancelled"``: somebody interrupted it."""

LiveState = Literal["waiting", "running", "ran", "cached", "failed", "cancelled", "not run", "not built"]
"""What a step or a stage is doing. ``"not run"``: the build ended before it; ``"not built"``: no part of it."""


@dataclass(frozen=True, slots=True)
class LiveStep:
    """One step; `duration_s` is 0.0 until it runs, `moved` says which bytes it fetched."""

    number: int
    line: int
    instruction: str
    state: LiveState
    duration_s: float = 0.0
    moved: str = ""


@dataclass(frozen=True, slots=True)
class LiveStage:
    """One stage with its steps; `reason` says why it is not built, and is empty where it is."""

    index: int
    label: str
    state: LiveState
    is_target: bool
    steps: tuple[LiveStep, ...]
    duration_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LogTail:
    """The last lines that a step printed."""

    step: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A line of the Dockerfile near an error; `meant` marks the lines that failed."""

    line: int
    text: str
    meant: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """The first error: what happened, where in the Dockerfile, and what to do."""

    message: str
    cure: str
    excerpt: tuple[Excerpt, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """All that is shown of a build at one moment.

    `said` holds sentences about what is not a step (a stand-in base image), `work` what the engine does
    around the stages (the build context's bytes).
    """

    title: str
    phase: Phase
    duration_s: float
    stages: tuple[LiveStage, ...]
    said: tuple[str, ...] = ()
    work: tuple[str, ...] = ()
    logs: tuple[LogTail, ...] = ()
    failure: Failure | None = None
