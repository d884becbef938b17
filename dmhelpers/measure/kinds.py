"""What an image's bytes are: base image, dependencies, sources, caches …, and what went from one to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.created import image_not_found
from dmhelpers.engine.labels import BASE_NAME, BASE_ORIGIN
from dmhelpers.errors import ImageNotFound, InputError
from dmhelpers.measure.kind_rules import LOCK_FILES, kinds_of, largest_first
from dmhelpers.measure.records import KindBytes
from dmhelpers.measure.saved import SavedImage, read_image

BASE_KIND = "base image"
COVERED_KIND = "overwritten or deleted"
ROUNDING_KIND = "image store's rounding"


@dataclass(frozen=True, slots=True)
class Reduction:
    """What went from one image to another, by kind.

    `parts` holds a kind whose bytes differ: `size_bytes` is before less after (negative where it grew),
    `files` likewise, largest drop first; they add up to `before_bytes - after_bytes`, exactly. `stays`
    holds the kinds that both images have in equal amount, with that amount. `base_origin` is
    ``"assembled"`` where a stand-in base image is in use, else ``""``.
    """

    before: str
    after: str
    before_bytes: int
    after_bytes: int
    parts: tuple[KindBytes, ...]
    stays: tuple[KindBytes, ...] = ()
    base_before_bytes: int = 0
    base_after_bytes: int = 0
    base_origin: str = ""

    def __post_init__(self) -> None:
        drop = sum(part.size_bytes for part in self.parts)
        if drop != self.before_bytes - self.after_bytes:
            raise InputError(
                f"The parts add up to {drop} bytes, the images differ by {self.before_bytes - self.after_bytes}.",
                hint="Give one part for every kind that differs; dmhelpers.measure.kinds.reduction() does.",
            )


def bytes_by_kind(image: str, *, base: str | None = None) -> tuple[KindBytes, ...]:
    """Measure how many bytes of an image's final filesystem are of which kind.

    Args:
        image: The image's name or ID.
        base: The base image's name or ID. By default the one that the image's own label names: those that
            the course assembled. An image that does not start with the base's layers has no base part.

    Returns:
        One record a kind that is there, largest first. What later layers overwrote or deleted is in no
        final filesystem, and so in none of these.

    Raises:
        ImageNotFound: The engine has no such image, or no such base.
        EngineError: What the engine saved of the image cannot be read.
    """
    saved = read_image(image, keep=LOCK_FILES)
    return kinds_of(saved, base_layers=count_base_layers(saved, base))


def reduction(before: str, after: str, *, base: str | None = None) -> Reduction:
    """Measure what went from one image to another, by kind.

    Args:
        before: The larger image's name or ID.
        after: The smaller image's name or ID.
        base: The base image, as in `bytes_by_kind`, for both.

    Returns:
        The drop by kind. Two kinds make the sum exact: "overwritten or deleted" is what lower layers still
        hold although later ones cover it, and "image store's rounding" is what the history's bytes differ by
        from the files'. On overlay2 that is a few bytes, for it counts the length of symlinks in pulled
        and loaded layers but not in built ones; containerd's store counts directories and whole blocks too.

    Raises:
        ImageNotFound: The engine has no such image.
        EngineError: What the engine saved of an image cannot be read.
    """
    first, second = (read_image(image, keep=LOCK_FILES) for image in (before, after))
    kinds = [_all_kinds(image, saved, base) for image, saved in ((before, first), (after, second))]
    labels = [_labels(saved).get(BASE_ORIGIN, "") for saved in (first, second)]
    return subtract(before, after, kinds[0], kinds[1], base_origin=labels[0] or labels[1])


def subtract(
    before: str, after: str, first: Iterable[KindBytes], second: Iterable[KindBytes], *, base_origin: str = ""
) -> Reduction:
    """Return what went between two images whose bytes are known by kind.

    Args:
        before: What to call the first image.
        after: What to call the second.
        first: The first image's bytes by kind; all of its size.
        second: The second's.
        base_origin: ``"assembled"`` where a stand-in base image is in use.
    """
    old = {part.kind: part for part in first}
    new = {part.kind: part for part in second}
    none = KindBytes("", 0, 0)
    parts, stays = [], []
    for kind in [*old, *(kind for kind in new if kind not in old)]:
        one, other = old.get(kind, none), new.get(kind, none)
        if one.size_bytes != other.size_bytes:
            parts.append(KindBytes(kind, one.size_bytes - other.size_bytes, one.files - other.files))
        elif one.size_bytes:
            stays.append(KindBytes(kind, one.size_bytes, one.files))
    return Reduction(
        before=before,
        after=after,
        before_bytes=sum(part.size_bytes for part in old.values()),
        after_bytes=sum(part.size_bytes for part in new.values()),
        parts=largest_first(parts),
        stays=largest_first(stays),
        base_before_bytes=old.get(BASE_KIND, none).size_bytes,
        base_after_bytes=new.get(BASE_KIND, none).size_bytes,
        base_origin=base_origin,
    )


def _all_kinds(image: str, saved: SavedImage, base: str | None) -> tuple[KindBytes, ...]:
    """Return the image's bytes by kind, with the two that make them add up to its history."""
    kinds = kinds_of(saved, base_layers=count_base_layers(saved, base))
    client: Any = api()
    with engine_answers():
        history_bytes = sum(row["Size"] for row in client.history(image))
    covered = saved.size_bytes - sum(part.size_bytes for part in kinds)
    rounding = history_bytes - saved.size_bytes
    rest = (KindBytes(COVERED_KIND, covered, 0), KindBytes(ROUNDING_KIND, rounding, 0))
    return (*kinds, *(part for part in rest if part.size_bytes))


def count_base_layers(saved: SavedImage, base: str | None) -> int:
    """Return how many of an image's layers, from the oldest, are the base image's; 0 where it stands on another.

    Raises:
        ImageNotFound: The engine has no such base.
    """
    name = base or _labels(saved).get(BASE_NAME)
    if not name:
        return 0
    try:
        return _shared([layer.diff_id for layer in saved.layers], _layers_of(name))
    except ImageNotFound as error:
        if base is None:
            return 0
        raise _no_base(name) from error


def count_layers_below(image: str, base: str) -> int:
    """Return what `count_base_layers` does, of an image that nothing else has to be read of.

    Raises:
        ImageNotFound: The engine has no such image, or no such base.
    """
    own = _layers_of(image)
    try:
        return _shared(own, _layers_of(base))
    except ImageNotFound as error:
        raise _no_base(base) from error


def _shared(own: Sequence[str], below: Sequence[str]) -> int:
    return len(below) if own[: len(below)] == below else 0


def _layers_of(image: str) -> Sequence[str]:
    """Return the checksums of an image's unpacked layers, oldest first."""
    import docker.errors

    client: Any = api()
    try:
        with engine_answers():
            layers: Sequence[str] = client.inspect_image(image)["RootFS"].get("Layers") or []
    except docker.errors.NotFound as error:
        raise image_not_found(image) from error
    return layers


def _no_base(name: str) -> ImageNotFound:
    return ImageNotFound(
        f"The engine has no image {name!r} to take as the base.", hint="See which there are with: docker images"
    )


def _labels(saved: SavedImage) -> Mapping[str, str]:
    labels: Mapping[str, str] | None = (saved.config.get("config") or {}).get("Labels")
    return labels or {}
