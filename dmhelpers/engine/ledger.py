"""The ledger: the IDs of what the course made, one empty file an entry.

A label alone does not say who made a thing: images built on ours inherit it, and so do their
containers. Clean-up removes what carries the label *and* stands here. One file an entry makes
writing atomic and safe under several processes without a lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from dmhelpers.engine.places import state_folder

Kind = Literal["image", "container", "volume", "network", "cache", "base", "tag", "span"]


def record(engine_id: str, kind: Kind, ids: Iterable[str]) -> None:
    """Write that the course made these on that engine.

    Args:
        engine_id: The engine's own ID (`EngineInfo.engine_id`).
        kind: What they are; ``"base"`` is a base image that the course pulled or assembled, ``"tag"`` a name
            that the course gave to an image, ``"span"`` when a build ran what.
        ids: Their full IDs, or names.
    """
    folder = _folder(engine_id, kind)
    folder.mkdir(parents=True, exist_ok=True)
    for one in ids:
        (folder / _file_name(one)).touch()


def recorded(engine_id: str, kind: Kind) -> frozenset[str]:
    """Return the IDs of that kind that the course made on that engine."""
    folder = _folder(engine_id, kind)
    if not folder.is_dir():
        return frozenset()
    return frozenset(unquote(entry.name).replace("+", ":") for entry in folder.iterdir())


def forget(engine_id: str, kind: Kind, ids: Iterable[str]) -> None:
    """Strike these from the ledger; those that do not stand there are passed over."""
    folder = _folder(engine_id, kind)
    for one in ids:
        (folder / _file_name(one)).unlink(missing_ok=True)


def _folder(engine_id: str, kind: Kind) -> Path:
    # An engine's ID may hold colons, which Windows refuses in a file name.
    return state_folder() / "ledger" / hashlib.sha256(engine_id.encode()).hexdigest()[:16] / kind


def _file_name(one: str) -> str:
    # A tag may hold slashes, and Windows refuses colons; no ID and no tag holds a plus sign.
    return quote(one.replace(":", "+"), safe="+")
