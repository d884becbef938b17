"""A learner's folder as a tar, read as root though a learner made it: no link followed, nothing without a bound.

Each name is opened in its folder's descriptor, never by a path, and one folder is open at a time: none is too deep.
What costs a learner nothing is bounded by the size of their disk: the holes of files, the names of deep nesting, and
further names of one file. What does not fit is left out, and listed; a file without holes always fits, unless its
folders are so deep that no program could open it by its path.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dmhelpers.units import docker_size

Write = Callable[[bytes], object]

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""The errors of a disk that takes no more."""

_PATH_MAX = 4096
_BLOCK_BYTES = 1 << 20
_LEAST_BYTES_A_FILE = 4096  # ext4 makes one file for so many bytes at most, yet any number of names for it
_MOST_LISTED = 100
_CHANGED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class LeftOut:
    """What a tar has not, or not as it was: how many, and a line for each of the first hundred."""

    count: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, path: str, why: str) -> None:
        """Note one; its path is made safe to print, and short."""
        self.count += 1
        if self.count <= _MOST_LISTED:
            self.lines.append(f"{_shown(path)}: {why}")

    def __str__(self) -> str:
        more = f" and {self.count - 1} more" if self.count > 1 else ""
        return f"{self.lines[0]}{more}" if self.lines else "nothing"


def write_tree(write: Write, course: Path, login: str, disk_bytes: int) -> LeftOut:
    """Write a folder as a tar whose top folder is `login`, and `login`-left-out.txt beside it if not all is in it.

    Args:
        write: Takes the tar's bytes.
        course: The folder. If it is none, or a symbolic link, the tar has the list alone.
        login: Whose it is.
        disk_bytes: The size of their disk, which bounds what takes no room on it.

    Raises:
        OSError: Something could not be read, which is named, or `write` failed.
    """
    tree = _Tree(write, login, disk_bytes)
    try:
        top = os.open(course, _FOLDER)
    except OSError as error:
        if error.errno not in _CHANGED:
            raise OSError(error.errno, f"its folder `course`: {error.strerror}") from error
        tree.left_out.add(login, "there is no folder `course`")
    else:
        tree.walk(top)
    tree.finish()
    return tree.left_out


def _shown(path: str) -> str:
    """Return a path that a learner chose as it can be printed: no control characters, and not too long."""
    return repr(path if len(path) <= 200 else f"{path[:80]} ... {path[-100:]}")


@dataclass(slots=True, eq=False)
class _Folder:
    """A folder on the way from the top, and which of the folders in it are still to be written."""

    above: _Folder | None
    name: str
    identity: tuple[int, int]
    below: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        names, one = [self.name], self.above
        while one is not None:
            names.append(one.name)
            one = one.above
        return "/".join(reversed(names))


