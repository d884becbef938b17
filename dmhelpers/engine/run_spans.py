"""When the RUN steps of the course's builds ran: how clean-up knows a build cache record that came later as ours.

BuildKit keeps what a RUN left under one ID, and puts a record with another ID in its place when a later
build exports that step. The second record still says when the RUN ended, and nothing else that ties it to us.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from dmhelpers.engine import ledger
from dmhelpers.engine.build_cache import CacheRecord

Span = tuple[datetime, datetime]

_SLACK = timedelta(seconds=1)
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def note(engine_id: str, spans: Iterable[Span]) -> None:
    """Write to the ledger that RUN steps of the course ran on that engine from the first moment to the second."""
    ledger.record(engine_id, "span", (f"{_text(begin)} {_text(end)}" for begin, end in spans))


def noted(engine_id: str) -> tuple[Span, ...]:
    """Return the spans that the ledger holds for that engine."""
    halves = (one.split(" ") for one in ledger.recorded(engine_id, "span"))
    return tuple((datetime.fromisoformat(begin), datetime.fromisoformat(end)) for begin, end in halves)


def forget(engine_id: str) -> None:
    """Strike all spans of that engine from the ledger."""
    ledger.forget(engine_id, "span", ledger.recorded(engine_id, "span"))


def left_by(record: CacheRecord, spans: Iterable[Span]) -> bool:
    """Say whether a record holds what a RUN left that ended in one of these spans, give or take a second."""
    if "from exec" not in record.description:
        return False
    created = datetime.fromisoformat(record.created)
    return any(begin - _SLACK <= created <= end + _SLACK for begin, end in spans)


def _text(when: datetime) -> str:
    return when.astimezone(UTC).strftime(_FORMAT)
