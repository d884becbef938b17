"""What COPY and ADD bring that they should not: sources of a compiled program, `.git`; and ADD where COPY serves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dmhelpers.measure.clinic.context import BuildContext
from dmhelpers.measure.clinic.installs import built_language
from dmhelpers.measure.clinic.pieces import matching
from dmhelpers.measure.clinic.placing import Placed
from dmhelpers.measure.clinic.records import Found
from dmhelpers.measure.clinic.subject import Subject, found_at, language_of, listed
from dmhelpers.units import docker_size

_ARCHIVE = re.compile(r"\.(?:tar|tgz|tbz2?|txz|tzst|tar\.\w+|gz|bz2|xz|zst)$", re.IGNORECASE)
_ADDRESS = re.compile(r"^(?:\w+://|git@)|\.git(?:#.*)?$")
_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_RUNS_SOURCES = frozenset(["ts-node", "tsx", "ts-node-dev", "deno", "bun", "nodemon", "swc-node"])


def check_copies(subject: Subject) -> Iterator[Found]:
    """Find sources of a compiled program and `.git` in the final image, and ADD where COPY serves, anywhere."""
    yield from _sources(subject)
    yield from _git(subject)
    for stage in subject.dockerfile.stages:
        for placed in subject.placed(stage):
            if placed.stage is stage and placed.instruction.name == "ADD" and _copy_serves(placed, subject.context):
                what = listed(placed.instruction.args[:-1])
                yield found_at(placed, "add-for-copy", f"ADD of {what}: local, and no archive.")


def compiled_languages(subject: Subject) -> frozenset[str]:
    """Return the languages that a needed stage compiles; one whose sources the image itself runs is left out."""
    built = {
        language
        for stage in subject.needed
        for run in subject.runs(stage)
        for command in run.commands
        if (language := built_language(command)) is not None
    }
    started = [word for command in subject.started() for word in command.words]
    if any(word.rpartition("/")[2] in _RUNS_SOURCES or word.endswith((".ts", ".tsx")) for word in started):
        built.discard("node")
    return frozenset(built)


def _sources(subject: Subject) -> Iterator[Found]:
    languages = compiled_languages(subject)
    for brought in subject.brought():
        found = [
            (path, size)
            for piece in brought.pieces
            for path, size in piece.files(subject.context)
            if languages and language_of(path) in languages
        ]
        if found:
            size_bytes = sum(size for _, size in found)
            files = "1 source file" if len(found) == 1 else f"{len(found)} source files"
            text = f"{files}, {docker_size(size_bytes)}: {listed([path for path, _ in found], 3)}."
            yield found_at(brought.placed, "sources", text, evidence_bytes=size_bytes)


def _git(subject: Subject) -> Iterator[Found]:
    for brought in subject.brought():
        size_bytes = 0
        for piece in brought.pieces:
            in_git = piece.source == ".git" or piece.source.startswith(".git/")
            for path, size in piece.files(subject.context):
                if in_git or path.removeprefix(piece.source).lstrip("/").startswith(".git/"):
                    size_bytes += size
        if size_bytes:
            text = f"This line copies {docker_size(size_bytes)} of .git."
            yield found_at(brought.placed, "git-folder", text, evidence_bytes=size_bytes)


def _copy_serves(placed: Placed, context: BuildContext) -> bool:
    """Return whether every source of an ADD is a plain file or folder of the context."""
    instruction = placed.instruction
    words = [placed.value(word) for word in instruction.args[:-1]]
    remote = any(one.startswith(("--checksum", "--keep-git")) for one in instruction.flags)
    if not words or instruction.heredocs or remote:
        return False
    for word in words:
        if word is None or _ADDRESS.search(word) or _ARCHIVE.search(word):
            return False
        if any(_is_archive(context, path) for path in matching(context, word)):
            return False
    return True


def _is_archive(context: BuildContext, path: str) -> bool:
    if not context.has_file(path):
        return False
    if _ARCHIVE.search(path):
        return True
    try:
        with (context.folder / path).open("rb") as file:
            head = file.read(262)
    except OSError:
        return False
    return head.startswith(_MAGIC) or head[257:262] == b"ustar"
