"""One process at a time: two notebooks that ask for the same base image assemble it once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dmhelpers.errors import BaseImageError

_WAIT_S = 900.0


@contextmanager
def only_one(path: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file at `path` inside the block.

    The operating system drops the lock when its process ends, however it ends: no stale lock remains.
    On Windows, where nothing can be assembled, the block runs without one.

    Args:
        path: The lock file; made where it is absent, never removed.
        waiting: Called once if another process holds the lock.

    Raises:
        BaseImageError: Another process held it for a quarter of an hour.
    """
    if os.name == "nt":
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        _wait_for(handle.fileno(), waiting)
        yield


def _wait_for(descriptor: int, waiting: Callable[[], None]) -> None:
    import fcntl

    limit = time.monotonic() + _WAIT_S
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                waiting()
                told = True
            if time.monotonic() > limit:
                raise BaseImageError(
                    "Another process has been preparing this base image for 15 minutes.",
                    hint="End that process, then try again.",
                ) from None
            time.sleep(0.2)
        else:
            return
