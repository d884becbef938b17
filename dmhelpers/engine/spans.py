"""When the course's builds ran what: how clean-up knows a build cache record as ours that carries no sign of it.

BuildKit keeps what a step left under one ID, and puts a record with another ID in its place when a later build
exports that step. What is sent to the engine has a record of its own, even if all steps then come from the
cache. Such records say when they were made, and nothing else that ties them to a build.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from dmhelpers.engine import ledger
from dmhelpers.engine.build_cache import CacheRecord

SpanKind = Literal["run", "load", "step"]
SIGNS: dict[SpanKind, str] = {"run": "from exec", "load": "local source for ", "step": ""}
"""What stands in the description of a record: of a RUN's result, of what was sent to the engine, of other steps."""

_SLACK = timedelta(seconds=1)
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Span:
    """The time in which a step of ours ran, or in which we sent something to the engine, by the engine's clock.

    `name` is the fingerprint of a step's name, which is its record's description; BuildKit describes a RUN otherwise.
    """

    kind: SpanKind
    begin: datetime
    end: datetime
    name: str = ""

    def holds(self, record: CacheRecord) -> bool:
        """Say whether the record is of that kind and was made in that time, give or take a second."""
        if SIGNS[self.kind] not in record.description or self.name not in ("", fingerprint(record.description)):
            return False
        return self.begin - _SLACK <= datetime.fromisoformat(record.created) <= self.end + _SLACK


def fingerprint(name: str) -> str:
    """Return what stands in the ledger for a step's name, which may be long."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def note(engine_id: str, spans: Iterable[Span]) -> None:
    """Write these to the ledger."""
    ledger.record(
        engine_id,
        "span",
        (" ".join([one.kind, _text(one.begin), _text(one.end), *filter(None, [one.name])]) for one in spans),
    )


def noted(engine_id: str) -> tuple[Span, ...]:
    """Return what the ledger holds for that engine, but for entries of another version in another form."""
    return tuple(filter(None, map(_read, ledger.recorded(engine_id, "span"))))


def forget(engine_id: str) -> None:
    """Strike all spans of that engine from the ledger."""
    ledger.forget(engine_id, "span", ledger.recorded(engine_id, "span"))


def _text(when: datetime) -> str:
    return when.astimezone(UTC).strftime(_FORMAT)


def _read(entry: str) -> Span | None:
    kind, *words = entry.split(" ")
    for known in SIGNS:
        if kind == known and len(words) == (3 if known == "step" else 2):
            return Span(known, datetime.fromisoformat(words[0]), datetime.fromisoformat(words[1]), *words[2:])
    return None
