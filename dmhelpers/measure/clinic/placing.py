"""The instructions that a stage's image is made of, each with the folder and the variables in force."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.records import Instruction, Stage
from dmhelpers.measure.variables import expand, preset_variables

_NAME = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_GLOBAL_ARG = re.compile(r"\s*ARG\s+(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Placed:
    """One instruction in the chain of a stage; `stage` is the one that it stands in, or that sets off its trigger."""

    stage: Stage
    instruction: Instruction
    workdir: str
    variables: Mapping[str, str]

    def value(self, word: str) -> str | None:
        """Return a word with its variables replaced; None where one is not known here."""
        for braced, plain in _NAME.findall(word):
            if (braced or plain) not in self.variables:
                return None
        return expand(word, self.variables)

    def absolute(self, path: str) -> str:
        """Return a path of the image in full."""
        return posixpath.normpath(posixpath.join(self.workdir, path))

    def mounts(self, kind: str) -> tuple[Mapping[str, str], ...]:
        """Return the options of the RUN's mounts of one type, such as ``cache`` or ``bind``."""
        found = []
        for flag in self.instruction.flags:
            if flag.startswith("--mount="):
                words = [one.partition("=") for one in flag.removeprefix("--mount=").split(",")]
                options = {name: value for name, _, value in words}
                if options.get("type", "bind") == kind:
                    found.append(options)
        return tuple(found)

    def caches(self, *parts: str) -> bool:
        """Return whether the RUN has a cache mount with one of these in the path of its target."""
        names = ("target", "dst", "destination")
        targets = [one[name] for one in self.mounts("cache") for name in names if name in one]
        return any(part in target for target in targets for part in parts)


def place(dockerfile: Dockerfile, stage: Stage) -> Iterator[Placed]:
    """Give the instructions of a stage's chain, the oldest first."""
    workdir, variables = "/", {**preset_variables()}
    given = _global_args(dockerfile)
    for one in dockerfile.chain(stage):
        for instruction in dockerfile.work_of(one):
            placed = Placed(one, instruction, workdir, dict(variables))
            yield placed
            if instruction.name == "WORKDIR" and instruction.args:
                folder = placed.value(instruction.args[0])
                workdir = posixpath.normpath(posixpath.join(workdir, folder)) if folder else workdir
            elif instruction.name == "ARG":
                variables |= _arg(placed, given)
            elif instruction.name == "ENV":
                variables |= dict(env_of(placed))


def env_of(placed: Placed) -> Iterator[tuple[str, str]]:
    """Give the names and values that an ENV sets; a value with an unknown variable is given as it is written."""
    args = placed.instruction.args
    for name, value in zip(args[::3], args[1::3], strict=False):
        found = placed.value(value)
        yield name, value if found is None else found


def _arg(placed: Placed, given: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for word in placed.instruction.args:
        name, sign, default = word.partition("=")
        value = placed.value(default) if sign else given.get(name)
        if value is not None:
            found[name] = value
    return found


def _global_args(dockerfile: Dockerfile) -> dict[str, str]:
    """Return the ARGs before the first FROM that have a value: a stage that names one again gets it."""
    found = preset_variables()
    for line in dockerfile.text.splitlines()[: dockerfile.stages[0].line - 1]:
        matched = _GLOBAL_ARG.match(line)
        for word in matched[1].split() if matched else ():
            name, sign, default = word.partition("=")
            if sign:
                found[name] = expand(default, found)
    return found
