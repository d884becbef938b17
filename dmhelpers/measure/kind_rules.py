"""Which file is of which kind: the rules of `kinds.toml`, each with its reason, applied to a saved image."""

from __future__ import annotations

import fnmatch
import functools
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from dmhelpers.measure.entries import FileEntry, SavedImage
from dmhelpers.measure.filesystem import Standing, final_files
from dmhelpers.measure.records import KindBytes

_INSTALLED = "/node_modules/.package-lock.json"
LOCK_FILES = (f"*{_INSTALLED}", "*/package-lock.json")
"""Patterns of the files whose content the rules need: npm's own records of what is a dev dependency."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of `kinds.toml`: a condition that is None is not asked for; `pattern` None matches any path."""

    kind: str
    why: str
    pattern: re.Pattern[str] | None = None
    in_base: bool | None = None
    dev_package: bool | None = None
    program: bool | None = None


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Return the rules of `kinds.toml`, in the order in which they are tried."""
    text = resources.files("dmhelpers.measure").joinpath("kinds.toml").read_text(encoding="utf-8")
    return tuple(_rule(raw) for raw in tomllib.loads(text)["rule"])


def kinds_of(saved: SavedImage, *, base_layers: int = 0) -> tuple[KindBytes, ...]:
    """Sort a saved image's final files into kinds.

    Args:
        saved: The image, read with the lock files of npm kept.
        base_layers: How many of its layers, from the oldest, are the base image's.
    """
    files = list(final_files(saved))
    is_dev = _dev_test(files)
    totals: dict[str, list[int]] = {}
    for entry in files:
        total = totals.setdefault(_kind(entry, entry.layer < base_layers, is_dev), [0, 0])
        total[0] += entry.size_bytes
        total[1] += entry.type in {"file", "hard link"}
    return largest_first(KindBytes(kind, *total) for kind, total in totals.items() if any(total))


def kinds_of_standing(found: Standing, places: Sequence[int]) -> list[str]:
    """Return the kind of each file of a final filesystem; a base image's files too are named for what they are."""
    files = [found.record(place) for place in places]
    is_dev = _dev_test(files)
    return [_kind(entry, False, is_dev) for entry in files]


def _kind(entry: FileEntry, in_base: bool, is_dev: Callable[[str], bool]) -> str:
    for rule in rules():
        if rule.pattern is not None and not rule.pattern.match(entry.path):
            continue
        if rule.in_base is not None and rule.in_base != in_base:
            continue
        if rule.dev_package is not None and rule.dev_package != is_dev(entry.path):
            continue
        if rule.program is not None and rule.program != (entry.head == b"\x7fELF"):
            continue
        return rule.kind
    return "other"


def _rule(raw: Mapping[str, Any]) -> Rule:
    conditions = {name: value for name, value in raw.items() if name != "paths"}
    paths = raw.get("paths")
    pattern = re.compile("|".join(fnmatch.translate(path) for path in paths)) if paths else None
    return Rule(pattern=pattern, **conditions)


def _dev_test(files: Iterable[FileEntry]) -> Callable[[str], bool]:
    """Return a test for files of dev packages, by npm's record of what it installed, else by the lock file."""
    kept = {entry.path: entry.content for entry in files if entry.content is not None}
    installed = {path.removesuffix(_INSTALLED) for path in kept if path.endswith(_INSTALLED)}
    folders: set[str] = set()
    for path, content in kept.items():
        folder = path.removesuffix(_INSTALLED) if path.endswith(_INSTALLED) else path.rpartition("/")[0]
        if path.endswith(_INSTALLED) or folder not in installed:
            folders |= {f"{folder}/{package}" for package in _dev_packages(content)}

    def is_dev(path: str) -> bool:
        parent = path
        while folders and parent:
            parent = parent.rpartition("/")[0]
            if parent in folders:
                return True
        return False

    return is_dev


def _dev_packages(content: bytes | None) -> list[str]:
    # "devOptional" is not among them: npm installs those with --omit=dev too.
    try:
        packages = json.loads(content or b"{}").get("packages", {})
        return [name for name, package in packages.items() if package.get("dev")]
    except (ValueError, AttributeError):
        return []


def largest_first(parts: Iterable[KindBytes]) -> tuple[KindBytes, ...]:
    """Return the parts by size, the largest first; ties by name."""
    return tuple(sorted(parts, key=lambda part: (-part.size_bytes, part.kind)))
