"""What an attacker finds in an image: the rules of `surface.toml`, each with its reason, applied to a saved image.

Everything is read from the files and the configuration; nothing in the image is run.
"""

from __future__ import annotations

import functools
import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from importlib import resources
from typing import Any, Literal

from dmhelpers.measure.entries import FileEntry, SavedImage
from dmhelpers.measure.kind_index import NameIndex
from dmhelpers.measure.saved import final_entries
from dmhelpers.units import docker_size

RUNS_AS = "runs as"
_ACCOUNTS = "/etc/passwd"
SURFACE_FILES = (_ACCOUNTS,)
"""Patterns of the files whose content `surface_of` reads, to know the number of a user that is given by name."""

_MOST_LINKS = 40
_SETUID, _SETGID, _STICKY, _WRITABLE, _EXECUTABLE = 0o4000, 0o2000, 0o1000, 0o002, 0o111
_FILES = frozenset({"file", "hard link"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an attacker finds: which rule it comes under, where it stands, and what is to be said of it.

    `path` is ``""`` for the user that the image runs as, who stands in `detail`.
    """

    what: str
    path: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SurfaceRule:
    """One rule of `surface.toml`."""

    what: str
    why: str
    programs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    excepted: re.Pattern[str] | None = None
    permission: Literal["setuid", "writable", ""] = ""
    folder: str = ""


@functools.cache
def surface_rules() -> tuple[SurfaceRule, ...]:
    """Return the rules of `surface.toml`, in the order of the table's rows."""
    return tuple(_rule(raw) for raw in _document()["rule"])


def surface_rows() -> tuple[str, ...]:
    """Return what may be found, in the order of the table's rows; the user that the image runs as comes last."""
    return (*(rule.what for rule in surface_rules()), RUNS_AS)


def surface_of(saved: SavedImage) -> tuple[Finding, ...]:
    """Return what an attacker finds in an image, in the order of the rules, each by path.

    Args:
        saved: The image, read with `SURFACE_FILES` kept.
    """
    entries = {entry.path: entry for entry in final_entries(saved)}
    found = {
        (finding.what, finding.path): finding
        for finding in (
            *_by_name(entries, _command_folders(saved, entries)),
            *_by_rights(entries),
            *_folders(entries),
        )
    }
    rows = surface_rows()
    ordered = sorted(found.values(), key=lambda one: (rows.index(one.what), one.path))
    return (*ordered, Finding(RUNS_AS, "", user_of(saved, entries)))


def user_of(saved: SavedImage, entries: Mapping[str, FileEntry]) -> str:
    """Return who the image's command runs as: ``"root"``, ``"node (uid 1000)"``, ``"uid 1000"`` or a bare name.

    Args:
        saved: The image.
        entries: Its final entries by path; `/etc/passwd` with its content, if a name's number is wanted.
    """
    given = str((saved.config.get("config") or {}).get("User") or "").partition(":")[0].strip()
    accounts = entries.get(_ACCOUNTS)
    content = b"" if accounts is None else accounts.content or b""
    numbers: dict[str, int] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isascii() and fields[2].isdigit():
            numbers.setdefault(fields[0], int(fields[2]))
    if given.isascii() and given.isdigit():
        return "root" if int(given) == 0 else f"uid {int(given)}"
    number = 0 if given in {"", "root"} else numbers.get(given)
    if number == 0:
        return "root"
    return given if number is None else f"{given} (uid {number})"


def _by_name(entries: Mapping[str, FileEntry], commands: frozenset[str]) -> Iterator[Finding]:
    programs, files = _name_indexes()
    rules = surface_rules()
    for path, entry in entries.items():
        folder, _, name = path.rpartition("/")
        ranks: dict[int, str] = {}
        if entry.type in _FILES and (entry.size_bytes or entry.type == "hard link"):
            ranks = {rank: docker_size(entry.size_bytes) for rank, _ in files.look_up(name)}
        if folder in commands and (target := _command(path, entries)):
            detail = "" if target == path else f"link to {target}"
            ranks |= {rank: detail for rank, _ in programs.look_up(name)}
            if posixpath.basename(target) not in _document()["many_in_one"]:
                ranks |= {rank: detail for rank, _ in programs.look_up(posixpath.basename(target))}
        for rank, detail in ranks.items():
            if not _is_excepted(rules[rank], path):
                yield Finding(rules[rank].what, path, detail)


def _command(path: str, entries: Mapping[str, FileEntry]) -> str:
    """Return the path of the executable that a path leads to; ``""`` where it leads to none."""
    target = _resolve(path, entries)
    if target is None or target.type not in _FILES:
        return ""
    first = entries.get(target.link_target, target) if target.type == "hard link" else target
    return first.path if (target.mode | first.mode) & _EXECUTABLE else ""


def _by_rights(entries: Mapping[str, FileEntry]) -> Iterator[Finding]:
    whats = {rule.permission: rule.what for rule in surface_rules()}
    for path, entry in entries.items():
        mode = entry.mode
        if entry.type in _FILES and mode & (_SETUID | _SETGID) and mode & _EXECUTABLE:
            owner = "root" if entry.uid == 0 else f"uid {entry.uid}"
            group = "root" if entry.gid == 0 else f"gid {entry.gid}"
            rights = [f"user {owner}" if mode & _SETUID else "", f"group {group}" if mode & _SETGID else ""]
            yield Finding(whats["setuid"], path, "runs as " + " and ".join(filter(None, rights)))
        if not mode & _WRITABLE:
            continue
        if entry.type in _FILES:
            yield Finding(whats["writable"], path, f"file, mode {mode:04o}")
        elif entry.type == "directory" and not mode & _STICKY:
            yield Finding(whats["writable"], path, f"folder, mode {mode:04o}")


def _folders(entries: Iterable[str]) -> Iterator[Finding]:
    rules = [(rule, f"/{rule.folder}/") for rule in surface_rules() if rule.folder]
    for path in entries:
        for rule, inside in rules:
            before, found, _ = path.partition(inside)
            if found and not _is_excepted(rule, path):
                yield Finding(rule.what, f"{before}/{rule.folder}")


def _command_folders(saved: SavedImage, entries: Mapping[str, FileEntry]) -> frozenset[str]:
    """Return the folders that commands are found in: the usual ones, and the image's own PATH, through links."""
    environment = (saved.config.get("config") or {}).get("Env") or []
    path = next((str(one)[5:] for one in environment if str(one).startswith("PATH=")), "")
    named = {*_document()["program_folders"], *(posixpath.normpath(one) for one in path.split(":") if one[:1] == "/")}
    resolved = (_resolve(one, entries) for one in named)
    return frozenset({*named, *(one.path for one in resolved if one is not None)})


def _resolve(path: str, entries: Mapping[str, FileEntry]) -> FileEntry | None:
    """Return what a path leads to through the links in it; None where that is not in the image.

    Folders that have no entry of their own are passed through.
    """
    waiting = [part for part in reversed(path.split("/")) if part]
    place = ""
    links = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            place = place.rpartition("/")[0]
            continue
        place = f"{place}/{part}"
        entry = entries.get(place)
        if entry is not None and entry.type == "symlink":
            links += 1
            if links > _MOST_LINKS:
                return None
            place = "" if entry.link_target.startswith("/") else place.rpartition("/")[0]
            waiting += [part for part in reversed(entry.link_target.split("/")) if part not in {"", "."}]
    return entries.get(place)


def _is_excepted(rule: SurfaceRule, path: str) -> bool:
    return rule.excepted is not None and rule.excepted.match(path) is not None


def _name_indexes() -> tuple[NameIndex, NameIndex]:
    programs, files = NameIndex(), NameIndex()
    for rank, rule in enumerate(surface_rules()):
        for index, names in ((programs, rule.programs), (files, rule.files)):
            for name in names:
                index.add(name, rank, None)
    return programs, files


@functools.cache
def _document() -> dict[str, Any]:
    text = resources.files("dmhelpers.measure").joinpath("surface.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _rule(raw: Mapping[str, Any]) -> SurfaceRule:
    excepted: Sequence[str] = raw.get("except", ())
    return SurfaceRule(
        what=raw["what"],
        why=raw["why"],
        programs=tuple(raw.get("programs", ())),
        files=tuple(raw.get("files", ())),
        excepted=re.compile("|".join(translate(one) for one in excepted)) if excepted else None,
        permission=raw.get("permission", ""),
        folder=raw.get("folder", ""),
    )
