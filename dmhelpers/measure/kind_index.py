"""Which rule a path comes under first, found quickly: the answer for a folder is kept, and so is that for a name.

A rule's paths are of two sorts. One that ends in `/*` says something of a folder and all below it, so it is tried
once a folder, and only where the folder's own name can be its last part. Any other one says something of a file's
name, so it is tried once a name. What is left for each file are two look-ups and the smaller of two numbers.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_WILD = re.compile(r"[*?\[]")
_SUFFIX = re.compile(r"\*(\.[^.*?\[\]]+)")
_NONE: tuple[Any, ...] = ()
_Name = tuple[int, str]

Where = Callable[[str], object] | None
"""Whether a folder is one that a rule speaks of; None for every folder."""


@dataclass(frozen=True, slots=True)
class IndexedRule:
    """A rule as the index takes it: its rank, its paths, and whether it asks for folders of dev packages."""

    rank: int
    paths: tuple[str, ...]
    dev_package: bool | None = None


@dataclass(frozen=True, slots=True)
class _Folder:
    """What is known of a folder: the rules that speak of it or of one above it, and the first that holds."""

    matched: tuple[int, ...]
    is_dev: bool
    first: int


class NameIndex:
    """Patterns of names, each with its rule's rank; what a name comes under is kept."""

    def __init__(self) -> None:
        self._exact: dict[str, list[tuple[int, Where]]] = {}
        self._suffixes: dict[str, list[tuple[int, Where]]] = {}
        self._globs: dict[str, list[tuple[re.Pattern[str], tuple[int, Where]]]] = {}
        self._by_suffix: dict[str, tuple[tuple[int, Where], ...]] = {}
        self._known: dict[str, tuple[tuple[int, Where], ...]] = {}

    def add(self, name: str, rank: int, where: Where) -> None:
        """Add a pattern of a rule that speaks of some folders, or of all for None."""
        suffix = _SUFFIX.fullmatch(name)
        if suffix:
            self._suffixes.setdefault(suffix[1], []).append((rank, where))
        elif _WILD.search(name):
            first = "" if _WILD.match(name) else name[0]
            self._globs.setdefault(first, []).append((re.compile(fnmatch.translate(name)), (rank, where)))
        else:
            self._exact.setdefault(name, []).append((rank, where))

    def look_up(self, name: str) -> tuple[tuple[int, Where], ...]:
        """Return the rules that may hold for a name, the first one first."""
        if name[:1] not in self._globs and name not in self._exact and "" not in self._globs:
            suffix = name[name.rfind(".") :]  # most names are told by this alone, and it is soon known
            known = self._by_suffix.get(suffix)
            if known is None:
                known = self._by_suffix[suffix] = tuple(sorted(self._suffixes.get(suffix, _NONE), key=_rank_of))
            return known
        known = self._known.get(name)
        if known is None:
            found = [*self._exact.get(name, _NONE), *self._suffixes.get(name[name.rfind(".") :], _NONE)]
            for pattern, rule in (*self._globs.get(name[:1], _NONE), *self._globs.get("", _NONE)):
                if pattern.match(name):
                    found.append(rule)
            known = self._known[name] = tuple(sorted(found, key=_rank_of)) if found else _NONE
        return known


class KindIndex:
    """The rules, ready to be asked for one file after another.

    Args:
        rules: The rules that have paths.
        otherwise: The rank of the rule that holds where none of them does.
        dev_folders: The folders of dev packages.
    """

    def __init__(self, rules: Iterable[IndexedRule], otherwise: int, dev_folders: frozenset[str]) -> None:
        self._otherwise = otherwise
        self._dev_folders = dev_folders
        self._asks_dev: dict[int, bool] = {}
        self._folder_rules: dict[str, list[tuple[int, Where]]] = {}
        self._folder_globs: dict[str, list[tuple[int, Where]]] = {}
        self._names = NameIndex()
        self._names_in: dict[str, NameIndex] = {}
        self._known: dict[str, _Folder] = {}
        for rule in rules:
            if rule.dev_package is not None:
                self._asks_dev[rule.rank] = rule.dev_package
            for path in rule.paths:
                self._add(rule.rank, path)

    def rank(self, path: str) -> int:
        """Return the rank of the first rule that the file at an absolute path comes under."""
        folder, _, name = path.rpartition("/")
        known = self._known.get(folder)
        first = self._look_up_folder(folder) if known is None else known.first
        if folder in self._names_in:
            for rank, _ in self._names_in[folder].look_up(name):
                first = min(first, rank)
        for rank, where in self._names.look_up(name):
            if rank >= first:
                break
            if where is None or where(folder):
                return rank
        return first

    def _add(self, rank: int, path: str) -> None:
        folder, slash, name = path.rpartition("/")
        if name == "*" and folder:
            last = folder.rpartition("/")[2]
            if _WILD.search(last):
                first = "" if _WILD.match(last) else last[0]
                self._folder_globs.setdefault(first, []).append((rank, _matcher(folder)))
            else:
                where = None if folder == f"*/{last}" else _matcher(folder)
                self._folder_rules.setdefault(last, []).append((rank, where))
        elif not slash or folder == "*":
            self._names.add(name, rank, None)
        elif _WILD.search(folder):
            self._names.add(name, rank, _matcher(folder))
        else:
            self._names_in.setdefault(folder, NameIndex()).add(name, rank, None)

    def _look_up_folder(self, folder: str) -> int:
        unknown = [folder]
        while unknown[-1] and unknown[-1].rpartition("/")[0] not in self._known:
            unknown.append(unknown[-1].rpartition("/")[0])
        for path in reversed(unknown):
            above = self._known.get(path.rpartition("/")[0]) if path else None
            self._known[path] = self._judge(path, above)
        return self._known[folder].first

    def _judge(self, folder: str, above: _Folder | None) -> _Folder:
        name = folder[folder.rfind("/") + 1 :]
        globs = (*self._folder_globs.get(name[:1], _NONE), *self._folder_globs.get("", _NONE))
        here = [
            rank for rank, where in (*self._folder_rules.get(name, _NONE), *globs) if where is None or where(folder)
        ]
        is_dev = folder in self._dev_folders
        if above is not None:
            if not here and (not is_dev or above.is_dev):
                return above
            here += above.matched
            is_dev = is_dev or above.is_dev
        matched = tuple(sorted(set(here)))
        holds = (rank for rank in matched if self._asks_dev.get(rank, is_dev) == is_dev)
        return _Folder(matched, is_dev, next(holds, self._otherwise))


def program_paths(names: Iterable[str], folders: Iterable[str]) -> Iterator[str]:
    """Give the path of each program in each folder that programs stand in."""
    places = tuple(folders)
    return (f"{folder}/{name}" for name in names for folder in places)


def first_of_links(ranks: list[int], places: Mapping[_Name, int], links: Iterable[tuple[int, _Name]]) -> None:
    """Give all names of one file the smallest of their ranks, in place.

    Args:
        ranks: The rank of each file.
        places: Where each file stands in that list, by its layer and path.
        links: Each hard link's place, and the layer and path that it is a link to.
    """
    groups: dict[_Name, list[int]] = {}
    for place, target in links:
        groups.setdefault(target, []).append(place)
    for target, members in groups.items():
        if target in places:
            members.append(places[target])
        first = min(ranks[place] for place in members)
        for place in members:
            ranks[place] = first


def _rank_of(rule: tuple[int, Where]) -> int:
    return rule[0]


def _matcher(pattern: str) -> Callable[[str], object]:
    if not _WILD.search(pattern):
        return pattern.__eq__
    return re.compile(fnmatch.translate(pattern)).match
