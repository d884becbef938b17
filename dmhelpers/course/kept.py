"""Plain JSON files of the workspace that several notebooks write to, and that nobody's notes are lost from."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dmhelpers.course.samples import workspace_folder
from dmhelpers.engine.recorded import marks

_LOCK_WAIT_S = 5.0
_LOCK_AGE_S = 10.0


def file(name: str) -> Path:
    """Return where the workspace's file of that name is; it need not exist yet.

    In recorded mode it is another one: what was only read is not among what was done.
    """
    return workspace_folder() / (f"recorded-{name}" if marks.sentence() else name)


def is_object(value: Any) -> bool:
    """Say whether the content of a file is a JSON object."""
    return isinstance(value, dict)


@contextmanager
def exclusively(path: Path, readable_as: Callable[[Any], bool] = is_object) -> Iterator[None]:
    """Keep other processes from the file; one whose content is not `readable_as` it should be is put aside first.

    Raises:
        OSError: The folder cannot be written to, or the file cannot be read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(path):
        _keep_unreadable(path, readable_as)
        yield


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep other notebooks from writing at the same time; a lock that a killed process left is taken over."""
    lock = path.with_suffix(".lock")
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            with suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > _LOCK_AGE_S:
                    lock.unlink()
            if time.monotonic() > deadline:
                break  # progress is worth less than the learner's time
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _keep_unreadable(path: Path, readable_as: Callable[[Any], bool]) -> None:
    """Put a file that is no longer what it was aside, so that nobody's notes are overwritten."""
    if not path.is_file():
        return
    try:
        readable = readable_as(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, RecursionError):
        readable = False
    if not readable:
        path.replace(path.with_name(f"{path.stem}-unreadable-{time.time_ns()}{path.suffix}"))


def write(path: Path, content: dict[str, Any]) -> None:
    """Write the content in the file's place, whole or not at all.

    Raises:
        OSError: The folder cannot be written to.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=2, sort_keys=True, ensure_ascii=False)
            stream.write("\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
