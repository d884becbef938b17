"""The rules and the signs, read from their data files, and what was found turned into ranked advice."""

from __future__ import annotations

import fnmatch
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from dmhelpers.measure.clinic.records import SEVERITIES, Advice, Found, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of `rules.toml`."""

    name: str
    severity: Severity
    title: str
    cure: str
    page: str


@functools.cache
def rules() -> Mapping[str, Rule]:
    """Return the rules by name, in the order of the file."""
    return {raw["name"]: Rule(**raw) for raw in _read("rules.toml")["rule"]}


@functools.cache
def signs(group: str) -> Mapping[str, Any]:
    """Return one group of `signs.toml`."""
    found: Mapping[str, Any] = _read("signs.toml")[group]
    return found


def fits(name: str, patterns: Iterable[str]) -> bool:
    """Return whether one of the patterns, those of a shell, fits the name."""
    return _compiled(tuple(patterns)).match(name) is not None


@functools.cache
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))


def advise(found: Found, *, evidence_s: float | None = None) -> Advice:
    """Return the advice that a rule gives about what was found."""
    rule = rules()[found.rule]
    return Advice(
        rule=rule.name,
        severity=rule.severity,
        title=rule.title,
        line=found.line,
        end_line=found.end_line,
        stage=found.stage,
        evidence=found.evidence,
        evidence_bytes=found.evidence_bytes,
        evidence_s=evidence_s,
        cure=rule.cure,
        page=rule.page,
    )


def ranked(advice: Iterable[Advice]) -> tuple[Advice, ...]:
    """Return advice by severity, then by bytes (the most first), then by line, then by rule."""
    order = list(rules())
    return tuple(
        sorted(
            advice,
            key=lambda one: (
                SEVERITIES.index(one.severity),
                -(one.evidence_bytes or 0),
                one.line or 0,
                order.index(one.rule),
            ),
        )
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("dmhelpers.measure.clinic").joinpath(name).read_text(encoding="utf-8"))
