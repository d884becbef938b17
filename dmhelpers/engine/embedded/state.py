"""What the course remembers of the engine that it started, and how it tells that process from others."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from dmhelpers.engine.places import state_folder

StoreChoice = Literal["default", "overlay2", "containerd"]
"""The image store asked for; ``"default"`` is whatever this engine chooses by itself."""


@dataclass(frozen=True, slots=True)
class StartedEngine:
    """An engine that the course started.

    `pid` and `start_ticks` name the process for as long as the machine runs: a process ID comes
    back, the pair does not. Under systemd they are those of the service's main process.
    """

    how: Literal["process", "systemd"]
    pid: int
    start_ticks: int
    image_store: StoreChoice
    data_root: str
    log: str


def state_file() -> Path:
    """Return where the started engine is written down."""
    return state_folder() / "engine.json"


def remember(engine: StartedEngine) -> None:
    """Write the engine down, replacing what stood there."""
    path = state_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.tmp")
    fresh.write_text(json.dumps(asdict(engine), indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)


def recall() -> StartedEngine | None:
    """Return the engine that the course started, if that very process still runs; strike out one that does not."""
    try:
        engine = StartedEngine(**json.loads(state_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    if runs(engine.pid, engine.start_ticks):
        return engine
    forget()
    return None


def forget() -> None:
    """Strike the engine out."""
    state_file().unlink(missing_ok=True)


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None where it is gone or a zombie."""
    try:
        # The name, in brackets, may hold spaces and brackets itself: what follows the last one is fixed.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def runs(pid: int, ticks: int) -> bool:
    """Tell whether the process that started at `ticks` still runs under that ID."""
    return start_ticks(pid) == ticks


def process_name(pid: int) -> str:
    """Return a process's short name, ``""`` where it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def end(pid: int, ticks: int, *, grace_s: float = 30.0) -> bool:
    """Ask a process to stop, wait, and kill it after the grace time.

    Args:
        pid: Its ID.
        ticks: When it started; a process of another time under the same ID is left alone.
        grace_s: Seconds between asking and killing.

    Returns:
        Whether it is gone.
    """
    for number, limit_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 60.0)):
        if not runs(pid, ticks):
            break
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + limit_s
        while runs(pid, ticks) and time.monotonic() < deadline:
            time.sleep(0.05)
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return not runs(pid, ticks)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the lock under which engines are started and stopped; a second caller waits for the first."""
    import fcntl

    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
