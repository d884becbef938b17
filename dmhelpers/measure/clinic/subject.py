"""What the checks look at: one Dockerfile, its target, the build context, and what follows from them."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from dmhelpers.measure.clinic.context import BuildContext
from dmhelpers.measure.clinic.pieces import Brought, Pieces
from dmhelpers.measure.clinic.placing import Placed, place
from dmhelpers.measure.clinic.records import Found
from dmhelpers.measure.clinic.rulebook import signs
from dmhelpers.measure.clinic.shell import Command, commands_of
from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.records import Stage


@dataclass(frozen=True)
class Run:
    """One RUN of a stage's chain with its commands."""

    placed: Placed
    commands: tuple[Command, ...]

    @property
    def line(self) -> int:
        """Its first line."""
        return self.placed.instruction.line

    def found(self, rule: str, evidence: str, **more: object) -> Found:
        """Return that a rule found something here."""
        return found_at(self.placed, rule, evidence, **more)


class Subject:
    """One Dockerfile under examination.

    Args:
        dockerfile: The Dockerfile.
        target: The stage that is shipped.
        context: The build context.
    """

    def __init__(self, dockerfile: Dockerfile, target: Stage, context: BuildContext) -> None:
        self.dockerfile = dockerfile
        self.target = target
        self.context = context
        self.pieces = Pieces(dockerfile, context)
        needed = dockerfile.needed_by(target)
        self.needed = tuple(one for one in dockerfile.stages if one.index in needed)
        self._placed: dict[int, tuple[Placed, ...]] = {}

    @functools.cached_property
    def chain(self) -> tuple[Stage, ...]:
        """The stages that the target's image is made of, the oldest first."""
        return self.dockerfile.chain(self.target)

    def placed(self, stage: Stage | None = None) -> tuple[Placed, ...]:
        """Return the instructions of a stage's chain; the target's for None."""
        stage = stage or self.target
        if stage.index not in self._placed:
            self._placed[stage.index] = tuple(place(self.dockerfile, stage))
        return self._placed[stage.index]

    def runs(self, stage: Stage | None = None) -> tuple[Run, ...]:
        """Return the RUNs of a stage's chain; the target's for None."""
        return tuple(
            Run(one, commands_of(one.instruction)) for one in self.placed(stage) if one.instruction.name == "RUN"
        )

    def brought(self, stage: Stage | None = None) -> tuple[Brought, ...]:
        """Return what the COPY and ADD of a stage's chain bring; the target's for None."""
        return self.pieces.of(stage or self.target)

    def started(self) -> tuple[Command, ...]:
        """Return what the image starts: the commands of the last CMD and ENTRYPOINT of its chain."""
        last = {one.instruction.name: one.instruction for one in self.placed()}
        return tuple(command for name in ("ENTRYPOINT", "CMD") if name in last for command in commands_of(last[name]))

    def final_base(self) -> str:
        """Return the image that the target's chain starts from, as FROM names it."""
        return self.chain[0].base


def found_at(placed: Placed, rule: str, evidence: str, **more: object) -> Found:
    """Return that a rule found something at an instruction."""
    one = placed.instruction
    return Found(rule, one.line, one.end_line, placed.stage.label, evidence, **more)  # type: ignore[arg-type]


def found_at_from(stage: Stage, rule: str, evidence: str, **more: object) -> Found:
    """Return that a rule found something at a stage's FROM."""
    end_line = stage.instructions[0].end_line
    return Found(rule, stage.line, end_line, stage.label, evidence, **more)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class ImageName:
    """The parts of an image's name: `tag` is ``""`` where there is none."""

    repository: str
    tag: str
    digest: str

    @property
    def short(self) -> str:
        """The repository's last part."""
        return self.repository.rpartition("/")[2]

    @property
    def official(self) -> bool:
        """Whether it is one of Docker's official images."""
        return self.repository.removeprefix("docker.io/").removeprefix("library/") == self.short


def image_name(text: str) -> ImageName:
    """Return the parts of an image's name."""
    name, _, digest = text.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return ImageName(f"{head}{slash}{last}", tag, digest)


def listed(names: Iterable[str], count: int = 4) -> str:
    """Return names for a sentence: the first few, and how many more there are."""
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - count} more" if len(unique) > count else ""
    return ", ".join(unique[:count]) + more


def language_of(path: str) -> str | None:
    """Return the compiled language that a file is written in, None for any other file."""
    if path.endswith((".d.ts", ".d.mts", ".d.cts")):
        return None
    ending = PurePosixPath(path).suffix
    return next((language for language, endings in signs("sources").items() if ending in endings), None)
