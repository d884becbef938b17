"""npm's packages in a pack: everything that a lockfile of the samples names, fetched by npm itself in a base image.

The registry's own answers are kept as they came, not shortened: npm stores them in its download cache, and the
course weighs that cache. Only the address in them is replaced, by `ORIGIN`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from dmhelpers.engine.bases.records import BaseImage
from dmhelpers.engine.pack.archive import Progress
from dmhelpers.engine.pack.fetching import fetched
from dmhelpers.errors import PackError

ORIGIN = "http://the-pack.invalid"
"""Stands in packuments where the mirror's address will be."""

PACKUMENTS = "npm/packuments"
TARBALLS = "npm/tarballs"

_CACHE = "/root/.npm/_cacache"
_REQUEST = "make-fetch-happen:request-cache:"
_TARBALL = re.compile(rb'("tarball"\s*:\s*")[^"]*/([^"/]*)(?=")')
_TAGS = re.compile(rb'"dist-tags"\s*:\s*\{[^{}]*\}')
_LATEST = re.compile(rb'("latest"\s*:\s*")[^"]*')
_ENVIRONMENT = {"HOME": "/root", "NPM_CONFIG_CACHE": "/root/.npm", "NPM_CONFIG_UPDATE_NOTIFIER": "false"}
_AT_ONCE = 40
"""Packages that npm is asked for in one command: all at once would open a connection for each."""


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One package of a lockfile; `integrity` reads ``sha512-…``."""

    name: str
    version: str
    integrity: str


def packages(lockfiles: Iterable[Path]) -> tuple[Package, ...]:
    """Return every package that these lockfiles name, for any platform, sorted.

    Raises:
        PackError: A lockfile cannot be read, is older than npm 7's, or a package in it has no SHA-512.
    """
    found: set[Package] = set()
    for file in lockfiles:
        try:
            listed = json.loads(file.read_text(encoding="utf-8"))["packages"]
        except (OSError, ValueError, KeyError) as error:
            raise PackError(
                f"{str(file)!r} is no lockfile of npm 7 or newer.",
                hint="Make it anew: npm install --package-lock-only",
            ) from error
        found |= {_package(file, path, one) for path, one in listed.items() if path and not one.get("link")}
    return tuple(sorted(found))


def _package(file: Path, path: str, raw: Mapping[str, Any]) -> Package:
    name = raw.get("name") or path.rpartition("node_modules/")[2]
    integrity = next((one for one in str(raw.get("integrity", "")).split() if one.startswith("sha512-")), "")
    if not integrity:
        raise PackError(
            f"{name} in {str(file)!r} has no SHA-512, so it cannot be packed.",
            hint="Make the lockfile anew: npm install --package-lock-only",
        )
    return Package(name, str(raw["version"]), integrity)


def collect(wanted: tuple[Package, ...], base: BaseImage, work: Path, *, progress: Progress) -> dict[str, Path]:
    """Let npm download packages in a container, and take them out of its cache, each checked by its SHA-512.

    Args:
        wanted: The packages.
        base: A base image with npm, on the engine.
        work: An empty folder for the files.
        progress: Told before it starts.

    Returns:
        The files by their path in the pack.

    Raises:
        PackError: npm could not get one of them.
    """
    if not wanted:
        return {}
    progress(f"Downloading {len(wanted)} npm packages in {base.name}")
    with fetched(base, _script(wanted), _CACHE, environment=_ENVIRONMENT) as tar:
        contents, index = _read_cache(tar, work / "contents")
    return _collected(wanted, contents, index, work)


def _script(wanted: tuple[Package, ...]) -> str:
    named = sorted({f"{one.name}@{one.version}" for one in wanted})
    groups = [named[begin : begin + _AT_ONCE] for begin in range(0, len(named), _AT_ONCE)]
    return " && ".join(f"npm cache add {' '.join(group)}" for group in groups)


def _read_cache(tar: tarfile.TarFile, contents: Path) -> tuple[Path, list[str]]:
    contents.mkdir()
    index = []
    for info in tar:
        source = tar.extractfile(info) if info.isreg() else None
        if source is not None and "/content-v2/sha512/" in info.name:
            _keep(source, contents)
        elif source is not None and "/index-v5/" in info.name:
            index.append(source.read().decode("utf-8", "replace"))
    return contents, index


def _keep(source: IO[bytes], folder: Path) -> None:
    content = source.read()
    (folder / hashlib.sha512(content).hexdigest()).write_bytes(content)


def _file(folder: Path, integrity: str) -> Path:
    return folder / base64.b64decode(integrity.removeprefix("sha512-")).hex()


def _collected(wanted: tuple[Package, ...], contents: Path, index: Iterable[str], work: Path) -> dict[str, Path]:
    kept = dict(_answers(index))
    files: dict[str, Path] = {}
    for name in sorted({one.name for one in wanted}):
        if quoted(name) not in kept:
            raise PackError(f"npm kept no description of {name}.", hint="Make the pack again.")
        raw = _file(contents, kept[quoted(name)]).read_bytes()
        versions = json.loads(raw)["versions"]
        mine = [one for one in wanted if one.name == name]
        for one in mine:
            tarball = versions[one.version]["dist"]["tarball"].rpartition("/")[2]
            files[f"{TARBALLS}/{name}/-/{tarball}"] = _tarball(one, contents)
        moved = _moved(raw, name, max((one.version for one in mine), key=_version_key))
        files[f"{PACKUMENTS}/{quoted(name)}.json.zst"] = _packed(moved, work / f"packument-{len(files)}")
    return files


def _tarball(package: Package, contents: Path) -> Path:
    file = _file(contents, package.integrity)
    if not file.is_file():
        raise PackError(
            f"What npm downloaded as {package.name} {package.version} is not what the lockfile names.",
            hint="See whether the registry has that version, and make the lockfile anew if it does not.",
        )
    return file


def _answers(index: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the quoted name and the integrity of each description that npm's cache index lists."""
    for text in index:
        for line in text.splitlines():
            _, tab, entry = line.partition("\t")
            found = json.loads(entry) if tab else {}
            key = str(found.get("key", ""))
            if key.startswith(_REQUEST) and found.get("integrity") and not key.endswith(".tgz"):
                address = key.removeprefix(_REQUEST).rstrip("/")
                yield address.rpartition("/")[2].replace("%2F", "%2f"), str(found["integrity"])


def _moved(raw: bytes, name: str, newest: str) -> bytes:
    """Return a description whose tarballs lie at `ORIGIN`, and whose newest version is one of the pack's."""
    place = f"{ORIGIN}/{name}/-/".encode()
    moved = _TARBALL.sub(lambda found: found[1] + place + found[2], raw)
    tags = _TAGS.search(moved)
    if tags is None:
        return moved
    latest = _LATEST.sub(lambda found: found[1] + newest.encode(), tags[0])
    return moved[: tags.start()] + latest + moved[tags.end() :]


def _version_key(version: str) -> tuple[list[int], bool]:
    core, dash, _ = version.partition("-")
    return [int(one) for one in core.split(".") if one.isdigit()], not dash


def _packed(raw: bytes, file: Path) -> Path:
    import zstandard

    file.write_bytes(zstandard.compress(raw, 10))
    return file


def quoted(name: str) -> str:
    """Return a package's name as npm asks a registry for it: ``@types/node`` is ``@types%2fnode``."""
    return quote(name, safe="@").replace("%2F", "%2f")
