"""The engine's build cache: listing its records, and removing chosen ones by ID. Records carry no labels."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from dmhelpers.engine.client import api, engine_answers, get_json
from dmhelpers.engine.patience import patient
from dmhelpers.errors import EngineRefused

_IDS_A_REQUEST = 100
_TRIES, _IN_USE_TRIES, _PAUSE_S = 5, 8, 0.25
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """One record of the build cache.

    `created` is the engine's own RFC 3339 time; `shared`: an image holds it too; `in_use`: the engine itself does.
    """

    record_id: str
    description: str
    kind: str
    created: str
    size_bytes: int
    shared: bool = False
    parents: tuple[str, ...] = ()
    in_use: bool = False


Choice = Callable[[Iterable[CacheRecord]], Iterable[CacheRecord]]


def cache_records() -> tuple[CacheRecord, ...]:
    """Return every record of the engine's build cache, in one request."""
    # docker-py's df() cannot ask for the build cache alone, and counting every volume is slow.
    answer = _patiently(lambda: get_json("/system/df", {"type": "build-cache"}))
    return tuple(
        CacheRecord(
            raw["ID"],
            raw.get("Description", ""),
            raw.get("Type", ""),
            raw["CreatedAt"],
            raw.get("Size", 0),
            bool(raw.get("Shared")),
            _parents(raw),
            bool(raw.get("InUse")),
        )
        for raw in answer.get("BuildCache") or ()
    )


def _parents(raw: Mapping[str, Any]) -> tuple[str, ...]:
    # Several releases of the engine spell the key with a space before it; older ones name one parent only.
    several = raw.get("Parents") or raw.get(" Parents")
    return tuple(several or ([raw["Parent"]] if raw.get("Parent") else ()))


def with_descendants(ids: Iterable[str], records: Iterable[CacheRecord]) -> frozenset[str]:
    """Return these IDs and those of all records that stand on them: a record that carries another one stays.

    Args:
        ids: The records to begin with.
        records: All records of the build cache.
    """
    found = set(ids)
    records = tuple(records)
    grown = True
    while grown:
        more = {one.record_id for one in records if found.intersection(one.parents)} - found
        found |= more
        grown = bool(more)
    return frozenset(found)


def remove_cache_records(ids: Iterable[str]) -> int:
    """Remove these records and return the bytes that the engine says it freed.

    Records that an image or another record still needs stay.
    """
    wanted = sorted(ids)
    freed = 0
    for start in range(0, len(wanted), _IDS_A_REQUEST):
        # The engine takes one value for `id` and reads it as a regular expression.
        pattern = "|".join(map(re.escape, wanted[start : start + _IDS_A_REQUEST]))
        with engine_answers():
            answer = api().prune_builds(filters={"id": [f"^({pattern})$"]}, all=True)  # type: ignore[arg-type]
        freed += int(answer.get("SpaceReclaimed") or 0)
    return freed


def remove_chosen(choose: Choice) -> tuple[int, tuple[CacheRecord, ...]]:
    """Remove the records that are chosen from the list of all; return how many went, and which stayed.

    What a build made last is in use a moment longer than the build takes, and has another ID after that: BuildKit
    shows a layer as it is read while it is in use, and as it is written when it is not. So what is in use, or was
    not there under this ID before, is chosen and tried again for some seconds.

    Args:
        choose: Returns those of the records that are to go.
    """
    first = left = tuple(choose(cache_records()))
    for _ in range(int(patient(_IN_USE_TRIES))):
        if not left:
            break
        asked = {one.record_id for one in left}
        remove_cache_records(asked)
        left = tuple(choose(cache_records()))
        if not any(one.in_use or one.record_id not in asked for one in left):
            break
        time.sleep(_PAUSE_S)
    return max(0, len(first) - len(left)), left


def _patiently(ask: Callable[[], _Answer]) -> _Answer:
    """Ask, and for some seconds ask again while the engine's disk is full.

    BuildKit writes to its disk even to list its records; right after a build that filled the disk it
    cannot, and a moment later, when it has let go of what failed, it can. A prune that failed is not
    repeated: what it left is not touched by a second one until the engine was restarted.
    """
    for _ in range(int(patient(_TRIES)) - 1):
        try:
            return ask()
        except EngineRefused as error:
            if "no space left on device" not in error.message:
                raise
            time.sleep(_PAUSE_S)
    return ask()
