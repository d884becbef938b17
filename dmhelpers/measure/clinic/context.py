"""The build context: the files that a build of a folder can reach, after .dockerignore, read in one walk."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from dmhelpers.errors import ProjectNotFound
from dmhelpers.measure.clinic.ignore import Ignore, State, read_ignore

_AFTER_SLASH = chr(ord("/") + 1)
_READ_BYTES = 64_000


@dataclass(frozen=True)
class BuildContext:
    """The files of a build context, sorted by path.

    `paths` holds each file's path from the root, with slashes; `sizes` its bytes (a symlink counts its own, it is
    never followed). `unreadable` names folders that could not be looked into.
    """

    folder: Path
    ignore_file: str | None
    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    unreadable: tuple[str, ...] = ()
    _sums: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sums", [0, *accumulate(self.sizes)])

    @property
    def size_bytes(self) -> int:
        """The bytes of all files."""
        return self._sums[-1]

    def span(self, path: str) -> range:
        """Return which of the files are that path or stand under it; all for ``""``."""
        if not path:
            return range(len(self.paths))
        at = bisect.bisect_left(self.paths, path)
        if at < len(self.paths) and self.paths[at] == path:
            return range(at, at + 1)
        begin = bisect.bisect_left(self.paths, f"{path}/")
        return range(begin, bisect.bisect_left(self.paths, path + _AFTER_SLASH))

    def bytes_under(self, path: str) -> int:
        """Return the bytes of that file, or of all files under that folder."""
        found = self.span(path)
        return self._sums[found.stop] - self._sums[found.start] if found else 0

    def has_file(self, path: str) -> bool:
        """Return whether that path is a file of the context."""
        found = self.span(path)
        return len(found) == 1 and self.paths[found.start] == path

    def read(self, path: str) -> str:
        """Return the beginning of a file as text; ``""`` where it is no plain file of the context."""
        if not self.has_file(path):
            return ""
        try:
            whole = self.folder / path
            if whole.is_symlink() or not whole.is_file():
                return ""
            with whole.open("rb") as file:
                return file.read(_READ_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def largest(self, count: int = 5) -> tuple[tuple[str, int], ...]:
        """Return the largest folders and files of the root, each with its bytes, the largest first."""
        totals: dict[str, int] = {}
        for path, size in zip(self.paths, self.sizes, strict=True):
            top, slash, _ = path.partition("/")
            name = top + slash
            totals[name] = totals.get(name, 0) + size
        return tuple(sorted(totals.items(), key=lambda one: (-one[1], one[0]))[:count])


def read_context(folder: Path, file: str) -> BuildContext:
    """Read the build context of a folder.

    Args:
        folder: The context.
        file: The Dockerfile, relative to it; its own .dockerignore goes before the folder's.

    Raises:
        ProjectNotFound: The folder cannot be read.
        DockerfileError: The .dockerignore cannot be read.
    """
    ignore, name = read_ignore(folder, file)
    unreadable: list[str] = []
    found = sorted(_walk(folder, ignore, unreadable))
    return BuildContext(
        folder=folder,
        ignore_file=name,
        paths=tuple(path for path, _ in found),
        sizes=tuple(size for _, size in found),
        unreadable=tuple(sorted(unreadable)),
    )


def _walk(folder: Path, ignore: Ignore, unreadable: list[str]) -> Iterator[tuple[str, int]]:
    waiting: list[tuple[str, State]] = [("", ignore.start)]
    while waiting:
        inside, state = waiting.pop()
        try:
            entries = list(os.scandir(folder / inside if inside else folder))
        except OSError as error:
            if not inside:
                raise ProjectNotFound(
                    f"The folder {str(folder)!r} cannot be read: {error.strerror}.",
                    hint="Give a folder that you may read.",
                ) from error
            unreadable.append(inside)
            continue
        for entry in entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            out, own = ignore.look(path, state) if state else (False, state)
            if entry.is_dir(follow_symlinks=False):
                if not out or ignore.may_bring_back(path):
                    waiting.append((path, own))
            elif not out and (size := _size(entry)) is not None:
                yield path, size


def _size(entry: os.DirEntry[str]) -> int | None:
    """Return a file's or a symlink's bytes; None for what no build sends, or what is gone."""
    try:
        if entry.is_symlink() or entry.is_file(follow_symlinks=False):
            return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return None
    return None
