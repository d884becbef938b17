"""What a build of the project shows: bytes by kind in each line's layer, seconds of each step, and the user."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from dmhelpers.engine import ledger
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import BASE_ORIGIN
from dmhelpers.errors import EngineError, ImageNotFound
from dmhelpers.measure.build import run_build
from dmhelpers.measure.clinic.bases import check_user
from dmhelpers.measure.clinic.records import Advice, Found, ImageSummary
from dmhelpers.measure.clinic.rulebook import advise
from dmhelpers.measure.clinic.subject import Subject
from dmhelpers.measure.clinic.tools import is_toolchain
from dmhelpers.measure.images import image_id_of
from dmhelpers.measure.kind_rules import LOCK_FILES, kinds_of
from dmhelpers.measure.records import BuildRecord, KindBytes
from dmhelpers.measure.saved import SavedImage, read_image
from dmhelpers.units import docker_size, seconds

TOOLCHAIN = "compiler and toolchain"
LEFT_BEHIND = (
    TOOLCHAIN,
    "dev dependencies",
    "type definitions",
    "sources",
    "package-manager caches",
    "build intermediates",
)
"""The kinds of files that a second stage does not take along."""
NOTICED_BYTES = 1_000_000
"""What a build finds beyond the text's checks is worth advice from here on."""
NEGLIGIBLE_BYTES = 100_000
"""Less than this of what a check of the text expects in a layer is no advice: npm's own log, for one."""
_ROOT_RULES = ("root-user", "root-user-scratch")
_SEEN = {"package-cache": ("package-manager caches",), "dev-dependencies": ("dev dependencies", "type definitions")}
"""Rules that hold only if files of these kinds are there."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One build of the project.

    `layers` holds, by Dockerfile line, the bytes by kind in the layer of that line, whatever later layers do to it;
    `step_s` the seconds of the steps that ran, by line. `left` are the bytes by kind that a second stage would leave.
    """

    summary: ImageSummary
    user: str
    step_s: Mapping[int, float]
    layers: Mapping[int, tuple[KindBytes, ...]]
    left: tuple[KindBytes, ...]

    def decided(self, subject: Subject, found: Sequence[Found]) -> list[Found]:
        """Return what was found, corrected by the image: its user, and what is in it or is not after all."""
        kept = [one for one in found if one.rule not in _ROOT_RULES and not self._is_refuted(one)]
        return [*kept, *check_user(subject, built_user=self.user), *self._unseen(subject, kept)]

    def advise(self, subject: Subject, found: Sequence[Found]) -> tuple[Advice, ...]:
        """Return the advice with what was measured as its evidence."""
        return tuple(self._advice(subject, one) for one in found)

    def _advice(self, subject: Subject, found: Found) -> Advice:
        parts: tuple[KindBytes, ...] = ()
        if found.rule == "single-stage":
            parts = self.left
        elif found.rule == "build-tools" and found.line == subject.chain[0].line:
            parts = tuple(one for one in self.left if one.kind == TOOLCHAIN)
        elif found.kinds:
            parts = self._of(found)
        size_bytes = sum(one.size_bytes for one in parts) or found.evidence_bytes
        text = f"{found.evidence} Measured: {_listed(parts)}." if parts else found.evidence
        step_s = self.step_s.get(found.step_line) if found.step_line is not None else None
        if step_s is not None:
            text = f"{text} Line {found.step_line} took {seconds(step_s)}."
        return advise(replace(found, evidence=text, evidence_bytes=size_bytes), evidence_s=step_s)

    def _of(self, found: Found) -> tuple[KindBytes, ...]:
        kinds = self.layers.get(found.line or 0, ())
        return tuple(one for one in kinds if one.kind in found.kinds and one.size_bytes)

    def _is_refuted(self, found: Found) -> bool:
        left = sum(one.size_bytes for one in self._of(found))
        return found.rule in _SEEN and found.line in self.layers and left < NEGLIGIBLE_BYTES

    def _unseen(self, subject: Subject, found: Sequence[Found]) -> Iterator[Found]:
        """Give what only the image shows: caches or development packages that no line of the text gives away."""
        lines = {one.instruction.line: one for one in subject.placed()}
        for rule, kinds in _SEEN.items():
            told = {one.line for one in found if one.rule == rule}
            for line, parts in self.layers.items():
                size_bytes = sum(one.size_bytes for one in parts if one.kind in kinds)
                if size_bytes >= NOTICED_BYTES and line not in told and line in lines:
                    placed = lines[line]
                    one = placed.instruction
                    text = "The layer of this line holds them."
                    yield Found(rule, line, one.end_line, placed.stage.label, text, size_bytes, kinds=kinds)


