"""Stages: tests that nothing runs, and one stage that does what two would do better."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dmhelpers.measure.clinic.installs import runs_tests
from dmhelpers.measure.clinic.records import Found
from dmhelpers.measure.clinic.rulebook import signs
from dmhelpers.measure.clinic.subject import Subject, found_at_from
from dmhelpers.measure.clinic.tools import build_step, compilers_left, is_toolchain
from dmhelpers.measure.records import Stage


def check_stages(subject: Subject) -> Iterator[Found]:
    """Find test stages that the target does not need, and a target that is built in the stage that is shipped."""
    for stage in subject.dockerfile.stages:
        if stage not in subject.needed and (why := _tests(subject, stage)):
            text = f"{why}, and {subject.target.label} takes nothing from stage {stage.label}."
            yield found_at_from(stage, "test-stage", text)
    reason = why_two_stages(subject)
    if reason is not None:
        yield found_at_from(subject.chain[0], "single-stage", reason)


def why_two_stages(subject: Subject) -> str | None:
    """Return why a second stage would leave something behind; None where there are two, or nothing would go."""
    inside = {one.index for one in subject.chain}
    others = any(edge.stage_index not in (None, *inside) for one in subject.chain for edge in one.edges)
    if others:
        return None
    base = subject.final_base()
    if is_toolchain(base):
        return f"It is built and shipped on {base}: compiler, sources and all that the build downloaded go along."
    for run in subject.runs():
        if left := compilers_left(run):
            return f"Line {run.line} installs {left[0]} to build with, and it is shipped."
        if (step := build_step(run)) is not None:
            return f"`{step.shown}` on line {run.line} compiles, and what it needs for that is shipped."
    return None


def _tests(subject: Subject, stage: Stage) -> str | None:
    own = [run for run in subject.runs(stage) if run.placed.stage is stage]
    for run in own:
        if any(runs_tests(command) for command in run.commands):
            return f"Line {run.line} runs tests"
    words = set(re.split(r"[-_.]", stage.name or ""))
    return "It is a test stage by its name" if own and words & set(signs("stages")["test_words"]) else None
