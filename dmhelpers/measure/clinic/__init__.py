"""The clinic: what is amiss in a project's Dockerfile, with the evidence; it changes nothing of the project."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dmhelpers.errors import DmHelpersError, InputError, ProjectNotFound
from dmhelpers.measure.clinic import bases, caches, copies, dependencies, order, secrets, sending, stages, tools
from dmhelpers.measure.clinic.context import BuildContext, read_context
from dmhelpers.measure.clinic.records import (
    Advice,
    ContextSummary,
    Diagnosis,
    Finding,
    Found,
    ImageSummary,
)
from dmhelpers.measure.clinic.rulebook import advise, ranked
from dmhelpers.measure.clinic.split import propose_split
from dmhelpers.measure.clinic.subject import Subject
from dmhelpers.measure.dockerfile import project_folder, read_dockerfile

if TYPE_CHECKING:
    from dmhelpers.measure.clinic.inside import Measured

__all__ = ["Advice", "ContextSummary", "Diagnosis", "Finding", "ImageSummary", "examine"]

_CHECKS: tuple[Callable[[Subject], Iterator[Found]], ...] = (
    stages.check_stages,
    tools.check_tools,
    dependencies.check_dependencies,
    copies.check_copies,
    caches.check_caches,
    sending.check_sending,
    order.check_order,
    secrets.check_secrets,
    bases.check_bases,
)


def examine(
    path: str | os.PathLike[str],
    *,
    file: str = "Dockerfile",
    target: str | int | None = None,
    build: bool = False,
    lint: bool = False,
    say: Callable[[str], None] | None = None,
) -> Diagnosis:
    """Examine a project's Dockerfile and build context.

    Args:
        path: The project's folder (the build context), or the Dockerfile in it.
        file: The Dockerfile, relative to the folder.
        target: The stage that is shipped, by name or number; the last one for None.
        build: Build it under a name of the clinic's own and look inside; the image is removed again.
        lint: Ask BuildKit's own checks and hadolint too, where they are there.
        say: Called with a sentence when something takes its time.

    Returns:
        The advice, ranked by severity, then bytes, then line, and what it rests on. No secret's value is in it.

    Raises:
        ProjectNotFound: There is no such folder or Dockerfile, or it cannot be read.
        DockerfileError: The Dockerfile or the .dockerignore cannot be read; carries the line.
        StageNotFound: The target is not one of its stages.
        InputError: Both a Dockerfile and another file were named.
        BuildFailed, BaseImageError, EngineUnavailable: With `build`, as `run_build` raises them.
    """
    folder, name = _locate(path, file)
    subject = _subject(folder, name, target)
    values = secrets.secret_values(subject)
    measured = _measure(subject, name, target, values, say) if build else None
    advice = _advise(subject, measured)
    split = propose_split(subject) if any(one.rule == "single-stage" for one in advice) else None
    findings, missing = _lint(subject, name, target) if lint else ((), ())

    def told(text: str) -> str:
        return _printable(secrets.hide(text, values))

    return Diagnosis(
        file=_printable(name),
        target=subject.target.label,
        advice=ranked(replace(one, evidence=told(one.evidence)) for one in advice),
        split=None if split is None else told(split),
        context=_summary(subject),
        image=None if measured is None else measured.summary,
        findings=tuple(replace(one, message=told(one.message)) for one in findings),
        notes=tuple(told(one) for one in (*_notes(subject.context, build=build), *missing)),
    )


def _advise(subject: Subject, measured: Measured | None) -> tuple[Advice, ...]:
    found = list(dict.fromkeys(one for check in _CHECKS for one in check(subject)))
    if measured is None:
        return tuple(advise(one) for one in found)
    return measured.advise(subject, measured.decided(subject, found))


def _lint(subject: Subject, name: str, target: str | int | None) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    from dmhelpers.measure.clinic.lint import run_linters

    return run_linters(subject.context.folder, name, target=None if target is None else subject.target.name)


def _printable(text: str) -> str:
    """Return a text that any terminal and any encoding takes: names of files may hold what neither does."""
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in text)


def _locate(path: str | os.PathLike[str], file: str) -> tuple[Path, str]:
    given = Path(path).expanduser()
    if not given.is_file():
        return project_folder(given), file
    if file not in ("Dockerfile", given.name):
        raise InputError(
            f"{str(path)!r} is a file, and {file!r} was named as the Dockerfile too.",
            hint="Give the folder and the file, or the Dockerfile alone.",
        )
    return given.absolute().parent, given.name


def _subject(folder: Path, name: str, target: str | int | None) -> Subject:
    try:
        dockerfile = read_dockerfile(folder, file=name)
    except OSError as error:
        raise ProjectNotFound(
            f"{str(folder / name)!r} cannot be read: {error.strerror}.", hint="Give a Dockerfile that you may read."
        ) from error
    return Subject(dockerfile, dockerfile.find(target), read_context(folder, name))


def _measure(
    subject: Subject,
    name: str,
    target: str | int | None,
    values: frozenset[str],
    say: Callable[[str], None] | None,
) -> Measured:
    from dmhelpers.measure.clinic.inside import measure

    try:
        return measure(subject, file=name, target=target, say=say)
    except DmHelpersError as error:
        # What BuildKit quotes of the Dockerfile may hold a secret's value.
        error.message, error.hint = (secrets.hide(text, values) for text in (error.message, error.hint))
        error.args = (error.message,)
        if hasattr(error, "log"):
            error.log = secrets.hide(error.log, values)
        raise


def _summary(subject: Subject) -> ContextSummary:
    context = subject.context
    used_bytes = sum(context.sizes[at] for at in sending.used_files(subject))
    largest = tuple((_printable(folder), size) for folder, size in context.largest())
    return ContextSummary(len(context.paths), context.size_bytes, used_bytes, context.ignore_file, largest)


def _notes(context: BuildContext, *, build: bool) -> tuple[str, ...]:
    notes = [f"The folder {one!r} of the context could not be read." for one in context.unreadable]
    if not build:
        notes.append("Nothing was built: with build=True (--build) the evidence is measured in the image.")
    return tuple(notes)