def measure(
    subject: Subject, *, file: str, target: str | int | None, say: Callable[[str], None] | None = None
) -> Measured:
    """Build the project under a name of the clinic's own, look inside, and remove the image again.

    What the build cache gained stays, as after any build, and stands in the ledger for `dm.cleanup()`.

    Args:
        subject: What is examined.
        file: The Dockerfile, relative to the context.
        target: The stage to build, as in `run_build`.
        say: Called with a sentence when something takes its time.

    Raises:
        DmHelpersError: As `run_build` and `read_image` raise.
    """
    folder = subject.context.folder
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "project"
    with _own_tag(f"clinic/{name}:{uuid.uuid4().hex[:12]}") as tag:
        if say is not None:
            say(f"Building {subject.target.label} of {folder.name}, to look inside.")
        record = run_build(folder, tag=tag, target=target, file=file, say=say, noted=False)
        saved = read_image(record.image_id, keep=LOCK_FILES)
    return read_measured(subject, record, saved)


def read_measured(subject: Subject, record: BuildRecord, saved: SavedImage) -> Measured:
    """Return the figures of a build and of the image that it made."""
    numbers, base_layers = _layer_lines(subject, saved)
    alone = {line: SavedImage((saved.layers[number],), saved.config) for number, line in numbers.items()}
    layers = {line: kinds_of(one) for line, one in alone.items()}
    kinds = kinds_of(saved, base_layers=base_layers)
    # Where the base is the toolchain, a second stage leaves the base's part behind too.
    own = kinds_of(saved) if is_toolchain(subject.final_base()) else kinds
    config: Mapping[str, Any] = saved.config.get("config") or {}
    return Measured(
        summary=ImageSummary(
            size_bytes=saved.size_bytes,
            kinds=kinds,
            build_s=record.duration_s,
            base_origin=(config.get("Labels") or {}).get(BASE_ORIGIN, ""),
        ),
        user=str(config.get("User") or ""),
        step_s={one.line: one.duration_s for one in record.steps if one.state == "ran" and one.line is not None},
        layers=layers,
        left=tuple(one for one in own if one.kind in LEFT_BEHIND and one.size_bytes),
    )


def _layer_lines(subject: Subject, saved: SavedImage) -> tuple[dict[int, int], int]:
    """Return the Dockerfile line of each layer by its number, and how many layers are the base image's.

    BuildKit writes one history row for each instruction of the chain, after those of the base image; a row without a
    layer says so. The verbs are compared before that is believed: where they differ, nothing is claimed.
    """
    rows: list[Mapping[str, Any]] = list(saved.config.get("history") or ())
    own = [one.instruction for one in subject.placed()]
    filled = [number for number, row in enumerate(rows) if not row.get("empty_layer")]
    verbs = [str(row.get("created_by", "")).partition(" ")[0] for row in rows[len(rows) - len(own) :]]
    if len(filled) != len(saved.layers) or len(own) > len(rows) or verbs != [one.name for one in own]:
        return {}, 0
    first = len(rows) - len(own)
    lines = {layer: own[row - first].line for layer, row in enumerate(filled) if row >= first}
    return lines, len(filled) - len(lines)


def _listed(parts: Sequence[KindBytes]) -> str:
    return ", ".join(f"{docker_size(one.size_bytes)} of {one.kind}" for one in parts)


@contextmanager
def _own_tag(tag: str) -> Iterator[str]:
    """Give a tag to build under; the image goes at the end of the block, whatever happens in it."""
    try:
        yield tag
    except BaseException:
        with suppress(EngineError):  # what happened first says it better
            _remove(tag)
        raise
    _remove(tag)


def _remove(tag: str) -> None:
    import docker.errors

    try:
        image_id = image_id_of(tag)
    except ImageNotFound:
        return
    with suppress(docker.errors.NotFound), engine_answers():
        api().remove_image(tag)  # by name: the same image may have another one, the person's own
    ledger.forget(engine_info().engine_id, "tag", [tag])
    try:
        image_id_of(image_id)
    except ImageNotFound:
        ledger.forget(engine_info().engine_id, "image", [image_id])
