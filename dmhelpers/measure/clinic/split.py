"""A proposed split of a single stage into two, as text to start from; nothing is written."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dmhelpers.errors import DmHelpersError
from dmhelpers.measure.clinic import runtimes
from dmhelpers.measure.clinic.bases import is_root
from dmhelpers.measure.clinic.installs import built_language
from dmhelpers.measure.clinic.placing import Placed
from dmhelpers.measure.clinic.runtimes import Runtime
from dmhelpers.measure.clinic.secrets import check_secrets
from dmhelpers.measure.clinic.subject import Subject, image_name
from dmhelpers.measure.dockerfile import parse_dockerfile

_RUN_TIME = frozenset(["CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "VOLUME", "LABEL", "USER"])
_MOVED = ("LABEL", "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK")
_MANIFESTS = {
    "go.mod": "go",
    "Cargo.toml": "rust",
    "pom.xml": "java",
    "build.gradle": "java",
    "build.gradle.kts": "java",
    "package.json": "node",
    "requirements.txt": "python",
    "pyproject.toml": "python",
}
_MAKERS: dict[str, Callable[[Subject], Runtime]] = {
    "go": runtimes.go,
    "rust": runtimes.rust,
    "java": runtimes.java,
    "node": runtimes.node,
    "python": runtimes.python,
}


@dataclass(frozen=True, slots=True)
class _Part:
    """One instruction as it stands in the Dockerfile, with its comment lines inside."""

    placed: Placed
    text: str


def propose_split(subject: Subject) -> str | None:
    """Return the text of a Dockerfile of two stages to start from; None where the project's kind is not known."""
    kind = project_kind(subject)
    if kind is None:
        return None
    runtime = _MAKERS[kind](subject)
    secret_lines = {found.line for found in check_secrets(subject) if "copies" not in found.evidence}
    parts = [_part(subject, one, secret_lines) for one in subject.placed()]
    text = "\n".join([*_head(subject), *_builder(subject, parts, runtime), "", *_runtime(parts, runtime)]) + "\n"
    try:
        parse_dockerfile(text)
    except DmHelpersError:
        return None
    return text


def project_kind(subject: Subject) -> str | None:
    """Return what a project is written in: by what it compiles, then by its base image, then by its manifest."""
    for run in subject.runs():
        for command in run.commands:
            if (language := built_language(command)) in _MAKERS:
                return language
    base = image_name(subject.final_base()).short
    by_base = {"golang": "go", "rust": "rust", "maven": "java", "gradle": "java", "node": "node", "python": "python"}
    if base in by_base:
        return by_base[base]
    return next((kind for name, kind in _MANIFESTS.items() if subject.context.has_file(name)), None)


def _part(subject: Subject, placed: Placed, secret_lines: Iterable[int | None]) -> _Part:
    one = placed.instruction
    if one.line in secret_lines:
        return _Part(placed, f"# Line {one.line} held a secret and was left out: use RUN --mount=type=secret")
    lines = subject.dockerfile.text.splitlines()[one.line - 1 : one.end_line]
    return _Part(placed, "\n".join(lines))


def _head(subject: Subject) -> list[str]:
    return [
        f"# A split of {subject.dockerfile.path.name} to start from; the clinic wrote it nowhere.",
        "# Read it against your project, then try it: docker build -f Dockerfile.split .",
        "",
    ]


def _builder(subject: Subject, parts: list[_Part], runtime: Runtime) -> list[str]:
    kept = [one for one in parts if one.placed.instruction.name not in _RUN_TIME]
    while kept and kept[-1].placed.instruction.name not in ("RUN", "COPY", "ADD"):
        kept.pop()
    if runtime.sources_go_along:
        while kept and kept[-1].placed.instruction.name != "RUN":
            kept.pop()
    lines = ["# Stage 1: everything that it takes to build", f"FROM {subject.final_base()} AS builder"]
    lines += [*runtime.builder_first, *(one.text for one in kept), *runtime.builder_last]
    return lines


def _runtime(parts: list[_Part], runtime: Runtime) -> list[str]:
    lines = ["# Stage 2: only what it takes to run", f"FROM {runtime.base} AS runtime"]
    lines += runtime.lines
    if runtime.sources_go_along:
        lines += [one.text for one in parts if one.placed.instruction.name in ("COPY", "ADD")]
    env = [one.text for one in parts if one.placed.instruction.name == "ENV"] if runtime.keeps_env else []
    lines += [*env, *(one.text for one in parts if one.placed.instruction.name in _MOVED)]
    users = [one for one in parts if one.placed.instruction.name == "USER"]
    kept = users and runtime.keeps_user and not is_root(" ".join(users[-1].placed.instruction.args))
    lines += [users[-1].text] if kept else runtime.user
    return [*lines, *_started(parts, runtime)]


def _started(parts: list[_Part], runtime: Runtime) -> list[str]:
    if runtime.command is not None:
        return [f"CMD {json.dumps(list(runtime.command))}"]
    last = {one.placed.instruction.name: one for one in parts}
    found = [last[name] for name in ("ENTRYPOINT", "CMD") if name in last]
    return [_exec_form(one) if runtime.no_shell else one.text for one in found]


def _exec_form(part: _Part) -> str:
    """Return a CMD or ENTRYPOINT as a list: an image without a shell can start nothing else."""
    one = part.placed.instruction
    words = list(one.args) if one.exec_form else re.sub(r"^\s*exec\s+", "", " ".join(one.args)).split()
    if words and words[0].startswith("./"):
        words[0] = posixpath.normpath(posixpath.join(part.placed.workdir, words[0]))
    return f"{one.name} {json.dumps(words)}"
