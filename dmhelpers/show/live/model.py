"""What is known of a build while it runs, from the events that it reports; draws nothing and asks nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dmhelpers.errors import BuildFailed, DmHelpersError
from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.events import Event, LogLine, Vertex, VertexChanged
from dmhelpers.measure.records import BuildRecord, Stage, Step
from dmhelpers.measure.steps import step_places, steps_of
from dmhelpers.show.live.tail import Tail
from dmhelpers.show.live.view import (
    Excerpt,
    Failure,
    LiveStage,
    LiveState,
    LiveStep,
    LogTail,
    Phase,
    View,
)
from dmhelpers.units import docker_size

LOG_LINES = 6
FAILED_LOG_LINES = 12
_LOGS = 2
_SAID = 8
_EXCERPT_LINES = 8
_ENDED: tuple[LiveState, ...] = ("ran", "cached", "failed", "cancelled", "not run")


@dataclass(slots=True)
class _Work:
    """One vertex, with what is known of it beside BuildKit's own record."""

    vertex: Vertex
    seen: float
    parts: dict[str, tuple[int, int]] = field(default_factory=dict)
    tail: Tail | None = None


class LiveBuild:
    """A build as far as it has come. It is a listener: call it with each event; `view()` says what to show.

    Events may come on one thread and `view` be asked on another.

    Args:
        dockerfile: What is built.
        target: The stage that is built.
        title: The image's name, for the heading.
        clock: Returns seconds; running steps are timed by it, since an engine's clock may differ from ours.
    """

    def __init__(
        self, dockerfile: Dockerfile, target: Stage, *, title: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._dockerfile, self._target, self._title, self._clock = dockerfile, target, title, clock
        self._needed = dockerfile.needed_by(target)
        self._places = tuple(step_places(dockerfile))
        self._begun = clock()
        self._ended: float | None = None
        self._phase: Phase = "building"
        self._work: dict[str, _Work] = {}
        self._said: list[str] = []
        self._record: BuildRecord | None = None
        self._failure: Failure | None = None
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take in one event, at the same cost however many came before."""
        with self._lock:
            if isinstance(event, LogLine):  # first, for a step may print thousands of lines a second
                work = self._work.get(event.digest) or self._work_of(event.digest)
                if work.tail is None:
                    work.tail = Tail()
                work.tail.add(event.text)
            elif isinstance(event, VertexChanged):
                work = self._work_of(event.vertex.digest)
                if len(event.vertex.intervals) > len(work.vertex.intervals):
                    work.seen = self._clock()
                work.vertex = _copy(event.vertex)
            elif event.current or event.total:
                self._work_of(event.digest).parts[event.part or event.name] = (event.current, event.total)

    def say(self, sentence: str) -> None:
        """Take in a sentence about what is not a step."""
        with self._lock:
            self._said = [*self._said, sentence][-_SAID:]

    def succeed(self, record: BuildRecord) -> None:
        """Note that the build ended well; its record has the last word on every state."""
        self._record = record
        self._end("built")

    def fail(self, error: DmHelpersError) -> None:
        """Note that the build failed, and with which error."""
        self._failure = Failure(error.message, error.hint, tuple(self._excerpt(error)))
        self._end("failed")

    def cancel(self) -> None:
        """Note that somebody interrupted the build."""
        self._end("cancelled")

    def view(self) -> View:
        """Return what there is to show now."""
        with self._lock:
            now = self._clock() if self._ended is None else self._ended
            steps = self._steps(now)
            return View(
                title=self._title,
                phase=self._phase,
                duration_s=self._record.duration_s if self._record else now - self._begun,
                stages=tuple(self._stage(stage, steps[stage.index]) for stage in self._dockerfile.stages),
                said=tuple(self._said),
                work=tuple(self._around()),
                logs=tuple(self._logs()),
                failure=self._failure,
            )

    def _end(self, phase: Phase) -> None:
        with self._lock:
            self._phase, self._ended = phase, self._clock()

    def _work_of(self, digest: str) -> _Work:
        return self._work.setdefault(digest, _Work(Vertex(digest), self._clock()))

    def _steps(self, now: float) -> list[tuple[LiveStep, ...]]:
        vertexes = {digest: one.vertex for digest, one in self._work.items()}
        known = self._record.steps if self._record else steps_of(self._dockerfile, vertexes, {}, self._target)
        found = {(one.stage, one.number): one for one in known}
        made: list[list[LiveStep]] = [[] for _ in self._dockerfile.stages]
        for place in self._places:
            if place.stage.index in self._needed:
                step = found.get((place.stage.label, place.number))
                state, duration_s, moved = self._progress(step, now)
                text = " ".join(place.instruction.text.split())
                one = LiveStep(place.number, place.instruction.line, text, state, duration_s, moved)
                made[place.stage.index].append(one)
        return [tuple(one) for one in made]

    def _progress(self, step: Step | None, now: float) -> tuple[LiveState, float, str]:
        """Return a step's state, its seconds and the bytes that it moved."""
        work = self._work.get(step.digest) if step else None
        moved = _bytes_words(work) if work else ""
        if self._record is not None:
            return (step.state, 0.0 if step.shared_with else step.duration_s, moved) if step else ("cached", 0.0, "")
        unfinished: LiveState = "waiting" if self._phase == "building" else "not run"
        if step is None or work is None or not (work.vertex.started or work.vertex.cached or work.vertex.error):
            return unfinished, 0.0, moved
        if step.state == "cancelled" and self._phase == "building" and not work.vertex.error:
            return "running", work.vertex.duration_s + now - work.seen, moved
        return step.state, 0.0 if step.shared_with else step.duration_s, moved

    def _stage(self, stage: Stage, steps: tuple[LiveStep, ...]) -> LiveStage:
        is_target = stage.index == self._target.index
        if stage.index not in self._needed:
            reason = f"{self._target.label} does not depend on it"
            return LiveStage(stage.index, stage.label, "not built", is_target, (), reason=reason)
        state = self._record.stages[stage.index].state if self._record else _state_of(steps, self._phase)
        spent = sum(one.duration_s for one in steps)
        return LiveStage(stage.index, stage.label, state, is_target, steps, spent)

    def _around(self) -> Iterator[str]:
        """Yield what the engine does around the stages: what is sent to it, and what it does right now."""
        for work in self._work.values():
            name = work.vertex.name.removeprefix("[internal] ")
            if work.vertex.name.startswith("[internal] load build context") and work.parts:
                yield f"build context: {_bytes_words(work)}"
            elif self._phase == "building" and _runs(work.vertex) and not _is_step(work.vertex):
                yield f"{name} …"

    def _logs(self) -> Iterator[LogTail]:
        if self._phase == "failed":
            failed = [one for one in self._work.values() if one.vertex.error and not _stopped(one.vertex)]
            told = self._failure.message if self._failure else ""
            yield from (
                one for one in _tails(failed, FAILED_LOG_LINES) if any(line not in told for line in one.lines)
            )
        elif self._phase == "building":
            yield from _tails([one for one in self._work.values() if _runs(one.vertex)][-_LOGS:], LOG_LINES)

    def _excerpt(self, error: DmHelpersError) -> Iterator[Excerpt]:
        line = error.line if isinstance(error, BuildFailed) else None
        rows = self._dockerfile.text.splitlines()
        if line is None or not 0 < line <= len(rows):
            return
        instructions = (one for stage in self._dockerfile.stages for one in stage.instructions)
        end = next((one.end_line for one in instructions if one.line == line), line)
        for number in range(max(1, line - 1), min(len(rows), end + 1, line + _EXCERPT_LINES - 2) + 1):
            yield Excerpt(number, rows[number - 1], meant=line <= number <= end)


def _state_of(steps: Sequence[LiveStep], phase: Phase) -> LiveState:
    """Return what a stage does by what its steps do; a FROM decides only where there is nothing else."""
    work = [one.state for one in steps if not one.instruction.upper().startswith("FROM")]
    states = work or [one.state for one in steps]
    if not states:
        return "waiting" if phase == "building" else "not run"
    worst: tuple[LiveState, ...] = ("failed", "cancelled", "running")
    for state in worst:
        if state in states:
            return state
    if all(state in _ENDED for state in states):
        order: tuple[LiveState, ...] = ("not run", "ran")
        return next((state for state in order if state in states), "cached")
    return "running" if "ran" in states else "waiting"


def _tails(works: Iterable[_Work], most: int) -> Iterator[LogTail]:
    for one in works:
        if one.tail is not None:
            yield LogTail(one.vertex.name, one.tail.lines(most))


def _bytes_words(work: _Work) -> str:
    current, total = (sum(pair[index] for pair in work.parts.values()) for index in (0, 1))
    if not current and not total:
        return ""
    verb = "sent" if work.vertex.name.startswith("[internal]") else "fetched"
    of = f" of {docker_size(total)}" if total > current else ""
    return f"{docker_size(current)}{of} {verb}"


def _copy(vertex: Vertex) -> Vertex:
    """Return the vertex as it is now: the one that is reported changes later, perhaps while it is being drawn."""
    return Vertex(vertex.digest, vertex.name, vertex.cached, vertex.error, dict(vertex.intervals))


def _runs(vertex: Vertex) -> bool:
    return vertex.started is not None and not (vertex.done or vertex.cached or vertex.error)


def _is_step(vertex: Vertex) -> bool:
    return vertex.name.startswith("[") and not vertex.name.startswith(("[internal]", "[auth]"))


def _stopped(vertex: Vertex) -> bool:
    return "context canceled" in vertex.error
