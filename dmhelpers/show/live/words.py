"""The view of a build as lines of text, for screen readers and for whatever shows no HTML."""

from __future__ import annotations

from collections.abc import Iterator

from dmhelpers.show.live.view import Failure, LiveStage, LiveStep, Phase, View
from dmhelpers.units import seconds

_PHASES: dict[Phase, str] = {
    "building": "building {}, {} so far",
    "built": "{} built in {}",
    "failed": "the build of {} failed after {}",
    "cancelled": "the build of {} was interrupted after {}: the engine cancelled it, and nothing was tagged",
}
LINE_CHARS = 90


def headline(view: View) -> str:
    """Return what the build as a whole does: ``"building my-api:latest, 3.0s so far"``."""
    return _PHASES[view.phase].format(view.title, seconds(view.duration_s))


def state_words(one: LiveStep | LiveStage) -> str:
    """Return a state as the stage graph has it, with seconds where there are any: ``"ran 1.2s"``."""
    timed = one.state in {"ran", "running", "failed", "cancelled"} and one.duration_s >= 0.05
    return f"{one.state} {seconds(one.duration_s)}" if timed else one.state


def to_text(view: View) -> str:
    """Return the whole view as text: stages in file order, under each its steps."""
    return "\n".join(_rows(view))


def _rows(view: View) -> Iterator[str]:
    yield headline(view)
    yield from view.said
    for stage in view.stages:
        target = ", target" if stage.is_target else ""
        why = f": {stage.reason}" if stage.reason else ""
        yield f"{stage.index} {stage.label}{target}: {state_words(stage)}{why}"
        yield from (f"  {_step(one)}" for one in stage.steps)
    yield from view.work
    for log in view.logs:
        yield f"the last lines of {log.step}"
        yield from (f"  | {line}" for line in log.lines)
    if view.failure:
        yield from _failure(view.failure)


def _step(step: LiveStep) -> str:
    moved = f" ({step.moved})" if step.moved else ""
    return f"{state_words(step):<14} line {step.line}: {step.instruction[:LINE_CHARS]}{moved}"


def _failure(failure: Failure) -> Iterator[str]:
    yield failure.message
    yield from (f"{'>' if one.meant else ' '} {one.line:>3} | {one.text}" for one in failure.excerpt)
    yield failure.cure
