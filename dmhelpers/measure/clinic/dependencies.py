"""Development packages in the final image: installed there, or copied from a stage that has them."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator

from dmhelpers.measure.clinic.installs import installs_node, omits_dev, pip_words, prunes_dev, requirement_files
from dmhelpers.measure.clinic.placing import Placed
from dmhelpers.measure.clinic.records import Found
from dmhelpers.measure.clinic.shell import Command
from dmhelpers.measure.clinic.subject import Run, Subject, found_at, listed
from dmhelpers.measure.records import Stage

_DEV_FILE = re.compile(r"(?:^|[-_./])(?:dev|develop|development|test|tests|testing|lint)(?:[-_.]|$)")
_DEV_EXTRA = re.compile(r"\[[^\]]*\b(?:dev|test|tests|testing|lint)\b[^\]]*\]")
_KINDS = ("dev dependencies", "type definitions")
_PYTHON_PLACES = ("venv", "site-packages", "/usr/local", "/root/.local", "/opt")


def check_dependencies(subject: Subject) -> Iterator[Found]:
    """Find development packages that the final image has."""
    for run in subject.runs():
        for command in run.commands:
            evidence = node_evidence(subject, run, command) or python_evidence(subject, command)
            if evidence:
                yield run.found("dev-dependencies", evidence, kinds=_KINDS)
                break
    yield from _copied(subject)


def node_evidence(subject: Subject, run: Run, command: Command) -> str | None:
    """Return what says that a command leaves Node's development packages in its layer, None if nothing does."""
    if not installs_node(command) or omits_dev(command):
        return None
    production = {**run.placed.variables, **command.variables}.get("NODE_ENV") == "production"
    if production and not command.has("--include", "--include=dev"):
        return None
    after = run.commands[run.commands.index(command) + 1 :]
    if any(prunes_dev(one) for one in after) or _npmrc_omits(subject):
        return None
    packages = dev_packages(subject, run.placed)
    if not packages:
        return None
    return f"`{command.shown}` installs the devDependencies too: {listed(packages)}."


def python_evidence(subject: Subject, command: Command) -> str | None:
    """Return what says that a command installs Python's development packages, None if nothing does."""
    words = pip_words(command)
    if words:
        files = [one for one in requirement_files(command) if _DEV_FILE.search(posixpath.basename(one))]
        files += [one for one in requirement_files(command) if _DEV_FILE.search(posixpath.dirname(one) + "/")]
        extras = [one for one in words if _DEV_EXTRA.search(one)]
        return f"pip installs {listed([*files, *extras])}." if files or extras else None
    if command.bare[:2] == ("pipenv", "install") and command.has("--dev", "-d"):
        return "`pipenv install --dev` installs the dev-packages too."
    project = subject.context.read("pyproject.toml")
    if command.bare[:2] == ("poetry", "install"):
        omitted = command.has("--only", "--without", "--no-dev", "--only-root")
        if not omitted and re.search(r"^\[tool\.poetry\.(?:group\.dev|dev-)", project, re.MULTILINE):
            return "`poetry install` installs the dev group too."
    if command.bare[:2] == ("uv", "sync"):
        omitted = command.has("--no-dev", "--no-default-groups", "--only-group", "--no-group")
        if not omitted and re.search(r"^\[dependency-groups\]", project, re.MULTILINE):
            return "`uv sync` installs the dev group too."
    return None


def dev_packages(subject: Subject, placed: Placed) -> tuple[str, ...]:
    """Return the devDependencies of the package.json that an install here reads; none if it cannot be told."""
    path = "package.json"
    wanted = posixpath.join(placed.workdir, "package.json")
    for brought in subject.brought(placed.stage):
        for piece in brought.pieces:
            if brought.placed.instruction.line > placed.instruction.line and brought.placed.stage is placed.stage:
                continue
            if piece.place == wanted:
                path = piece.source
            elif piece.place == placed.workdir and subject.context.has_file(posixpath.join(piece.source, path)):
                path = posixpath.join(piece.source, "package.json")
    try:
        found = json.loads(subject.context.read(path) or "{}").get("devDependencies")
    except (ValueError, AttributeError):
        return ()
    return tuple(found) if isinstance(found, dict) else ()


def _npmrc_omits(subject: Subject) -> bool:
    settings = subject.context.read(".npmrc")
    return bool(re.search(r"^\s*(?:omit\s*=\s*dev|production\s*=\s*true)", settings, re.MULTILINE))


def _copied(subject: Subject) -> Iterator[Found]:
    """Find COPY --from of a folder of packages that another stage installed for development."""
    for brought in subject.brought():
        stage, sources = brought.from_stage, brought.placed.instruction.args[:-1]
        if stage is None:
            continue
        evidence = next((found for one in sources if (found := _stage_evidence(subject, stage, one))), None)
        if evidence:
            yield found_at(brought.placed, "dev-dependencies", f"Copied from {stage.label}: {evidence}", kinds=_KINDS)


def _stage_evidence(subject: Subject, stage: Stage, source: str) -> str | None:
    found: str | None = None
    wanted = posixpath.normpath(posixpath.join("/", source))
    for run in subject.runs(stage):
        packages = posixpath.join(run.placed.workdir, "node_modules")
        takes_node = packages == wanted or packages.startswith(wanted.rstrip("/") + "/")
        takes_python = any(part in wanted for part in _PYTHON_PLACES)
        for command in run.commands:
            if takes_node and prunes_dev(command):
                found = None
            evidence = node_evidence(subject, run, command) if takes_node else None
            found = evidence or (python_evidence(subject, command) if takes_python else None) or found
    return found
