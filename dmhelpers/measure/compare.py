"""Sizes side by side: what each image adds to its base, and how much smaller each is than the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dmhelpers.errors import InputError
from dmhelpers.measure.contents import contents_of
from dmhelpers.measure.images import base_origin_of, size_of
from dmhelpers.measure.kinds import BASE_KIND, COVERED_KIND, count_layers_below


@dataclass(frozen=True, slots=True)
class Comparison:
    """One image beside the others.

    `added_bytes` is what it weighs beyond the base, None without one. `reduction_fraction` is the
    share by which it is smaller than the first image: 1 - size / size of the first.
    """

    image: str
    size_bytes: int
    added_bytes: int | None
    reduction_fraction: float
    base_origin: str


def compare_images(images: Sequence[str], *, base: str | None = None) -> tuple[Comparison, ...]:
    """Return one record an image, in the order given.

    Args:
        images: Names or IDs; the first is the one that the others are measured against.
        base: The base image that all of them start from, if they do.

    Raises:
        InputError: No image was given.
        ImageNotFound: The engine lacks one of them.
    """
    if not images:
        raise InputError("There is nothing to compare.", hint='Name at least one image: dm.compare("my-api:latest")')
    sizes = [size_of(image) for image in images]
    base_bytes = size_of(base) if base is not None else None
    return tuple(
        Comparison(
            image=image,
            size_bytes=size,
            added_bytes=None if base_bytes is None else size - base_bytes,
            reduction_fraction=1 - size / sizes[0] if sizes[0] else 0.0,
            base_origin=base_origin_of(image),
        )
        for image, size in zip(images, sizes, strict=True)
    )


def kinds_of_image(image: str, *, base: str | None = None) -> Mapping[str, int]:
    """Return an image's bytes by kind; they add up to what its layers hold.

    Args:
        image: Its name or ID.
        base: The base image that it starts from: its files are then one kind, "base image".

    Raises:
        ImageNotFound: The engine has no such image, or no such base.
    """
    found = contents_of(image)
    below = count_layers_below(image, base) if base is not None else 0
    totals: dict[str, int] = {}
    for kind, size, layer in zip(found.kinds, found.sizes, found.layers, strict=True):
        kind = BASE_KIND if layer < below else kind
        totals[kind] = totals.get(kind, 0) + size
    return {**totals, COVERED_KIND: found.wasted_bytes} if found.wasted_bytes else totals
