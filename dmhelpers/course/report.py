"""What the main measurement found: records, the table and sentences for people, JSON for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dmhelpers.units import docker_size, percent, seconds

_ROLES = {
    "base": "base image",
    "single": "single stage",
    "builder": "builder stage",
    "runtime": "multi-stage result",
}


@dataclass(frozen=True, slots=True)
class MeasuredImage:
    """One image of a sample project, beside the exercise's typical figure.

    `added_bytes` is what it weighs beyond its base (all of it on ``scratch``), `reduction_fraction` the share
    by which it is smaller than the project's single-stage image; `typical` is the exercise's own words for it.
    """

    project: str
    role: str
    image: str
    size_bytes: int
    added_bytes: int
    reduction_fraction: float
    base_origin: str
    typical: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the exercise, what it expects, what was measured, and whether it holds here."""

    claim: str
    expected: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class Report:
    """The whole measurement; prints as a table with sentences."""

    created: str
    platform: str
    engine: Mapping[str, str]
    images: tuple[MeasuredImage, ...]
    claims: tuple[Claim, ...]
    answers: tuple[str, ...] = ()
    duration_s: float = 0.0
    files: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return the content of `measurements.json`."""
        images = [{name: value for name, value in asdict(one).items() if name != "typical"} for one in self.images]
        return {
            "created": self.created,
            "platform": self.platform,
            "engine": dict(self.engine),
            "images": images,
            "claims": [asdict(one) for one in self.claims],
        }

    def as_json(self) -> str:
        """Return `as_dict` as indented JSON text."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        engine = f"Docker Engine {self.engine['version']}, buildx {self.engine['buildx']}"
        head = f"Measured on {engine}, image store {self.engine['store']}, {self.platform}, {self.created}"
        projects = dict.fromkeys(one.project for one in self.images)
        words = [textwrap.fill(_in_words(self._by_role(project)), width=110) for project in projects]
        written = f"Written to {', '.join(self.files)}." if self.files else ""
        end = f"{written} All of it took {seconds(self.duration_s)}.".strip()
        parts = [head, _image_table(self.images), *words, _claim_table(self.claims), *self.answers, end]
        return "\n\n".join(part for part in parts if part)

    def _by_role(self, project: str) -> dict[str, MeasuredImage]:
        return {one.role: one for one in self.images if one.project == project}


def _in_words(roles: Mapping[str, MeasuredImage]) -> str:
    single, runtime, base = roles["single"], roles["runtime"], roles["base"]
    less = single.size_bytes - runtime.size_bytes
    told = (
        f"{runtime.project}: one stage gives {docker_size(single.size_bytes)}, two stages give "
        f"{docker_size(runtime.size_bytes)}: {docker_size(less)} or {percent(runtime.reduction_fraction)} less."
    )
    if 0 < runtime.added_bytes < runtime.size_bytes:
        fraction = 1 - runtime.added_bytes / single.added_bytes
        told += (
            f" Beyond the base image ({docker_size(base.size_bytes)}) that both start from, the application adds "
            f"{docker_size(single.added_bytes)} in one stage and {docker_size(runtime.added_bytes)} in two: "
            f"{percent(fraction)} less."
        )
    if "assembled" in (base.base_origin, single.base_origin):
        told += (
            f" The base {base.image} is a stand-in that was assembled from packages, because no registry answered; "
            "the official image weighs a little more."
        )
    return told


def _image_table(images: tuple[MeasuredImage, ...]) -> str:
    rows: list[tuple[str, ...]] = [
        ("project", "image", "what it is", "measured here", "exercise", "beyond base", "vs. single", "base image")
    ]
    for one in images:
        reduction = percent(-one.reduction_fraction) if one.role == "runtime" else ""
        added = "" if one.role == "base" else docker_size(one.added_bytes)
        origin = "stand-in" if one.base_origin == "assembled" else one.base_origin
        kind = _ROLES.get(one.role, one.role)
        row = (one.project, one.image, kind, docker_size(one.size_bytes), one.typical, added, reduction, origin)
        rows.append(row)
    return _table(rows, right=(3, 4, 5, 6))


def _claim_table(claims: tuple[Claim, ...]) -> str:
    rows: list[tuple[str, ...]] = [("claim", "expected", "measured", "holds")]
    rows += [(one.claim, one.expected, one.measured, "yes" if one.holds else "no") for one in claims]
    return _table(rows) if claims else ""


def _table(rows: list[tuple[str, ...]], *, right: tuple[int, ...] = ()) -> str:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    rule = tuple("-" * width for width in widths)
    lines = []
    for row in [rows[0], rule, *rows[1:]]:
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
