"""Judging an answer by building it: any Dockerfile that builds and whose image passes the probes is right."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from dmhelpers.course import progress
from dmhelpers.course.checks.trials import Trial, trial_build
from dmhelpers.course.puzzles.records import Judged, Probe, Problem
from dmhelpers.engine.containers import run
from dmhelpers.engine.patience import patient
from dmhelpers.errors import BuildFailed, DmHelpersError, EngineUnavailable, InputError
from dmhelpers.measure.contents import contents_of

RUN_LIMIT_S = 20.0


def judge(problem: Problem, order: Sequence[int]) -> Judged:
    """Build the lines in this order in a copy of the problem's files, and look at the image. Both are removed again.

    Args:
        problem: The problem.
        order: Numbers of its lines.

    Returns:
        Solved or not yet, with what was seen, what is missing and what the engine said. It is counted in the
        learner's progress, as ``"parsons NAME"``, unless there was no line at all.

    Raises:
        EngineUnavailable: No engine answers.
    """
    if not order:
        return Judged(problem.name, problem.title, done=False, missing=("there is no line in your Dockerfile yet",))
    seen: list[str] = []
    missing: list[str] = []
    said: tuple[str, ...] = ()
    try:
        with _written(problem, order) as folder, trial_build(folder) as trial:
            seen.append("the Dockerfile builds")
            for probe in problem.probes:
                complaint = _holds(probe, trial, problem, order)
                (missing if complaint is not None else seen).append(probe.seen if complaint is None else complaint)
    except EngineUnavailable:
        raise
    except DmHelpersError as error:
        missing.append("the Dockerfile does not build")
        said = _said(error)
    done = not missing
    about = _about(problem, order, done=done)
    return Judged(
        problem.name,
        problem.title,
        done,
        tuple(seen),
        tuple(missing),
        said,
        about,
        note(f"parsons {problem.name}", done),
    )


def note(name: str, done: bool) -> str:
    """Count a try in the learner's progress; return why it could not be, else an empty text."""
    try:
        progress.note_puzzle(name, done=done)
    except InputError as error:
        return str(error)
    return ""


@contextmanager
def _written(problem: Problem, order: Sequence[int]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dmhelpers-puzzle-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch) / problem.name
        for name, content in (*problem.files, ("Dockerfile", problem.dockerfile(order))):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
        (folder / ".dockerignore").write_text("Dockerfile\n.dockerignore\n", encoding="utf-8")
        yield folder


def _holds(probe: Probe, trial: Trial, problem: Problem, order: Sequence[int]) -> str | None:
    """Return None where it holds, else what is missing, with what was found instead."""
    if probe.kind == "prints":
        return _prints(probe, trial)
    if probe.kind in ("present", "absent"):
        return _files(probe, trial)
    with _written(problem, order) as folder:
        path = folder / probe.edit
        # Never the same edit twice: what an earlier try left in the build cache proves nothing. In these words,
        # recorded mode knows it again.
        mark = f"// changed by the check {uuid.uuid4().hex}"
        path.write_text(
            f"{path.read_text(encoding='utf-8')}\n{probe.append}\n{mark}\n", encoding="utf-8", newline="\n"
        )
        return _after_edit(probe, folder) if probe.kind == "cached after edit" else _stops(probe, folder)


def _prints(probe: Probe, trial: Trial) -> str | None:
    try:
        result = run(trial.image.image_id, time_limit_s=patient(RUN_LIMIT_S), network=False)
    except EngineUnavailable:
        raise
    except DmHelpersError as error:
        return f"{probe.missing}; instead: {_first_line(error.message)}"
    printed = result.stdout + result.stderr
    if result.exit_code == 0 and probe.text in printed:
        return None
    said = _first_line(_telling(printed)) or "nothing"
    return f"{probe.missing}; it ended with {result.exit_code} and said: {said}"


def _files(probe: Probe, trial: Trial) -> str | None:
    paths = contents_of(trial.image.image_id).paths
    found = {pattern: next((one for one in paths if fnmatchcase(one, pattern)), None) for pattern in probe.paths}
    if probe.kind == "present":
        return None if all(found.values()) else probe.missing
    there = [one for one in found.values() if one]
    return f"{probe.missing}, such as {there[0]}" if there else None


def _after_edit(probe: Probe, folder: Path) -> str | None:
    with trial_build(folder) as again:
        states = again.state_of(probe.text)
    if not states:
        return f"no step has {probe.text} in it"
    return None if set(states) == {"cached"} else probe.missing


def _stops(probe: Probe, folder: Path) -> str | None:
    try:
        with trial_build(folder):
            return probe.missing
    except BuildFailed as error:
        return (
            None if probe.text in error.log else f"{probe.missing}; it stopped over something else: {error.message}"
        )


def _said(error: DmHelpersError) -> tuple[str, ...]:
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    if isinstance(error, BuildFailed) and error.exit_code is not None:
        # Of what the program printed, the line that says most: its last ones may be a stack of calls.
        lines = [lines[0], *filter(None, [_telling(error.log)])]
    # Some hints speak of the error itself, which nobody holds here.
    return tuple(dict.fromkeys(lines if ".log" in error.hint else [*lines, error.hint]))


def _about(problem: Problem, order: Sequence[int], *, done: bool) -> tuple[str, ...]:
    used = [problem.lines[number - 1] for number in order if problem.lines[number - 1].why_not]
    how = "does no harm here, and is not needed" if done else "does not belong"
    return tuple(f"{one.text} {how}: {one.why_not}" for one in used)


def _telling(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return next((line for line in lines if "rror" in line or "not found" in line), lines[-1] if lines else "")


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")[:200]
