"""The order of COPY and install: sources that are copied first make every edit install the dependencies again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from dmhelpers.measure.clinic.context import BuildContext
from dmhelpers.measure.clinic.installs import built_language, installs_node, pip_words, requirement_files
from dmhelpers.measure.clinic.pieces import Brought
from dmhelpers.measure.clinic.records import Found
from dmhelpers.measure.clinic.rulebook import fits, signs
from dmhelpers.measure.clinic.shell import Command
from dmhelpers.measure.clinic.subject import Run, Subject, found_at, listed
from dmhelpers.measure.records import Stage

_DOWNLOADS = {
    "go": ("/go/pkg", "/root/.cache", "go-build", "gomod"),
    "rust": ("cargo", "target", ".rustup"),
    "java": (".m2", ".gradle", "/root"),
}
"""Where a cache mount keeps what a build downloads: with one, nothing is downloaded again."""


def check_order(subject: Subject) -> Iterator[Found]:
    """Find, in every needed stage, the COPY that brings sources before the dependencies are installed."""
    told: set[int] = set()
    for stage in subject.needed:
        for found in _stage_order(subject, stage):
            if found.line not in told:
                told.add(found.line or 0)
                yield found


def _stage_order(subject: Subject, stage: Stage) -> Iterator[Found]:
    brought = {id(one.placed.instruction): one for one in subject.brought(stage)}
    runs = {id(one.placed.instruction): one for one in subject.runs(stage)}
    before: list[Brought] = []
    installed: set[str] = set()
    for placed in subject.placed(stage):
        if (copied := brought.get(id(placed.instruction))) is not None:
            before.append(copied)
            installed |= _handed_over(subject, copied)
        run = runs.get(id(placed.instruction))
        for language, command in _installs(subject.context, run) if run else ():
            first = None if language in installed else _first_with_sources(subject, before, language)
            if first is not None and run is not None and placed.stage is stage:
                yield _found(subject, first, language, command, run)
            installed.add(language)


def _handed_over(subject: Subject, brought: Brought) -> set[str]:
    """Return the compiled languages whose downloads another stage made and hands over."""
    if brought.from_stage is None:
        return set()
    made = {one for run in subject.runs(brought.from_stage) for one, _ in _installs(subject.context, run)}
    return made & set(_DOWNLOADS)


def _found(subject: Subject, first: Brought, language: str, command: Command, run: Run) -> Found:
    names = _edited(subject.context, first, language)
    step = f"`{command.shown}` on line {run.line}"
    if names:
        files = "1 source" if len(names) == 1 else f"one of {len(names)} sources"
        text = f"{step} runs again when {files} changes that this line copies: {listed(names, 2)}."
    else:
        made_by = first.from_stage.label if first.from_stage else ""
        text = f"{step} runs again whenever what {made_by} compiled changes."
    return found_at(first.placed, "cache-order", text, step_line=run.line)


def _installs(context: BuildContext, run: Run) -> Iterator[tuple[str, Command]]:
    """Give the commands that install what a manifest lists, each with its language."""
    for command in run.commands:
        language = _installed_language(context, command)
        if language is not None:
            yield language, command


def _installed_language(context: BuildContext, command: Command) -> str | None:
    bare = command.bare
    if installs_node(command):
        return "node"
    if pip_words(command):
        return "python" if requirement_files(command) and bare[0] != "uv" else None
    if bare[:2] in (("poetry", "install"), ("pipenv", "install"), ("pipenv", "sync")):
        return None if command.has("--only-root") else "python"
    if bare[:3] == ("go", "mod", "download") or (bare[:2] == ("go", "build") and _go_downloads(context)):
        return "go"
    if bare[:2] in (("cargo", "build"), ("cargo", "fetch")) and _rust_downloads(context):
        return "rust"
    if bare[:3] == ("cargo", "chef", "cook"):
        return "rust"
    java = bare[:1] in (("mvn",), ("mvnw",), ("gradle",), ("gradlew",))
    resolves = any("dependency:" in one or one == "dependencies" for one in command.plain)
    if java and (resolves or built_language(command) == "java") and _java_downloads(context):
        return "java"
    return None


def _first_with_sources(subject: Subject, before: list[Brought], language: str) -> Brought | None:
    for brought in before:
        if _is_mounted(subject, brought, language):
            return None
        if _edited(subject.context, brought, language) or _made_from_sources(subject, brought, language):
            return brought
    return None


def _is_mounted(subject: Subject, brought: Brought, language: str) -> bool:
    """Return whether a RUN of the stage keeps this language's downloads in a cache mount."""
    parts = _DOWNLOADS.get(language, ())
    return bool(parts) and any(run.placed.caches(*parts) for run in subject.runs(brought.placed.stage))


def _edited(context: BuildContext, brought: Brought, language: str) -> list[str]:
    """Return the files that people edit among what a COPY brings; those that an install may need are left out."""
    endings, needed = signs("edited")[language], signs("edited")["needed"]
    return [
        path
        for piece in brought.pieces
        for path, _ in piece.files(context)
        if PurePosixPath(path).suffix in endings and not any(fits(part, needed) for part in path.split("/"))
    ]


def _made_from_sources(subject: Subject, brought: Brought, language: str) -> bool:
    """Return whether a COPY --from takes what another stage compiled from sources."""
    stage = brought.from_stage
    if stage is None or language != "node":
        return False
    names = [word.rstrip("/").rpartition("/")[2] for word in brought.placed.instruction.args[:-1]]
    if not all(name in ("dist", "build", "out", ".next", "lib") for name in names):
        return False
    compiled = any(built_language(one) == "node" for run in subject.runs(stage) for one in run.commands)
    return compiled and any(_edited(subject.context, one, language) for one in subject.brought(stage))


def _go_downloads(context: BuildContext) -> bool:
    required = re.search(r"^\s*require\b", context.read("go.mod"), re.MULTILINE)
    return required is not None and not context.span("vendor")


def _rust_downloads(context: BuildContext) -> bool:
    return context.read("Cargo.lock").count("[[package]]") > 1 or bool(
        re.search(r"^\[dependencies\]\s*\n\s*[\w-]+", context.read("Cargo.toml"), re.MULTILINE)
    )


def _java_downloads(context: BuildContext) -> bool:
    gradle = context.read("build.gradle") + context.read("build.gradle.kts")
    return "<dependency>" in context.read("pom.xml") or bool(re.search(r"\b(?:implementation|api|plugins)\b", gradle))
