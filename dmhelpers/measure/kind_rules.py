"""Which file is of which kind: the rules of `kinds.toml`, each with its reason, applied to a saved image."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from dmhelpers.measure.entries import SavedImage
from dmhelpers.measure.filesystem import Standing, standing
from dmhelpers.measure.kind_index import IndexedRule, KindIndex, first_of_links, program_paths
from dmhelpers.measure.records import KindBytes
from dmhelpers.measure.wanted import ELF

_INSTALLED = "/node_modules/.package-lock.json"
LOCK_FILES = (f"*{_INSTALLED}", "*/package-lock.json")
"""Patterns of the files whose content the rules need: npm's own records of what is a dev dependency."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of `kinds.toml`: a condition that is None is not asked for; without `paths` it matches any path."""

    kind: str
    why: str
    paths: tuple[str, ...] = ()
    in_base: bool | None = None
    dev_package: bool | None = None
    program: bool | None = None


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Return the rules of `kinds.toml`, in the order in which they are tried."""
    text = resources.files("dmhelpers.measure").joinpath("kinds.toml").read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    return tuple(_rule(one, raw["program_folders"]) for one in raw["rule"])


def kinds_of(saved: SavedImage, *, base_layers: int | None = None) -> tuple[KindBytes, ...]:
    """Sort a saved image's final files into kinds, and add up the bytes of each.

    Args:
        saved: The image, read with the lock files of npm kept.
        base_layers: How many of its layers, from the oldest, are the base image's: what stands unchanged from them
            is of the kind "base image". For None (or 0) a base's files are named for what they are.
    """
    found = standing(saved)
    places = found.files()
    totals: dict[str, list[int]] = {}
    for place, kind in zip(places, kinds_of_standing(found, places, base_layers=base_layers), strict=True):
        total = totals.setdefault(kind, [0, 0])
        total[0] += found.sizes[place]
        total[1] += found.types[place] in "fh"
    return largest_first(KindBytes(kind, *total) for kind, total in totals.items() if any(total))


def kinds_of_standing(found: Standing, places: Sequence[int], *, base_layers: int | None = None) -> list[str]:
    """Return the kind of each file that stands at one of these places, in their order.

    Args:
        found: What stands of an image that was read with the lock files of npm kept.
        places: Where the files stand in it.
        base_layers: As in `kinds_of`.
    """
    dev_folders = _dev_folders(found)
    base = base_layers or 0
    text, program = (_index(False, one, dev_folders).rank for one in (False, True))
    programs = found.with_head(ELF)
    paths, layers = found.paths, found.layers
    ranks = [text(paths[place]) for place in places]
    for at, place in enumerate(places) if programs else ():
        if place in programs:
            ranks[at] = program(paths[place])
    if base:
        base_text, base_program = (_index(True, one, dev_folders).rank for one in (False, True))
        for at, place in enumerate(places):
            if layers[place] < base:
                ranks[at] = (base_program if place in programs else base_text)(paths[place])
    links = [
        (at, (layers[place], found.link_target(place)))
        for at, place in enumerate(places)
        if found.types[place] == "h"
    ]
    if links:
        first_of_links(ranks, {(layers[place], paths[place]): at for at, place in enumerate(places)}, links)
    names = [rule.kind for rule in rules()]
    return [names[rank] for rank in ranks]


def _index(in_base: bool, program: bool, dev_folders: frozenset[str]) -> KindIndex:
    """Return the rules that can hold for files of the base or not, for programs or not."""
    asked = [
        (rank, rule)
        for rank, rule in enumerate(rules())
        if rule.in_base in {None, in_base} and rule.program in {None, program}
    ]
    otherwise = next(rank for rank, rule in asked if not rule.paths)
    indexed = (IndexedRule(rank, rule.paths, rule.dev_package) for rank, rule in asked if rank < otherwise)
    return KindIndex(indexed, otherwise, dev_folders)


def _rule(raw: Mapping[str, Any], program_folders: Sequence[str]) -> Rule:
    conditions = {name: value for name, value in raw.items() if name not in {"paths", "programs"}}
    paths = (*raw.get("paths", ()), *program_paths(raw.get("programs", ()), program_folders))
    return Rule(paths=paths, **conditions)


def _dev_folders(found: Standing) -> frozenset[str]:
    """Return the folders of dev packages, by npm's record of what it installed, else by the lock file."""
    kept = {path: content for path, content in found.contents() if path.endswith((_INSTALLED, "/package-lock.json"))}
    installed = {path.removesuffix(_INSTALLED) for path in kept if path.endswith(_INSTALLED)}
    folders: set[str] = set()
    for path, content in kept.items():
        folder = path.removesuffix(_INSTALLED) if path.endswith(_INSTALLED) else path.rpartition("/")[0]
        if path.endswith(_INSTALLED) or folder not in installed:
            folders |= {f"{folder}/{package}" for package in _dev_packages(content)}
    return frozenset(folders)


def _dev_packages(content: bytes | None) -> list[str]:
    # "devOptional" is not among them: npm installs those with --omit=dev too.
    try:
        packages = json.loads(content or b"{}").get("packages", {})
        return [name for name, package in packages.items() if package.get("dev")]
    except (ValueError, AttributeError, RecursionError):
        return []


def largest_first(parts: Iterable[KindBytes]) -> tuple[KindBytes, ...]:
    """Return the parts by size, the largest first; ties by name."""
    return tuple(sorted(parts, key=lambda part: (-part.size_bytes, part.kind)))
