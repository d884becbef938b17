"""A container in the foreground: attached before it starts, waited for, killed at its time limit."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from dmhelpers.engine import messages
from dmhelpers.engine.client import api, endpoint, engine_answers
from dmhelpers.errors import EngineRefused

OUTPUT_LIMIT_BYTES = 1_000_000
_DRAINED_WITHIN_S = 120.0
_NOT_STARTED = {
    "executable file not found": 127,
    "no such file or directory": 127,
    "permission denied": 126,
    "is a directory": 126,
}
_OF_THE_COMMAND = re.compile(r"\bexec:? \\?[\"'/]|executable file", re.IGNORECASE)
_OF_THE_RUNTIME = re.compile(r"OCI runtime|failed to create (?:shim )?task", re.IGNORECASE)


class Tail:
    """The end of a stream of bytes, bounded; what comes before it is dropped as it goes by."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._kept = bytearray()

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        self._kept += piece
        if len(self._kept) > 2 * OUTPUT_LIMIT_BYTES:
            del self._kept[:-OUTPUT_LIMIT_BYTES]

    def __str__(self) -> str:
        return bytes(self._kept[-OUTPUT_LIMIT_BYTES:]).decode("utf-8", "replace")


def text_of(pieces: Iterable[bytes]) -> str:
    """Return the end of what was printed, at most `OUTPUT_LIMIT_BYTES` of it, as text."""
    tail = Tail()
    for piece in pieces:
        tail.add(piece)
    return str(tail)


def start(container_id: str) -> None:
    """Start a container.

    Raises:
        EngineRefused: The engine would not.
    """
    with engine_answers():
        api().start(container_id)


def run_to_end(container_id: str, time_limit_s: float) -> tuple[int, str, str] | None:
    """Start a container that was created, and return its exit code, standard output and standard error.

    Its output comes from the engine as it is printed, as `docker run` takes it, and not from the engine's log file.

    Args:
        container_id: The container.
        time_limit_s: Seconds until it is killed; None is returned then.

    Raises:
        EngineRefused: It could not be started, for a reason that is not its command's.
        EngineUnavailable: The engine went away.
    """
    try:
        output = _start_attached(container_id)
    except EngineRefused as error:
        code = _exit_code_of(error.message)
        if code is None:
            raise
        return code, "", error.message
    exit_code = _wait(container_id, time_limit_s)
    return None if exit_code is None else (exit_code, *output.whole())


class _Output:
    """What a container prints, read while it runs: an engine holds back one whose output nobody takes."""

    def __init__(self, pieces: Iterator[tuple[bytes | None, bytes | None]]) -> None:
        self._stdout, self._stderr = Tail(), Tail()
        self._reader = threading.Thread(target=self._read, args=(pieces,), name="output", daemon=True)
        self._reader.start()

    def _read(self, pieces: Iterator[tuple[bytes | None, bytes | None]]) -> None:
        # Where the engine goes away the wait says so.
        with suppress(Exception):
            for stdout, stderr in pieces:
                self._stdout.add(stdout or b"")
                self._stderr.add(stderr or b"")

    def whole(self) -> tuple[str, str]:
        """Return standard output and standard error of a container that has ended."""
        self._reader.join(_DRAINED_WITHIN_S)
        return str(self._stdout), str(self._stderr)


def _start_attached(container_id: str) -> _Output:
    """Attach and start, and once more where the runtime failed at it: nothing of the command has run by then."""
    try:
        return _once(container_id)
    except EngineRefused as error:
        if _exit_code_of(error.message) is not None or not _OF_THE_RUNTIME.search(error.message):
            raise
        return _once(container_id)


def _once(container_id: str) -> _Output:
    # A start that fails ends what was attached before it.
    with engine_answers():
        pieces = api().attach(container_id, stdout=True, stderr=True, stream=True, demux=True)
    output = _Output(pieces)
    start(container_id)
    return output


def _exit_code_of(refusal: str) -> int | None:
    """Return what `docker run` ends with where the command is not there or cannot be executed; None for other faults.

    The runtime has the same words for what it lacks itself, a control group for one: that is no answer of the image.
    """
    if not _OF_THE_COMMAND.search(refusal):
        return None
    lowered = refusal.lower()
    return next((code for words, code in _NOT_STARTED.items() if words in lowered), None)


def _wait(container_id: str, time_limit_s: float) -> int | None:
    import requests.exceptions

    client: Any = api()
    try:
        return int(client.wait(container_id, timeout=math.ceil(time_limit_s))["StatusCode"])
    except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError) as error:
        # On a Unix socket docker-py wraps the time-out of a read in an error that means "no engine" elsewhere.
        if "timed out" not in str(error):
            raise messages.unavailable(endpoint(), error) from error
        with suppress(Exception):
            client.kill(container_id)
        return None
