"""Which stage and line each layer of an image comes from, for the images that the course built.

BuildKit writes one history row for each instruction of the chain of stages that an image is made
of (FROM, ONBUILD and the ARGs before the first FROM excepted), after the rows of the base image. So
the last rows of an image's history are the chain's instructions in order; the verbs are compared
before that is believed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmhelpers.engine.places import state_folder
from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.records import Stage


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one row of a history comes from."""

    verb: str
    stage: str
    line: int


def remember(image_id: str, dockerfile: Dockerfile, target: Stage) -> None:
    """Keep, beyond this process, what the rows of this image's history come from, and which stages there were."""
    rows = [
        [instruction.name, stage.label, instruction.line]
        for stage in dockerfile.chain(target)
        for instruction in dockerfile.work_of(stage)
    ]
    path = _path(image_id)
    text = json.dumps({"rows": rows, "stages": [stage.label for stage in dockerfile.stages]})
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(f".{id(rows)}.part")
    half.write_text(text, encoding="utf-8")
    half.replace(path)


def forget(image_id: str) -> None:
    """Drop what is kept about an image that was removed."""
    _path(image_id).unlink(missing_ok=True)


def origins_of(image_id: str, created_by: Sequence[str]) -> list[Origin | None]:
    """Return each history row's origin; None for rows of the base image and for images built elsewhere.

    Args:
        image_id: The image's full ID.
        created_by: Its history, newest row first.
    """
    unknown: list[Origin | None] = [None] * len(created_by)
    kept = [Origin(*row) for row in reversed(_kept(image_id)["rows"])]
    if len(kept) > len(created_by):
        return unknown
    if any(_verb(text) != origin.verb for text, origin in zip(created_by, kept, strict=False)):
        return unknown
    return [*kept, *unknown[len(kept) :]]


def stages_of(image_id: str) -> tuple[str, ...]:
    """Return all stages of the Dockerfile that an image was built from, in file order; none if built elsewhere."""
    return tuple(_kept(image_id)["stages"])


def _kept(image_id: str) -> dict[str, list[Any]]:
    path = _path(image_id)
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    # Before stages were kept, the file held the rows alone.
    return {"rows": found, "stages": []} if isinstance(found, list) else found


def _verb(created_by: str) -> str:
    # With ARGs in force, BuildKit writes "RUN |1 NAME=value /bin/sh -c …"; the verb stays first.
    return created_by.partition(" ")[0]


def _path(image_id: str) -> Path:
    return state_folder() / "origins" / f"{image_id.replace(':', '+')}.json"
