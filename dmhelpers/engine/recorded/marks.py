"""The mark on everything that comes from a recording: when, and with which engine."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from dmhelpers.engine.recorded.session import player


def sentence() -> str:
    """Return ``"recorded on DATE with Docker Engine VERSION (PLATFORM)"`` in recorded mode, else ``""``."""
    found = player()
    return "" if found is None else found.sentence


def note() -> str:
    """Return the sentence that stands below what comes from a recording, ``""`` where an engine was asked."""
    said = sentence()
    return f"{said[0].upper()}{said[1:]}; nothing was measured here." if said else ""


def attributes() -> dict[str, Any]:
    """Return what a table's `.attrs` holds in recorded mode: ``recorded`` with created, engine and platform."""
    found = player()
    if found is None:
        return {}
    one = found.manifest
    return {"recorded": {"created": found.created, "engine": one.engine, "platform": one.platform}}


def as_record(record: Any) -> str:
    """Return a dataclass's usual text, with its field `recorded` only where that says something."""
    told = [(one.name, getattr(record, one.name)) for one in fields(record)]
    return (
        f"{type(record).__name__}({', '.join(f'{name}={one!r}' for name, one in told if name != 'recorded' or one)})"
    )
