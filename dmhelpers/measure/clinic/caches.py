"""Package managers' caches that stay in a layer of the final image."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dmhelpers.measure.clinic.installs import installs_node, pip_words, system_manager, words_of
from dmhelpers.measure.clinic.records import Found
from dmhelpers.measure.clinic.shell import Command
from dmhelpers.measure.clinic.subject import Run, Subject

_KINDS = ("package-manager caches",)
_LISTS = re.compile(r"/var/lib/(?:apt(?![\w-])|\*|\{[^}]*\bapt\b)")


def check_caches(subject: Subject) -> Iterator[Found]:
    """Find caches that a RUN of the final image's chain leaves behind."""
    for run in subject.runs():
        kept = list(dict.fromkeys(_kept(run)))
        if kept:
            yield run.found("package-cache", " ".join(kept), kinds=_KINDS)


def _kept(run: Run) -> Iterator[str]:
    removed = words_of(one for one in run.commands if one.program in ("rm", "find"))
    for command in run.commands:
        manager = system_manager(command)
        if manager == "apt":
            yield from _apt(run, command, removed)
        elif manager == "apk":
            yield from _apk(run, command, removed)
        elif manager == "dnf":
            yield from _dnf(run, command, removed)
        elif command.bare[:2] == ("pip", "install"):
            yield from _pip(run, command, removed)
        elif command.program in ("npm", "yarn"):
            yield from _node(run, command, removed)


def _apt(run: Run, command: Command, removed: str) -> Iterator[str]:
    cleans = any(system_manager(one) == "apt" and one.has("distclean") for one in run.commands)
    if command.has("update") and not cleans and not _LISTS.search(removed) and not run.placed.caches("/var/lib/apt"):
        yield "apt's package lists stay: no rm -rf /var/lib/apt/lists/* in this RUN."


def _apk(run: Run, command: Command, removed: str) -> Iterator[str]:
    tidy = command.has("--no-cache") or "/var/cache" in removed or run.placed.caches("/var/cache", "/etc/apk/cache")
    if command.has("add", "update", "upgrade") and not tidy:
        yield "apk's index stays: no --no-cache."


def _dnf(run: Run, command: Command, removed: str) -> Iterator[str]:
    cleans = any(system_manager(one) == "dnf" and one.plain[:1] == ("clean",) for one in run.commands)
    tidy = cleans or "/var/cache" in removed or run.placed.caches("/var/cache")
    if command.has("install") and not tidy:
        yield f"{command.program}'s cache stays: no `{command.program} clean all` in this RUN."


def _pip(run: Run, command: Command, removed: str) -> Iterator[str]:
    off = command.has("--no-cache-dir", "--no-cache") or {**run.placed.variables, **command.variables}.get(
        "PIP_NO_CACHE_DIR"
    )
    purged = any(one.bare[:3] == ("pip", "cache", "purge") for one in run.commands)
    if pip_words(command) and not (off or purged or ".cache" in removed or run.placed.caches("pip", ".cache")):
        yield "pip's cache stays: no --no-cache-dir and no cache mount."


def _node(run: Run, command: Command, removed: str) -> Iterator[str]:
    name = command.program
    cleans = any(one.program == name and one.plain[:2] == ("cache", "clean") for one in run.commands)
    place = ".npm" if name == "npm" else "yarn"
    given = {*run.placed.variables, *command.variables}
    elsewhere = {"npm_config_cache", "NPM_CONFIG_CACHE", "YARN_CACHE_FOLDER"} & given
    tidy = cleans or place in removed or ".cache" in removed or run.placed.caches("npm", "yarn", ".cache")
    options = command.has("--cache", "--cache-folder")
    if (installs_node(command) or command.plain[:1] in (("install",), ("add",), ("i",))) and not (
        tidy or elsewhere or options
    ):
        yield f"{name}'s cache stays: no `{name} cache clean` in this RUN and no cache mount."
