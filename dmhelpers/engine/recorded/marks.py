"""The mark on everything that comes from a recording: when, and with which engine."""

from __future__ import annotations

from typing import Any

from dmhelpers.engine.recorded.session import player


def sentence() -> str:
    """Return ``"recorded on DATE with Docker Engine VERSION (PLATFORM)"`` in recorded mode, else ``""``."""
    found = player()
    return "" if found is None else found.manifest.sentence


def attributes() -> dict[str, Any]:
    """Return what a table's `.attrs` holds in recorded mode: ``recorded`` with created, engine and platform."""
    found = player()
    if found is None:
        return {}
    one = found.manifest
    return {"recorded": {"created": one.created, "engine": one.engine, "platform": one.platform}}
