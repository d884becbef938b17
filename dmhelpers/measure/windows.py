"""A byte stream that is looked at as it passes: headers are taken out, everything else goes by without a copy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from dmhelpers.measure.tar_headers import Damaged

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ReadInto = Callable[[memoryview], int]
BUFFER_BYTES = 1 << 19


class Window:
    """A stream with a buffer of fixed size, read from front to back.

    Args:
        readinto: Fills a buffer as far as it can and returns how much; 0 at the end.
    """

    def __init__(self, readinto: ReadInto) -> None:
        self._readinto = readinto
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._read = 0

    @property
    def position(self) -> int:
        """How many bytes were taken or passed over."""
        return self._read - (self._end - self._start)

    def peek(self, count: int) -> bytes:
        """Return the next bytes without taking them; fewer at the end of the stream."""
        while self._end - self._start < count and self._fill():
            pass
        return bytes(self._view[self._start : min(self._end, self._start + count)])

    def buffered(self) -> tuple[bytearray, int, int]:
        """Return the buffer, and from where to where it holds what comes next; `skip` says what was used of it."""
        return self._buffer, self._start, self._end

    def top_up(self) -> None:
        """Read on until the buffer is full, or the stream at its end."""
        while self._fill():
            pass

    def take(self, count: int) -> bytes:
        """Return exactly the next `count` bytes.

        Raises:
            Damaged: The stream ends before.
        """
        start = self._start
        if self._end - start >= count:
            self._start = start + count
            return bytes(self._view[start : start + count])
        if count <= len(self._buffer):
            found = self.peek(count)
            self._start += len(found)
        else:
            found = self._gather(count)
        if len(found) < count:
            raise Damaged("it ends in the middle")
        return found

    def skip(self, count: int) -> None:
        """Pass over exactly `count` bytes.

        Raises:
            Damaged: The stream ends before.
        """
        left = count - (self._end - self._start)
        if left <= 0:
            self._start += count
            return
        self._start = self._end = 0
        while left > 0:
            got = self._readinto(self._view)
            if got == 0:
                raise Damaged("it ends in the middle")
            self._read += got
            left -= got
        self._start, self._end = got + left, got

    def readinto(self, view: memoryview) -> int:
        """Fill a buffer with what comes next, as far as it is at hand; 0 at the end."""
        if self._start == self._end and not self._fill():
            return 0
        count = min(len(view), self._end - self._start)
        view[:count] = self._view[self._start : self._start + count]
        self._start += count
        return count

    def _gather(self, count: int) -> bytes:
        parts = bytearray(count)
        view, at = memoryview(parts), 0
        while at < count and (got := self.readinto(view[at:])):
            at += got
        return bytes(view[:at])

    def _fill(self) -> bool:
        """Read on behind what is there, which moves to the front first; False at the end or where it is full."""
        if self._start:
            rest = self._end - self._start
            self._buffer[:rest] = self._buffer[self._start : self._end]
            self._start, self._end = 0, rest
        got = self._readinto(self._view[self._end :]) if self._end < len(self._buffer) else 0
        self._end += got
        self._read += got
        return got > 0


class Part:
    """The next `size_bytes` of a window, as a stream of its own, whose SHA-256 is taken where that is asked for."""

    def __init__(self, window: Window, size_bytes: int, *, hashed: bool) -> None:
        self._window = window
        self._left = size_bytes
        self._hash = hashlib.sha256() if hashed else None

    def readinto(self, view: memoryview) -> int:
        """Fill a buffer; 0 at the end of the part.

        Raises:
            Damaged: The window ends within the part.
        """
        if self._left == 0:
            return 0
        got = self._window.readinto(view[: self._left] if len(view) > self._left else view)
        if got == 0:
            raise Damaged("it ends in the middle")
        self._left -= got
        if self._hash is not None:
            self._hash.update(view[:got])
        return got

    def finish(self) -> str:
        """Pass over what is left and return the digest of all of it, ``"sha256:…"``; ``""`` where none was taken."""
        if self._hash is None:
            self._window.skip(self._left)
            self._left = 0
            return ""
        view = memoryview(bytearray(BUFFER_BYTES))
        while self.readinto(view):
            pass
        return f"sha256:{self._hash.hexdigest()}"


class Hashed:
    """A stream whose SHA-256 is taken as it passes."""

    def __init__(self, readinto: ReadInto) -> None:
        self._readinto = readinto
        self._hash = hashlib.sha256()

    def readinto(self, view: memoryview) -> int:
        """Fill a buffer; 0 at the end."""
        got = self._readinto(view)
        self._hash.update(view[:got])
        return got

    def finish(self) -> str:
        """Read to the end and return the digest of everything, ``"sha256:…"``."""
        view = memoryview(bytearray(BUFFER_BYTES))
        while self.readinto(view):
            pass
        return f"sha256:{self._hash.hexdigest()}"


class AsFile:
    """What the unpackers of the standard library and zstandard read from."""

    def __init__(self, readinto: ReadInto) -> None:
        self._readinto = readinto

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, fewer at the end; all of them for -1."""
        if size < 0:
            return b"".join(iter(lambda: self.read(BUFFER_BYTES), b""))
        buffer = bytearray(size)
        return bytes(buffer[: self._readinto(memoryview(buffer))])


def filler(readinto: Callable[[WriteableBuffer], int | None]) -> ReadInto:
    """Return a file's own `readinto` as one that never returns None."""
    return lambda view: readinto(view) or 0
