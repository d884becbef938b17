"""The records that the clinic makes: what was found, what is advised about it, and all of it together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dmhelpers.measure.records import KindBytes

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")
"""The severities, the gravest first."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found: the rule, the place and the evidence, before a build has added its figures.

    `step_line` is the line of the step whose seconds are the evidence; `kinds` are the kinds of files whose bytes, in
    the layer of `line`, are.
    """

    rule: str
    line: int | None
    end_line: int | None
    stage: str | None
    evidence: str
    evidence_bytes: int | None = None
    step_line: int | None = None
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece of advice; lines count from 1, and are None where it is about no line of the Dockerfile.

    `evidence_bytes` and `evidence_s` are None where the evidence is the line itself.
    """

    rule: str
    severity: Severity
    title: str
    line: int | None
    end_line: int | None
    stage: str | None
    evidence: str
    evidence_bytes: int | None
    evidence_s: float | None
    cure: str
    page: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What another tool said, in its own words; `line` is None where it named none."""

    tool: str
    rule: str
    severity: str
    message: str
    line: int | None
    page: str = ""


@dataclass(frozen=True, slots=True)
class ContextSummary:
    """The build context in figures.

    `size_bytes` is what stands in it after .dockerignore, `used_bytes` what COPY, ADD and bind mounts of the stages
    that the target needs take of it: BuildKit sends that much. `largest` holds (folder, bytes), the largest first.
    """

    files: int
    size_bytes: int
    used_bytes: int
    ignore_file: str | None
    largest: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """The image that a build made, before it was removed; `kinds` has the largest kind first."""

    size_bytes: int
    kinds: tuple[KindBytes, ...]
    build_s: float
    base_origin: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the clinic says about one Dockerfile: ranked advice, the proposed split, and what it rests on.

    `notes` says what could not be looked at, and how it can be.
    """

    file: str
    target: str
    advice: tuple[Advice, ...]
    split: str | None
    context: ContextSummary
    image: ImageSummary | None = None
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
