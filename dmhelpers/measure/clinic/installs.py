"""Which commands install, build or test, by the names of `signs.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from dmhelpers.measure.clinic.rulebook import fits, signs
from dmhelpers.measure.clinic.shell import Command

_SYSTEM = {"apt-get": "apt", "apt": "apt", "apk": "apk", "dnf": "dnf", "yum": "dnf", "microdnf": "dnf"}
_VALUED = frozenset(re.findall(r"\S+", "-t --virtual -o --option --target-release --repository -X --root -p -c"))
_NODE_MANAGERS = frozenset(["npm", "yarn", "pnpm", "bun"])


def system_manager(command: Command) -> str | None:
    """Return which of the systems' package managers a command is: apt, apk or dnf."""
    return _SYSTEM.get(command.program)


def _arguments(command: Command) -> tuple[str, ...]:
    words, skip = [], False
    for word in command.bare[1:]:
        if skip:
            skip = False
        elif word in _VALUED:
            skip = True
        elif not word.startswith("-"):
            words.append(word)
    return tuple(words)


def installed_packages(command: Command) -> tuple[str, ...]:
    """Return the packages that a command of a system's package manager installs, without their versions."""
    words = _arguments(command)
    if system_manager(command) is None or words[:1] not in (("install",), ("add",)):
        return ()
    plain = (word.strip("'\"").split("=")[0].split("~")[0].split("<")[0].split(">")[0] for word in words[1:])
    return tuple(one.split(":")[0] for one in plain if one)


def virtual_name(command: Command) -> str | None:
    """Return the name that `apk add --virtual NAME` gives to what it installs."""
    words = command.bare
    for at, word in enumerate(words):
        if word in ("-t", "--virtual") and at + 1 < len(words):
            return words[at + 1]
        if word.startswith("--virtual="):
            return word.partition("=")[2]
    return None


def removed_packages(command: Command) -> tuple[str, ...]:
    """Return the packages that a command of a system's package manager removes; ``*`` for all that nothing needs."""
    words = _arguments(command)
    if system_manager(command) is None or not words:
        return ()
    if words[0] == "autoremove":
        return ("*", *words[1:])
    return words[1:] if words[0] in ("remove", "purge", "del", "erase") else ()


def is_compiler(package: str) -> bool:
    """Return whether a system package holds a compiler, a build tool or header files."""
    named = signs("packages")
    return fits(package, named["compilers"]) and not fits(package, named["not_compilers"])


def script_of(command: Command) -> str | None:
    """Return the package.json script that a command runs: ``build`` for `npm run build` and for `yarn build`."""
    if command.program not in _NODE_MANAGERS or not command.plain:
        return None
    words = command.plain
    if words[0] in ("run", "run-script"):
        return words[1] if len(words) > 1 else None
    if words[0] in ("test", "t", "tst"):
        return "test"
    return words[0] if command.program != "npm" and words[0] in ("build", "test") else None


def built_language(command: Command) -> str | None:
    """Return the language that a command compiles, None if it compiles nothing."""
    script = script_of(command)
    if script is not None and (script == "build" or script.startswith("build:")):
        return "node"
    if command.program in ("mvn", "mvnw", "gradle", "gradlew") and not _java_build(command):
        return None
    for program, first, language in signs("commands")["builds"]:
        if command.program == program and fnmatchcase(command.plain[0] if command.plain else "", first):
            return str(language)
    return None


def runs_tests(command: Command) -> bool:
    """Return whether a command runs tests."""
    script = script_of(command)
    if script is not None:
        return script == "test" or script.startswith("test:")
    if command.program == "node" and command.has("--test"):
        return True
    plain, known = command.plain[0] if command.plain else "", signs("commands")["tests"]
    return any(command.program == program and fnmatchcase(plain, first) for program, first in known)


def installs_node(command: Command) -> bool:
    """Return whether a command installs what package.json lists."""
    words = command.plain
    if command.program == "yarn" and not words:
        return True
    if command.has("-g", "--global", "--location") or command.program not in _NODE_MANAGERS:
        return False
    return words in (("install",), ("ci",), ("i",), ("clean-install",))


def omits_dev(command: Command) -> bool:
    """Return whether a command of a Node package manager leaves development packages out."""
    words = " ".join(command.bare[1:]).replace("=", " ")
    signs_of_it = ("--omit dev", "--production", "--prod", "-P", "--only prod", "--only production")
    padded = f" {words} "
    return any(f" {one} " in padded for one in signs_of_it) and " --production false " not in padded


def prunes_dev(command: Command) -> bool:
    """Return whether a command takes development packages, or all packages, away again."""
    if command.program in _NODE_MANAGERS and command.plain[:1] == ("prune",):
        return True
    if command.program == "yarn" and (command.plain[:2] == ("workspaces", "focus") or command.has("--production")):
        return True
    if command.program in _NODE_MANAGERS and installs_node(command) and omits_dev(command):
        return True
    return command.program == "rm" and any("node_modules" in one for one in command.plain)


def requirement_files(command: Command) -> tuple[str, ...]:
    """Return the files that a `pip install -r` names."""
    words = command.bare
    named = [words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-r", "--requirement")]
    return (*named, *(one.partition("=")[2] for one in words if one.startswith("--requirement=")))


def pip_words(command: Command) -> tuple[str, ...]:
    """Return what a `pip install` or `uv pip install` is given, options included; none for another command."""
    words = command.bare
    if words[:1] == ("uv",) and words[1:2] == ("pip",):
        words = words[1:]
    return words[2:] if words[:2] == ("pip", "install") else ()


def words_of(commands: Iterable[Command]) -> str:
    """Return commands as one text, to look for a path in."""
    return " ".join(word for command in commands for word in command.words)


def _java_build(command: Command) -> bool:
    goals = set(re.findall(r"\w+", "package install verify compile build assemble jar bootJar shadowJar installDist"))
    return any(word.rpartition(":")[2] in goals or word.startswith("native:") for word in command.plain)
