"""The packages in an image, by what their own managers wrote down: npm, dpkg, apk, Python, and Go in its programs.

Nothing is guessed from names of files: what no database lists is not here. A database that is damaged gives what
can be read of it, for the image may be anybody's.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dmhelpers.measure.entries import FileEntry, SavedImage
from dmhelpers.measure.go_buildinfo import read_modules
from dmhelpers.measure.saved import final_files
from dmhelpers.measure.wanted import ELF, GO_BUILD_INFO

Manager = Literal["npm", "dpkg", "apk", "python", "go"]

_HIDDEN_LOCK = "/node_modules/.package-lock.json"
_DPKG_STATUS = "/var/lib/dpkg/status"
_DPKG_FOLDER = "/var/lib/dpkg/status.d/"
_APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")

PACKAGE_FILES = (
    f"*{_HIDDEN_LOCK}",
    "*/node_modules/*/package.json",
    _DPKG_STATUS,
    f"{_DPKG_FOLDER}*",
    *_APK,
    "*.dist-info/METADATA",
    "*.egg-info/PKG-INFO",
    GO_BUILD_INFO,
)
"""Patterns of the files whose content `packages_of` needs, and the notes in programs that Go made."""


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package.

    `path` is where it stands (npm, Python: its folder; Go: the program that it is part of) or, for dpkg and apk,
    the database that lists it. `dev` is npm's own mark. `size_bytes` is what dpkg and apk say that it takes when
    installed, None where the manager does not say.
    """

    name: str
    version: str
    manager: Manager
    path: str
    dev: bool = False
    size_bytes: int | None = None


def packages_of(saved: SavedImage) -> tuple[Package, ...]:
    """Return the packages in the final filesystem, sorted by manager, name, version and path.

    Args:
        saved: The image, read with `PACKAGE_FILES` kept.
    """
    kept = {entry.path: entry for entry in final_files(saved) if entry.content is not None}
    found: set[Package] = set(_npm(kept))
    for path, entry in kept.items():
        reader = _reader(path, entry)
        if reader is not None:
            found.update(reader(entry.content or b"", path))
    return tuple(sorted(found, key=lambda one: (one.manager, one.name, one.version, one.path)))


def read_dpkg(content: bytes, path: str) -> Iterator[Package]:
    """Give the installed packages of a dpkg status file, or of one file in distroless images' status.d.

    Args:
        content: The file.
        path: Where it stands in the image.
    """
    for fields in _paragraphs(content):
        state = fields.get("Status", "install ok installed").split()
        if fields.get("Package") and state[-1:] == ["installed"]:
            size = _whole(fields.get("Installed-Size"))
            size_bytes = None if size is None else size * 1024
            yield Package(fields["Package"], fields.get("Version", ""), "dpkg", path, size_bytes=size_bytes)


def read_apk(content: bytes, path: str) -> Iterator[Package]:
    """Give the packages of apk's database of what is installed.

    Args:
        content: The file.
        path: Where it stands in the image.
    """
    for fields in _paragraphs(content):
        if fields.get("P"):
            yield Package(fields["P"], fields.get("V", ""), "apk", path, size_bytes=_whole(fields.get("I")))


def read_python(content: bytes, path: str) -> Iterator[Package]:
    """Give the package that a METADATA or PKG-INFO file describes.

    Args:
        content: The file.
        path: Where it stands in the image.
    """
    fields = next(_paragraphs(content), {})
    if fields.get("Name"):
        yield Package(fields["Name"], fields.get("Version", ""), "python", posixpath.dirname(path))


def read_npm_lock(content: bytes, path: str) -> Iterator[Package]:
    """Give the packages of npm's record of what it installed into a node_modules folder.

    Args:
        content: The file `.package-lock.json`.
        path: Where it stands in the image.
    """
    root = path.removesuffix(_HIDDEN_LOCK)
    packages = _json_object(content).get("packages")
    for place, package in (packages if isinstance(packages, dict) else {}).items():
        if isinstance(package, dict) and "node_modules/" in place and not package.get("link"):
            name = _text(package.get("name")) or place.rpartition("node_modules/")[2]
            dev = package.get("dev") is True
            yield Package(name, _text(package.get("version")), "npm", f"{root}/{place}", dev=dev)


def read_npm_package(content: bytes, path: str) -> Iterator[Package]:
    """Give the package that a package.json below node_modules describes.

    Args:
        content: The file.
        path: Where it stands in the image.
    """
    folder = posixpath.dirname(path)
    package = _json_object(content)
    if package:
        name = _text(package.get("name")) or folder.rpartition("/node_modules/")[2]
        yield Package(name, _text(package.get("version")), "npm", folder)


def read_go(content: bytes, path: str) -> Iterator[Package]:
    """Give Go itself, as ``stdlib``, and the modules of a Go program.

    Args:
        content: The program, or what of it begins with its build information.
        path: Where it stands in the image.
    """
    return (Package(name, version, "go", path) for name, version in read_modules(content))


def _npm(kept: Mapping[str, FileEntry]) -> Iterator[Package]:
    """Give npm's packages: by its record where there is one that can be read, else by the package.json of each."""
    records = {path: tuple(read_npm_lock(_content(kept, path), path)) for path in kept if path.endswith(_HIDDEN_LOCK)}
    recorded = {path.removesuffix(".package-lock.json") for path, packages in records.items() if packages}
    for packages in records.values():
        yield from packages
    for path in kept:
        if _is_package_json(path) and not any(folder in recorded for folder in _node_modules_above(path)):
            yield from read_npm_package(_content(kept, path), path)


def _content(kept: Mapping[str, FileEntry], path: str) -> bytes:
    return kept[path].content or b""


def _is_package_json(path: str) -> bool:
    """Tell a package's own package.json from others below its folder."""
    _, inside, rest = path.rpartition("/node_modules/")
    parts = rest.split("/")
    return bool(inside) and parts[-1] == "package.json" and len(parts) == (3 if rest.startswith("@") else 2)


def _node_modules_above(path: str) -> Iterator[str]:
    parts = path.split("/node_modules/")
    return ("/node_modules/".join(parts[:count]) + "/node_modules/" for count in range(1, len(parts)))


def _reader(path: str, entry: FileEntry) -> Callable[[bytes, str], Iterable[Package]] | None:
    if path == _DPKG_STATUS or (path.startswith(_DPKG_FOLDER) and not path.endswith(".md5sums")):
        return read_dpkg
    if path in _APK:
        return read_apk
    if path.endswith((".dist-info/METADATA", ".egg-info/PKG-INFO")):
        return read_python
    return read_go if entry.head == ELF and entry.type in {"file", "hard link"} else None


def _paragraphs(content: bytes) -> Iterator[dict[str, str]]:
    """Give the groups of `Name: value` lines that empty lines part; of a name that comes twice, the first.

    Lines that continue a value are passed over: no field that is read here has any.
    """
    fields: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").split("\n"):
        text = line.rstrip("\r")
        if not text:
            if fields:
                yield fields
            fields = {}
        elif not text[0].isspace() and ":" in text:
            name, _, value = text.partition(":")
            fields.setdefault(name, value.strip())
    if fields:
        yield fields


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