class _Tree:
    """A tar that is being written, and what is left of its bounds."""

    def __init__(self, write: Write, login: str, disk_bytes: int) -> None:
        self.left_out = LeftOut()
        self._write = write
        self._login = login
        self._spare_bytes = disk_bytes
        self._spare_names = disk_bytes // _LEAST_BYTES_A_FILE
        self._linked: dict[int, tuple[_Folder, str]] = {}
        self._at = login
        self._any_long = False

    def walk(self, top: int) -> None:
        """Write a folder, what is in it, then its folders, one descriptor open for them; closes the given one."""
        fd = top
        try:
            here = self._enter(None, self._login, fd)
            while here.below or here.above:
                down = here.below.pop() if here.below else None
                try:
                    there = os.open(down or "..", _FOLDER, dir_fd=fd)
                except OSError as error:
                    if down is None or error.errno not in _CHANGED:
                        raise
                    self.left_out.add(f"{here.path}/{down}", "gone while it was saved")
                    continue
                fd, before = there, fd
                os.close(before)
                here = self._enter(here, down, fd) if down else self._back(here, fd)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            raise OSError(error.errno, f"{_shown(self._at)}: {error.strerror or error}") from error
        finally:
            os.close(fd)

    def finish(self) -> None:
        """Write the list of what is left out, if there is one, and the tar's end."""
        if self.left_out.count:
            unlisted = self.left_out.count - len(self.left_out.lines)
            more = [f"and {unlisted} more"] if unlisted else []
            text = "\n".join(["Not in this archive, or not as it was:", *self.left_out.lines, *more, ""]).encode()
            info = tarfile.TarInfo(f"{self._login}-left-out.txt")
            info.size, info.mtime = len(text), int(time.time())
            self._put(info, io.BytesIO(text))
        self._write(bytes(2 * tarfile.BLOCKSIZE))

    def _enter(self, above: _Folder | None, name: str, fd: int) -> _Folder:
        found = os.fstat(fd)
        folder = _Folder(above, name, (found.st_dev, found.st_ino))
        self._at = path = folder.path
        self._put(_info(path, found, tarfile.DIRTYPE))
        with os.scandir(fd) as entries:  # as they come: a list of them could be larger than the memory
            for entry in entries:
                if not self._spare_names:
                    self.left_out.add(path, "what else is in it; there are more names than such a disk has files")
                    break
                self._spare_names -= 1
                self._add(folder, f"{path}/{entry.name}", entry.name, fd)
        return folder

    def _back(self, here: _Folder, fd: int) -> _Folder:
        found, above = os.fstat(fd), here.above
        if above is None or above.identity != (found.st_dev, found.st_ino):
            raise OSError(errno.EBUSY, "its folders were moved while it was saved")
        return above

    def _add(self, folder: _Folder, path: str, name: str, fd: int) -> None:
        self._at = path
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                if self._fits(path):
                    folder.below.append(name)
            elif stat.S_ISREG(found.st_mode):
                self._add_file(folder, path, name, fd)
            elif stat.S_ISLNK(found.st_mode):
                info = _info(path, found, tarfile.SYMTYPE)
                info.linkname = os.readlink(name, dir_fd=fd)
                if self._fits(path):
                    self._put(info)
            else:
                self.left_out.add(path, "a device, FIFO or socket")
        except OSError as error:
            if error.errno not in _CHANGED:
                raise
            self.left_out.add(path, "gone while it was saved")

    def _add_file(self, folder: _Folder, path: str, name: str, fd: int) -> None:
        with io.FileIO(name, opener=lambda one, _flags: os.open(one, _FILE, dir_fd=fd)) as file:
            found = os.fstat(file.fileno())
            first = self._linked.get(found.st_ino)
            if not stat.S_ISREG(found.st_mode):
                self.left_out.add(path, "gone while it was saved")
            elif first is not None:
                info = _info(path, found, tarfile.LNKTYPE)
                info.linkname = f"{first[0].path}/{first[1]}"
                if self._fits(path, link=info.linkname):
                    self._put(info)
            elif self._fits(path, holes_bytes=max(0, found.st_size - found.st_blocks * 512)):
                info = _info(path, found, tarfile.REGTYPE)
                info.size = found.st_size
                self._put(info, file)
                if found.st_nlink > 1:
                    self._linked[found.st_ino] = (folder, name)

    def _fits(self, path: str, *, holes_bytes: int = 0, link: str = "") -> bool:
        """Take what an entry needs beyond what it has on the disk; note it where there is no more to take."""
        needed = holes_bytes + _beyond(path) + _beyond(link)
        if needed > self._spare_bytes:
            holes = f"{docker_size(holes_bytes)} of it are holes, too much to fill with zeros"
            self.left_out.add(path, holes if holes_bytes else "too deep: the names of its folders outgrow the disk")
            return False
        self._spare_bytes -= needed
        if _beyond(path) and not self._any_long:
            self._any_long = True
            self.left_out.add(path, "kept, but its name is too long for most programs; `tar --transform` shortens it")
        return True

    def _put(self, info: tarfile.TarInfo, content: io.RawIOBase | io.BytesIO | None = None) -> None:
        """Write an entry: not by a `TarFile`, which would keep all of them in memory."""
        self._write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        left = info.size
        while content is not None and left:
            block = content.read(min(left, _BLOCK_BYTES))
            if not block:
                self.left_out.add(
                    info.name, f"grew shorter while it was saved; its last {docker_size(left)} are zeros"
                )
                content = _Zeros()
                continue
            self._write(block)
            left -= len(block)
        self._write(bytes(-info.size % tarfile.BLOCKSIZE))


class _Zeros(io.RawIOBase):
    """What stands for bytes that were there when a file's size was written down, and are no more."""

    def read(self, size: int = -1, /) -> bytes:
        return bytes(size)


def _info(path: str, found: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.mtime = kind, stat.S_IMODE(found.st_mode), found.st_mtime
    info.uid, info.gid = found.st_uid, found.st_gid
    return info


def _beyond(path: str) -> int:
    """Return the length of a path that no program can be given at once, so that only nesting makes it; else 0."""
    return len(path) if len(path) > _PATH_MAX else 0
