"""What each tag was last built from: the folder, the Dockerfile's text then, the target and what its stages did."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dmhelpers.engine.places import state_folder
from dmhelpers.measure.dockerfile import Dockerfile, parse_dockerfile
from dmhelpers.measure.records import Stage, StageOutcome

_KEPT = 200
"""How many tags are remembered: those that were built last."""
_unfinished: set[str] = set()


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build, as later processes know it.

    `target` is what was asked for, None for the last stage; `text` is the Dockerfile as it was then;
    `built_at` is in seconds since 1970, `duration_s` how long it took. Build arguments are not kept: people put
    secrets into them.
    """

    image_id: str
    tag: str
    folder: Path
    file: str
    target: str | None
    text: str
    stages: Mapping[str, StageOutcome]
    built_at: float
    duration_s: float = 0.0

    @property
    def dockerfile(self) -> Dockerfile:
        """The Dockerfile as it was when this was built."""
        return parse_dockerfile(self.text, path=self.folder / self.file)

    @property
    def stage(self) -> Stage:
        """The stage that the image is of."""
        return self.dockerfile.find(self.target)

    @property
    def is_last(self) -> bool:
        """Whether that is the last stage: the one that a build without a target makes."""
        return self.stage.index == len(self.dockerfile.stages) - 1


def remember(build: Built) -> None:
    """Keep, beyond this process, what this tag was built from; an older build's note is replaced."""
    path = _path(build.tag)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(f".{os.getpid()}-{id(build)}.part")
    half.write_text(json.dumps({**asdict(build), "folder": str(build.folder)}), encoding="utf-8")
    half.replace(path)
    _forget_oldest()


def built_from(tag: str, image_id: str) -> Built | None:
    """Return what an image was built from; None where the course did not build it.

    Args:
        tag: The image's name, ``name:tag``.
        image_id: The image that has the name now; of a tag given by hand, the newest build of this ID counts.
    """
    found = _read(_path(tag))
    if found is not None and found.image_id == image_id:
        return found
    others = [one for path in _folder().glob("*.json") if (one := _read(path)) and one.image_id == image_id]
    return max(others, key=lambda one: one.built_at, default=None)


@contextmanager
def attempt(tag: str) -> Iterator[None]:
    """Note, in this process, that the newest build of a tag did not end well until it has."""
    _unfinished.add(tag)
    yield
    _unfinished.discard(tag)


def last_failed(tag: str) -> bool:
    """Return whether the newest build of a tag in this process failed or was stopped: its image is an older one."""
    return tag in _unfinished


def _forget_oldest() -> None:
    found = list(_folder().glob("*.json"))
    if len(found) <= _KEPT:
        return
    with suppress(FileNotFoundError):  # another process forgets at the same time
        for path in sorted(found, key=lambda one: one.stat().st_mtime)[:-_KEPT]:
            path.unlink()


def _read(path: Path) -> Built | None:
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Built(**{**raw, "folder": Path(raw["folder"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _path(tag: str) -> Path:
    return _folder() / f"{quote(tag, safe='')}.json"


def _folder() -> Path:
    return state_folder() / "builds"
