"""Which records of the engine's build cache a build made: they go to the ledger, so that clean-up finds them.

Records carry no labels and no name of the build that made them. One is taken for ours if it was
created while this build ran and describes one of its steps: by the step's own name, or, for a RUN
(which BuildKit describes by its command), by falling into the seconds in which our RUN ran. Those seconds go
to the ledger too: see `dmhelpers.engine.run_spans`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from dmhelpers.engine import ledger, run_spans
from dmhelpers.engine.build_cache import CacheRecord, cache_records
from dmhelpers.engine.info import EngineInfo
from dmhelpers.measure.events import Vertex, moment

_SLACK = timedelta(seconds=1)


def note_new(engine: EngineInfo, vertexes: Iterable[Vertex], *, failed: bool = False) -> None:
    """Record in the ledger the build cache records that a build with these vertexes made.

    Args:
        engine: Where it was built.
        vertexes: What BuildKit reported.
        failed: Whether it failed: then what it sent to the engine counts even if no step worked.
    """
    worked = [one for one in vertexes if one.intervals and not one.cached]
    if failed or any(one.name.startswith("[") and not one.name.startswith("[internal]") for one in worked):
        run_spans.note(engine.engine_id, _run_spans(worked))
        ledger.record(engine.engine_id, "cache", (one.record_id for one in _made_by(worked)))


def records_of(vertex: Vertex) -> tuple[CacheRecord, ...]:
    """Return the records that this one vertex made."""
    return tuple(_made_by([vertex]))


def _made_by(worked: list[Vertex]) -> Iterator[CacheRecord]:
    names, spans = {one.name for one in worked}, list(_run_spans(worked))
    first = min((one.started for one in worked if one.started), default=None)
    for record in cache_records():
        created = moment(record.created)
        if created is None or first is None or created < first - _SLACK:
            continue
        described = record.description in names or record.description.startswith("local source for ")
        if described or run_spans.left_by(record, spans):
            yield record


def _run_spans(worked: list[Vertex]) -> Iterator[run_spans.Span]:
    for one in worked:
        if "] RUN " in one.name:
            # A step that was cut off has no end: it had one when the build had.
            yield from ((begin, end or datetime.now(begin.tzinfo)) for begin, end in one.intervals.items())
