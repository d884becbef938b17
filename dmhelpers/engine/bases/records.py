"""What this room says about base images. Frozen; sizes are the sum of the image's history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dmhelpers.units import docker_size

Origin = Literal["local", "pulled", "mirror", "assembled"]
"""Where a base image came from; ``"local"`` was on the engine already, ``"assembled"`` is a stand-in."""


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A base image that is on the engine now.

    `build_context` is a ``docker-image://`` reference for `docker buildx build --build-context NAME=…`
    where builds must use an image with this machine's CA bundle in its place, else None.
    """

    name: str
    origin: Origin
    image_id: str
    size_bytes: int
    build_context: str | None = None


@dataclass(frozen=True, slots=True)
class BaseStatus:
    """One base image, present or not.

    `course_made` is true for what the course pulled or assembled here (and may remove), `recipe` where
    the course can assemble it from packages, `packed` for one that came from a pack. `image_id` is ``""`` and
    `size_bytes` 0 where it is absent.
    """

    name: str
    present: bool
    origin: Origin | None
    image_id: str
    size_bytes: int
    course_made: bool
    recipe: bool
    packed: bool = False


@dataclass(frozen=True, slots=True)
class RemovedBases:
    """What `remove()` took away: names in the order of removal, and the bytes that no other image holds."""

    names: tuple[str, ...]
    freed_bytes: int

    def __str__(self) -> str:
        if not self.names:
            return "There is no base image here that the course pulled or assembled."
        return f"Removed {', '.join(self.names)}; {docker_size(self.freed_bytes)} freed."
