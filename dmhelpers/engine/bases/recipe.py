"""Recipes: what a stand-in base image is made of, as data in `recipes/*.toml`.

A recipe names its `sources` (wheels by exact version and SHA-256, Debian packages by the oldest version
that works) and its `layers`, oldest first. A layer takes paths out of sources and adds links, folders,
small files, busybox's commands and this machine's CA bundle. `only` restricts an entry to one architecture.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from dmhelpers.errors import BaseImageError, near_matches

ARCHITECTURES = ("amd64", "arm64")


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file on the Python package index, pinned."""

    package: str
    version: str
    platform: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """One Debian package, at least of a version."""

    package: str
    minimum: str


@dataclass(frozen=True, slots=True)
class Take:
    """Paths that a layer takes out of a source.

    Args:
        source: The source's name in the recipe.
        origins: Paths inside the source; the first that exists is taken, a file or a whole folder.
        to: Where it goes in the image; the file itself or the folder.
        include: Patterns, relative to the folder; empty takes all of it.
        exclude: Patterns that are left out.
    """

    source: str
    origins: tuple[str, ...]
    to: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """An empty folder, with its mode and the number of the account that owns it."""

    path: str
    mode: int = 0o755
    owner: int = 0


@dataclass(frozen=True, slots=True)
class LayerRecipe:
    """One layer; `created_by` is what `docker history` shows for it."""

    created_by: str
    take: tuple[Take, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[Folder, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    applets: str = ""
    ca_bundle: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One base image for one architecture."""

    name: str
    architecture: str
    about: str
    created: str
    env: tuple[str, ...]
    cmd: tuple[str, ...]
    working_dir: str
    sources: Mapping[str, Wheel | DebianPackage]
    layers: tuple[LayerRecipe, ...]


@dataclass(frozen=True, slots=True)
class CertificateCheck:
    """How a base is asked whether it trusts this network, and what it needs to be told to."""

    check: tuple[str, ...]
    env: tuple[str, ...]


def known() -> tuple[str, ...]:
    """Return the names that have a recipe, sorted."""
    return tuple(sorted(_raw_recipes()))


def recipe(name: str, architecture: str) -> Recipe:
    """Return the recipe for a base image.

    Args:
        name: The name as it stands after FROM.
        architecture: ``"amd64"`` or ``"arm64"``.

    Raises:
        BaseImageError: There is no recipe for that name or that architecture.
    """
    raw = _raw_recipes().get(name)
    if raw is None:
        raise BaseImageError(
            f"The course has no recipe for the base image {name!r}.", hint=near_matches(name, known())
        )
    if architecture not in ARCHITECTURES:
        raise BaseImageError(
            f"The recipe for {name} has no part for the architecture {architecture}.",
            hint=f"Pull it on a machine that reaches a registry: docker pull {name}",
        )
    return _recipe(raw, architecture)


def certificate_check(name: str) -> CertificateCheck | None:
    """Return how to ask that base whether it trusts this network; None where no recipe says so."""
    raw = _raw_recipes().get(name)
    if raw is None:
        return None
    return CertificateCheck(tuple(raw["certificates"]["check"]), tuple(raw["certificates"]["env"]))


@functools.cache
def applets() -> tuple[str, ...]:
    """Return the absolute paths of busybox's commands, sorted."""
    raw = tomllib.loads(_folder().joinpath("applets.toml").read_text(encoding="utf-8"))
    return tuple(sorted(f"/{folder}/{name}" for folder, names in raw.items() for name in names.split()))


@functools.cache
def _raw_recipes() -> dict[str, dict[str, Any]]:
    found = {}
    for file in _folder().iterdir():
        if file.name.endswith(".toml") and file.name != "applets.toml":
            raw = tomllib.loads(file.read_text(encoding="utf-8"))
            found[raw["name"]] = raw
    return found


def _folder() -> Any:
    return resources.files(__package__).joinpath("recipes")


def _recipe(raw: Mapping[str, Any], architecture: str) -> Recipe:
    config = raw["config"]
    return Recipe(
        name=raw["name"],
        architecture=architecture,
        about=raw["about"],
        created=raw["created"],
        env=tuple(config["env"]),
        cmd=tuple(config["cmd"]),
        working_dir=config.get("working_dir", ""),
        sources={
            key: _source(source, architecture)
            for key, source in raw["sources"].items()
            if _is_for(source, architecture)
        },
        layers=tuple(_layer(layer, architecture) for layer in raw["layers"]),
    )


def _is_for(entry: Mapping[str, Any], architecture: str) -> bool:
    return bool(entry.get("only", architecture) == architecture)


def _source(raw: Mapping[str, Any], architecture: str) -> Wheel | DebianPackage:
    if raw["kind"] == "debian":
        return DebianPackage(raw["package"], raw["minimum"])
    file = raw[architecture]
    return Wheel(raw["package"], raw["version"], file["platform"], file["sha256"], file["size_bytes"])


def _layer(raw: Mapping[str, Any], architecture: str) -> LayerRecipe:
    return LayerRecipe(
        created_by=raw["created_by"],
        take=tuple(
            Take(
                one["source"],
                tuple(one["from"]),
                one["to"],
                tuple(one.get("include", ())),
                tuple(one.get("exclude", ())),
            )
            for one in raw.get("take", ())
            if _is_for(one, architecture)
        ),
        links={one["path"]: one["to"] for one in raw.get("links", ()) if _is_for(one, architecture)},
        folders=tuple(
            Folder(one["path"], one.get("mode", 0o755), one.get("owner", 0)) for one in raw.get("folders", ())
        ),
        files={path: text.lstrip("\n") for path, text in raw.get("files", {}).items()},
        applets=raw.get("applets", ""),
        ca_bundle=raw.get("ca_bundle", ""),
    )
