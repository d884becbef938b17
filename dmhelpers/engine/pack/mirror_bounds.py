"""What strangers can take of a mirror: how many connections, how long a request, how many descriptions at once."""

from __future__ import annotations

import gzip
import http.client
import io
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dmhelpers.engine.pack.npm import ORIGIN

CONNECTIONS = 512
REQUEST_BYTES = 16 * 1024
"""The longest request line with all its headers."""

_GZIP_LEVEL = 4
_NAMES_KEPT = 4
_STRANGE_AT_ONCE = 8
_STRANGE_WAIT_S = 20.0
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,249})(:[0-9]{1,5})?")
_LONGEST_HOST = 255


def is_host(text: str) -> bool:
    """Say whether a `Host` header is a host's name or address, with or without a port."""
    return len(text) <= _LONGEST_HOST and _HOST.fullmatch(text) is not None


class Places:
    """The places for connections. One address has at most as many as are left free: so the next one finds some."""

    def __init__(self, most: int = CONNECTIONS) -> None:
        self._most, self._total = most, 0
        self._taken, self._lock = Counter[str](), threading.Lock()

    def take(self, address: str) -> bool:
        """Take a place for a connection from an address, and say whether there was one."""
        with self._lock:
            if self._taken[address] >= self._most - self._total:
                return False
            self._taken[address] += 1
            self._total += 1
            return True

    def leave(self, address: str) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[address] -= 1
            self._total -= 1
            if not self._taken[address]:
                del self._taken[address]

    @property
    def are_few(self) -> bool:
        """Whether half of the places are taken: a connection is then not kept when its answer is given."""
        return self._total * 2 > self._most


class BoundedReader(io.BufferedReader):
    """A connection's requests, each of at most `REQUEST_BYTES`; set `left` before each."""

    left = REQUEST_BYTES

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return a line.

        Raises:
            http.client.LineTooLong: The request is longer.
        """
        most = self.left + 1
        line = super().readline(most if size is None or size < 0 else min(size, most))
        self.left -= len(line)
        if self.left < 0:
            raise http.client.LineTooLong("request")
        return line


class Descriptions:
    """npm's descriptions, with the address that was asked in them; packed, they are a tenth of their size.

    Those for an address of this machine are packed once and kept. Those for other names, which anybody can invent,
    are kept for four names at a time, and few are made and sent at once.
    """

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, bytes]] = {}
        self._own: dict[tuple[str, str], bytes] = {}
        self._own_lock, self._lock = threading.Lock(), threading.Lock()
        self._strange = threading.BoundedSemaphore(_STRANGE_AT_ONCE)

    @contextmanager
    def opened(self, file: Path, host: str, *, own: bool, packed: bool) -> Iterator[bytes | None]:
        """Give a description while it is sent; None if too many others are sent at this moment.

        Args:
            file: The description.
            host: The address that its tarballs get.
            own: Whether that is an address of this machine, at which the mirror listens.
            packed: Whether it is wanted packed.
        """
        if own and packed:
            yield self._of_own(file, host)
            return
        if not self._strange.acquire(timeout=_STRANGE_WAIT_S):
            yield None
            return
        try:
            yield self._of_stranger(file, host) if packed else _moved(file, host)
        finally:
            self._strange.release()

    def _of_own(self, file: Path, host: str) -> bytes:
        key = (host, file.name)
        if (found := self._own.get(key)) is not None:
            return found
        with self._own_lock:
            if key not in self._own:
                self._own[key] = _packed(file, host)
            return self._own[key]

    def _of_stranger(self, file: Path, host: str) -> bytes:
        with self._lock:
            kept = self._kept[host] = self._kept.pop(host, {})  # the last that was asked for goes last
            if file.name not in kept:
                kept[file.name] = _packed(file, host)
            while len(self._kept) > _NAMES_KEPT:
                del self._kept[next(iter(self._kept))]
            return kept[file.name]


def _moved(file: Path, host: str) -> bytes:
    return file.read_bytes().replace(ORIGIN.encode(), f"http://{host}".encode())


def _packed(file: Path, host: str) -> bytes:
    return gzip.compress(_moved(file, host), _GZIP_LEVEL, mtime=0)
