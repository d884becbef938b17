"""Base images: present, pulled, from a mirror, or assembled from packages by one recipe file each."""

from __future__ import annotations

from dmhelpers.engine.bases.recipe import known
from dmhelpers.engine.bases.records import BaseImage, BaseStatus, Origin, RemovedBases
from dmhelpers.engine.bases.removal import remove
from dmhelpers.engine.bases.shelf import ensure, ensure_many, status

__all__ = [
    "BaseImage",
    "BaseStatus",
    "Origin",
    "RemovedBases",
    "ensure",
    "ensure_many",
    "known",
    "remove",
    "status",
]
