"""Which records of the engine's build cache a build made: they go to the ledger, so that clean-up finds them.

Records carry no labels and no name of the build that made them. One is taken for ours if it was
created while this build ran and describes one of its steps: by the step's own name, or, for a RUN
(which BuildKit describes by its command), by falling into the seconds in which our RUN ran.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from dmhelpers.engine import ledger
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
        ledger.record(engine.engine_id, "cache", (one.record_id for one in _made_by(worked)))


def records_of(vertex: Vertex) -> tuple[CacheRecord, ...]:
    """Return the records that this one vertex made."""
    return tuple(_made_by([vertex]))


def _made_by(worked: list[Vertex]) -> Iterator[CacheRecord]:
    names = {one.name for one in worked}
    runs = [span for one in worked if "] RUN " in one.name for span in _spans(one)]
    first = min((one.started for one in worked if one.started), default=None)
    for record in cache_records():
        created = moment(record.created)
        if created is None or first is None or created < first - _SLACK:
            continue
        described = record.description in names or record.description.startswith("local source for ")
        from_run = "from exec" in record.description and any(begin <= created <= end for begin, end in runs)
        if described or from_run:
            yield record


def _spans(vertex: Vertex) -> Iterator[tuple[datetime, datetime]]:
    for begin, end in vertex.intervals.items():
        yield begin - _SLACK, (end or datetime.max.replace(tzinfo=begin.tzinfo) - _SLACK) + _SLACK
