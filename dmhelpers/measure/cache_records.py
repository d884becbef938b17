"""Which records of the engine's build cache a build made: they go to the ledger, so that clean-up finds them.

Records carry no labels and no name of the build that made them. One is taken for ours if it was
created while this build ran and describes one of its steps: by the step's own name, or, for a RUN (which BuildKit
describes by its command) and for what was sent to the engine, by falling into the seconds in which ours did
that. Those seconds go to the ledger too: see `dmhelpers.engine.spans`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from dmhelpers.engine import ledger, spans
from dmhelpers.engine.build_cache import CacheRecord, cache_records
from dmhelpers.engine.info import EngineInfo
from dmhelpers.measure.events import Vertex, moment

_INTERNAL = "[internal]"
_SLACK = timedelta(seconds=1)


def note_new(engine: EngineInfo, vertexes: Iterable[Vertex], *, failed: bool = False) -> None:
    """Record in the ledger the build cache records that a build with these vertexes made.

    Args:
        engine: Where it was built.
        vertexes: What BuildKit reported.
        failed: Whether it failed: then what it sent to the engine counts even if no step worked.
    """
    worked = [one for one in vertexes if one.intervals and not one.cached]
    spans.note(engine.engine_id, _spans(worked))
    if failed or any(one.name.startswith("[") and not one.name.startswith(_INTERNAL) for one in worked):
        ledger.record(engine.engine_id, "cache", (one.record_id for one in _made_by(worked, cache_records())))


def records_of(vertex: Vertex, listed: Iterable[CacheRecord]) -> tuple[CacheRecord, ...]:
    """Return those of the records that this one vertex made."""
    return tuple(_made_by([vertex], listed))


def _made_by(worked: list[Vertex], listed: Iterable[CacheRecord]) -> Iterator[CacheRecord]:
    names, ran = {one.name for one in worked}, tuple(_spans(worked))
    first = min((one.started for one in worked if one.started), default=None)
    for record in listed:
        created = moment(record.created)
        if created is None or first is None or created < first - _SLACK:
            continue
        if record.description in names or any(span.holds(record) for span in ran):
            yield record


def _spans(worked: list[Vertex]) -> Iterator[spans.Span]:
    for one in worked:
        kind = _kind(one.name)
        if kind:
            name = spans.fingerprint(one.name) if kind == "step" else ""
            for begin, end in one.intervals.items():
                # A step that was cut off has no end: it had one when the build had.
                yield spans.Span(kind, begin, end or datetime.now(begin.tzinfo), name)


def _kind(name: str) -> spans.SpanKind | None:
    if name.startswith(_INTERNAL):
        return "load" if name.startswith(f"{_INTERNAL} load ") else None
    if "] RUN " in name:
        return "run"
    return "step" if name.startswith("[") and "] FROM " not in name else None
