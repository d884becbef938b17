"""One layer as a tree of files, and the same tar archive for the same tree, byte for byte."""

from __future__ import annotations

import functools
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import IO, cast

from dmhelpers.errors import BaseImageError

_EXECUTABLE = 0o111


@dataclass(frozen=True, slots=True)
class Entry:
    """A file (`content` is set), a link (`link` is set) or a folder."""

    mode: int
    size_bytes: int = 0
    content: Callable[[], IO[bytes]] | None = None
    link: str = ""
    owner: int = 0


Tree = dict[str, Entry]
"""Absolute path in the image -> entry."""


def text_entry(text: bytes, mode: int = 0o644) -> Entry:
    """Return an entry that holds these bytes."""
    return Entry(mode, len(text), functools.partial(io.BytesIO, text))


def link_entry(target: str) -> Entry:
    """Return a symbolic link."""
    return Entry(0o777, link=target)


def folder_entry(mode: int = 0o755, owner: int = 0) -> Entry:
    """Return an empty folder."""
    return Entry(mode, owner=owner)


def read_wheel(archive: zipfile.ZipFile) -> Tree:
    """Return a wheel's files by their path in it; contents are read when the layer is written.

    Args:
        archive: The wheel; it must stay open until then.
    """
    return {
        one.filename: Entry(
            0o755 if (one.external_attr >> 16) & _EXECUTABLE else 0o644,
            one.file_size,
            functools.partial(archive.open, one.filename),
        )
        for one in archive.infolist()
        if not one.is_dir()
    }


def read_debian(archive: bytes) -> Tree:
    """Return a Debian package's files and links by their path in it.

    Args:
        archive: The tar archive of its contents, as `dpkg-deb --fsys-tarfile` gives it.
    """
    tree: Tree = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for one in tar:
            path = one.name.removeprefix("./")
            if one.isfile():
                content = cast(IO[bytes], tar.extractfile(one)).read()
                tree[path] = text_entry(content, 0o755 if one.mode & _EXECUTABLE else 0o644)
            elif one.issym():
                tree[path] = link_entry(one.linkname)
    return tree


def select(
    tree: Tree, origins: Iterable[str], to: str, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> Tree:
    """Return what a layer takes out of a source, at its place in the image.

    Args:
        tree: The source.
        origins: A file or folder in it; the first that exists is taken.
        to: The place of that file or folder in the image.
        include: Patterns for paths below the folder; empty takes all.
        exclude: Patterns for what is left out.

    Raises:
        BaseImageError: The source has none of the paths.
    """
    for origin in origins:
        if origin in tree and tree[origin].content is not None:
            return {to: tree[origin]}
        below = {path.removeprefix(f"{origin}/"): path for path in tree if path.startswith(f"{origin}/")}
        chosen = {
            f"{to}/{short}": tree[path]
            for short, path in below.items()
            if (not include or _matches(short, include)) and not _matches(short, exclude)
        }
        if chosen:
            return chosen
    raise BaseImageError(
        f"A package no longer has {' or '.join(origins)}, which the recipe takes to {to}.",
        hint="Use an older version of the package, or pull the base image from a registry.",
    )


def write_tar(tree: Tree, output: IO[bytes], *, mtime: int) -> None:
    """Write a layer: sorted paths, parents first, one time for all, no names of accounts.

    Args:
        tree: The layer.
        output: Where the archive goes.
        mtime: The time of every entry, in seconds since 1970.
    """
    whole = dict(tree)
    for path in tree:
        for parent in list(PurePosixPath(path).parents)[:-1]:
            whole.setdefault(str(parent), folder_entry())
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(whole):
            entry = whole[path]
            info = tarfile.TarInfo(path.lstrip("/"))
            info.mode, info.mtime = entry.mode, mtime
            info.uid = info.gid = entry.owner
            if entry.content is not None:
                info.size = entry.size_bytes
                with entry.content() as content:
                    tar.addfile(info, content)
            else:
                info.type = tarfile.SYMTYPE if entry.link else tarfile.DIRTYPE
                info.linkname = entry.link
                tar.addfile(info)


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
