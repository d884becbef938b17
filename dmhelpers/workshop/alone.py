"""One command at a time: a second `up` would take the first one's half-made workshop for an open one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dmhelpers.errors import InputError
from dmhelpers.workshop import settings


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Let no other command change the workshop of that name inside the block.

    The operating system drops the lock when its process ends, however it ends: no stale lock remains.

    Raises:
        InputError: Another command is at work on it.
    """
    import fcntl

    folder = settings.folder_of(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"Another `dmhelpers workshop` command is at work on the workshop {name!r}.",
                hint="Wait until it has ended, then run this again. Nothing was done.",
            ) from None
        yield
