"""Build tools in the final image: toolchain bases, compilers installed and not removed, a build step, full bases."""

from __future__ import annotations

from collections.abc import Iterator

from dmhelpers.measure.clinic.installs import (
    built_language,
    installed_packages,
    is_compiler,
    removed_packages,
    virtual_name,
)
from dmhelpers.measure.clinic.records import Found
from dmhelpers.measure.clinic.rulebook import signs
from dmhelpers.measure.clinic.shell import Command
from dmhelpers.measure.clinic.subject import Run, Subject, found_at_from, image_name, listed


def check_tools(subject: Subject) -> Iterator[Found]:
    """Find what the final image has and only a build needs."""
    base = subject.final_base()
    toolchain = is_toolchain(base)
    if toolchain:
        text = f"FROM {base} brings the whole toolchain into the image."
        yield found_at_from(subject.chain[0], "build-tools", text)
    elif is_full(base):
        yield found_at_from(
            subject.chain[0], "full-base", f"FROM {base} is made on buildpack-deps; its slim variant is not."
        )
    for run in subject.runs():
        left = compilers_left(run)
        if left:
            kept = f"{listed(left)} stay in the layer of this RUN."
            yield run.found("build-tools", kept, kinds=("system packages", "compiler and toolchain"))
        elif not toolchain and (step := build_step(run)) is not None:
            text = f"`{step.shown}` runs in a stage that the final image is made of."
            yield run.found("build-tools", text)


def is_toolchain(base: str) -> bool:
    """Return whether an image is there to compile with."""
    name, named = image_name(base), signs("images")
    if name.short in named["toolchain"]:
        return not (name.short == "swift" and "slim" in name.tag)
    return name.short in named["java"] and "jdk" in name.tag


def is_full(base: str) -> bool:
    """Return whether an image is the full variant of an official one: a version, or a version and a suite."""
    name, named = image_name(base), signs("images")
    if not name.official or name.short not in named["full"] or not name.tag:
        return False
    parts = name.tag.split("-")
    return parts[0][:1].isdigit() and all(part in named["full_suites"] for part in parts[1:])


def compilers_left(run: Run) -> tuple[str, ...]:
    """Return the compilers and header files that a RUN installs and does not remove again."""
    left: list[str] = []
    for at, command in enumerate(run.commands):
        packages = [one for one in installed_packages(command) if is_compiler(one)]
        gone = {name for later in run.commands[at + 1 :] for name in removed_packages(later)}
        if packages and virtual_name(command) not in gone:
            left += [one for one in packages if one not in gone and not _removed_later(one, gone)]
    return tuple(left)


def build_step(run: Run) -> Command | None:
    """Return the command of a RUN that compiles a Node program; other languages show by their tools."""
    return next((one for one in run.commands if built_language(one) == "node"), None)


def _removed_later(package: str, gone: set[str]) -> bool:
    # `apt-get purge build-essential && apt-get autoremove` takes what it brought too; so does `purge gcc g++`.
    return any(one.rstrip("*") and package.startswith(one.rstrip("*")) for one in gone if one.endswith("*"))
