"""What an attacker finds in images, side by side, and the packages of an image, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dmhelpers.errors import InputError
from dmhelpers.measure.packages import PACKAGE_FILES, packages_of
from dmhelpers.measure.saved import read_image
from dmhelpers.measure.surface import RUNS_AS, SURFACE_FILES, Finding, surface_of, surface_rows
from dmhelpers.show import stamp, tables

if TYPE_CHECKING:
    import pandas as pd

_MOST_NAMED = 4


def attack_surface(*images: str) -> pd.DataFrame:
    """Return what an attacker finds in each image: shells, package managers, compilers, setuid files and more.

    Nothing is run in the images: their files, and the user that their configuration names, are read.

    Args:
        images: Names or IDs, a column each in this order; a name that comes twice has one column.

    Returns:
        Columns ``finding`` (str: one row a kind of finding, always the same rows) and one an image (str): how many
        there are and where, ``"none"``, or the user. Of more than four paths the first three are named.
        ``.attrs["findings"]`` has all: image to finding to a list of ``{"path", "detail"}``.

    Raises:
        InputError: No image was named.
        ImageNotFound: The engine lacks one of them.
        EngineError: What the engine saved of an image cannot be read.
    """
    if not images:
        raise InputError("No image was named.", hint='Name at least one: dm.attack_surface("my-api:latest")')
    found = {image: surface_of(read_image(image, keep=SURFACE_FILES)) for image in images}
    return _surface_table(found)


def packages(image: str) -> pd.DataFrame:
    """Return the packages in an image, by what npm, dpkg, apk, Python and Go themselves wrote down.

    Args:
        image: The image's name or ID.

    Returns:
        Columns ``package``, ``version``, ``manager`` (str: apk, dpkg, go, npm, python), ``dev`` (bool: npm marks it
        as needed for development only) and ``path`` (str: its folder, the Go program that it is part of, or the
        database that lists it), sorted by manager and package.

    Raises:
        ImageNotFound: The engine has no such image.
        EngineError: What the engine saved of the image cannot be read.
    """
    rows = packages_of(read_image(image, keep=PACKAGE_FILES))
    frame = tables.columns(
        {
            "package": [one.name for one in rows],
            "version": [one.version for one in rows],
            "manager": [one.manager for one in rows],
            "dev": [one.dev for one in rows],
            "path": [one.path for one in rows],
        }
    )
    return stamp.stamped(frame.astype({"dev": "bool"}))


def _surface_table(found: dict[str, tuple[Finding, ...]]) -> pd.DataFrame:
    rows = surface_rows()
    grouped = {
        image: {what: [one for one in findings if one.what == what] for what in rows}
        for image, findings in found.items()
    }
    cells = {image: [_cell(what, findings[what]) for what in rows] for image, findings in grouped.items()}
    frame = tables.columns({"finding": list(rows), **cells})
    frame.attrs["findings"] = {
        image: {
            what: [{"path": one.path, "detail": one.detail} for one in listed] for what, listed in findings.items()
        }
        for image, findings in grouped.items()
    }
    return stamp.stamped(frame)


def _cell(what: str, findings: Sequence[Finding]) -> str:
    if what == RUNS_AS:
        return ", ".join(one.detail for one in findings)
    if not findings:
        return "none"
    paths = [one.path for one in findings]
    named = paths if len(paths) <= _MOST_NAMED else [*paths[: _MOST_NAMED - 1], "…"]
    return f"{len(paths)}: {', '.join(named)}"
