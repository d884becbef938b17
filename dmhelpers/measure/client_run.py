"""Running the build client: its events as they come, a time limit, and a clean end whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from dmhelpers.engine.client import docker_argv
from dmhelpers.engine.patience import patient
from dmhelpers.measure.events import Progress, decode

_GRACE_S = 3.0


def run_client(
    args: Sequence[str], *, progress: Progress, time_limit_s: float, environment: Mapping[str, str]
) -> tuple[int, bool]:
    """Run `docker args…`, feed its progress events, and return its exit code and whether the limit ended it.

    The engine cancels a build when its client goes away, so ending the client is all that an
    interrupt or a time limit needs; neither the command nor the API has a time limit of its own.
    An exception that passes through (KeyboardInterrupt above all) ends the client first.

    Args:
        args: The arguments after `docker`.
        progress: Takes the events as they come.
        time_limit_s: Seconds until the client is ended.
        environment: Variables set on top of this process's own.
    """
    process = subprocess.Popen(
        docker_argv(args),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    with _guarded(process), _ended_at_last(process), _limited(process, time_limit_s) as limit_reached:
        assert process.stderr is not None  # noqa: S101  PIPE was asked for above
        for value in decode(process.stderr):
            progress.feed(value)
        exit_code = process.wait()
    return exit_code, limit_reached.is_set()


@contextmanager
def _limited(process: subprocess.Popen[bytes], time_limit_s: float) -> Iterator[threading.Event]:
    reached = threading.Event()

    def end() -> None:
        reached.set()
        _end(process)

    timer = threading.Timer(patient(time_limit_s), end)
    timer.daemon = True
    timer.start()
    try:
        yield reached
    finally:
        timer.cancel()


@contextmanager
def _guarded(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the client also if this Python is killed: a build that nobody watches has no time limit.

    A waiting shell holds the other end of a pipe that the kernel closes when this process is gone. It
    goes last: a notebook that restarts its kernel interrupts it, and kills it the moment after.
    """
    if os.name == "nt":
        yield
        return
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _; kill -KILL "$1"', "sh", str(process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except BaseException:
        _end(process)
        raise
    try:
        yield
    finally:
        # A second Ctrl-C may have cut the client's orderly end short.
        if process.poll() is None:
            process.kill()
        guard.kill()
        guard.communicate()


@contextmanager
def _ended_at_last(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            _end(process)
        if process.stderr is not None:
            process.stderr.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    # The client cancels the build on SIGINT and waits for the engine's word; a stuck one is killed.
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
