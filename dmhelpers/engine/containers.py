"""Containers of the course: run a command, or serve over HTTP; labelled, bounded, always removed."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from dmhelpers.engine import recorded
from dmhelpers.engine.client import api, endpoint, engine_answers
from dmhelpers.engine.created import NO_LOG, created
from dmhelpers.engine.foreground import run_to_end, start, text_of
from dmhelpers.engine.patience import patient
from dmhelpers.engine.recorded import marks, service
from dmhelpers.errors import InputError, TimeLimitReached


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a command in a container did; `stdout` and `stderr` hold at most their last million bytes each.

    `recorded` says in recorded mode when and with which engine it ran, else ``""``.
    """

    command: str
    exit_code: int
    stdout: str
    stderr: str
    duration_s: float
    recorded: str = field(default_factory=marks.sentence)

    def __repr__(self) -> str:
        return marks.as_record(self)


@dataclass(frozen=True, slots=True)
class Serving:
    """A container that serves: its ID and the address that reaches it from here; `recorded` as in `RunResult`.

    In recorded mode each answer from there says in its header ``X-Recorded`` when and with which engine it was given.
    """

    container_id: str
    url: str
    recorded: str = field(default_factory=marks.sentence)

    def __repr__(self) -> str:
        return marks.as_record(self)


def run(
    image: str,
    command: str | Sequence[str] | None = None,
    *,
    time_limit_s: float = 60.0,
    environment: Mapping[str, str] | None = None,
    network: bool = True,
) -> RunResult:
    """Run a command in a new container of an image, and remove the container whatever happens.

    Args:
        image: The image's name or ID.
        command: What to run, as a list or as one string split like a shell would; the image's own for None.
        time_limit_s: Seconds until the container is killed.
        environment: Environment variables for it.
        network: Whether it has a network.

    Returns:
        What it printed and its exit code; 127 where the image has no such command, 126 where it cannot be executed.

    Raises:
        ImageNotFound: The engine has no such image.
        TimeLimitReached: It ran past its limit.
        InputError: The time limit cannot be meant.
    """
    if time_limit_s <= 0:
        raise InputError(f"A time limit of {time_limit_s:g} s lets nothing run.", hint="Give more than 0 seconds.")
    arguments = _arguments(command)
    settings: dict[str, Any] = {"network_mode": None if network else "none", "log_config": NO_LOG}
    begun = recorded.clock_s()
    with created(image, arguments, environment, settings) as container_id:
        asked = {"container": container_id, "command": arguments}
        ended = recorded.exchange("foreground", asked, lambda: run_to_end(container_id, time_limit_s))
    if ended is None:
        raise TimeLimitReached(
            f"{shlex.join(arguments or ['the container'])} ran longer than {time_limit_s:g} s and was killed.",
            hint="Give it more with time_limit_s=…, or run something that ends by itself.",
        )
    exit_code, stdout, stderr = ended
    shown = f"docker run --rm {image} {shlex.join(arguments or [])}".rstrip()
    return RunResult(shown, exit_code, stdout, stderr, recorded.clock_s() - begun)


@contextmanager
def serve(
    image: str,
    *,
    port: int,
    path: str = "/",
    command: str | Sequence[str] | None = None,
    ready_within_s: float = 30.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Serving]:
    """Start a container of an image, wait until it answers over HTTP, and remove it at the end of the block.

    Args:
        image: The image's name or ID.
        port: The port that it listens on inside.
        path: The path to ask for until it answers.
        command: What to run, as a list or as one string split like a shell would; the image's own for None.
        ready_within_s: Seconds to wait for its first answer.
        environment: Environment variables for it.

    Yields:
        Its ID and address, such as ``http://127.0.0.1:32768``.

    Raises:
        ImageNotFound: The engine has no such image.
        TimeLimitReached: It did not answer in time; the message holds its last output.
    """
    settings = {"port_bindings": {port: ("127.0.0.1",) if _is_local() else None}}
    with created(image, _arguments(command), environment, settings, ports=[port]) as container_id:
        start(container_id)
        url = f"http://{_engine_host()}:{_published(container_id, port)}"
        ready = {"container": container_id, "path": path}
        reason = recorded.exchange("ready", ready, lambda: _why_silent(container_id, url + path, ready_within_s))
        if reason:
            raise _silent(container_id, url + path, ready_within_s, reason)
        with service.through(container_id, url) as reached:
            yield Serving(container_id, reached)


def execute(container_id: str, command: Sequence[str]) -> tuple[int, str]:
    """Run a command inside a running container; return its exit code and what it printed.

    Raises:
        EngineRefused: The container does not run.
    """
    asked = {"container": container_id, "command": list(command)}
    exit_code, printed = recorded.exchange("execute", asked, lambda: _execute(container_id, command))
    return int(exit_code), str(printed)


def _execute(container_id: str, command: Sequence[str]) -> list[int | str]:
    with engine_answers():
        made = api().exec_create(container_id, list(command))
        printed = api().exec_start(made["Id"])
        return [int(api().exec_inspect(made["Id"])["ExitCode"]), text_of([printed])]


def _arguments(command: str | Sequence[str] | None) -> list[str] | None:
    if command is None:
        return None
    try:
        return shlex.split(command) if isinstance(command, str) else list(command)
    except ValueError as error:
        raise InputError(
            f"{command!r} cannot be split into arguments: {error}.",
            hint='Close the quote, or give a list of arguments: ["ls", "-l"]',
        ) from error


def _logged(container_id: str) -> str:
    """Return the end of what a container printed, standard output first."""
    client = api()
    with engine_answers():
        outputs = [
            client.logs(container_id, stdout=one, stderr=not one, stream=True, follow=False) for one in (True, False)
        ]
        return "".join(map(text_of, outputs))


def _published(container_id: str, port: int) -> int:
    with engine_answers():
        bound = api().port(container_id, port)
    if not bound:
        raise TimeLimitReached(
            f"The container ended before it served port {port}. Its output:\n{_logged(container_id)}",
            hint="Run the image by hand and read its output: docker run --rm -p 3000 IMAGE",
        )
    return int(bound[0]["HostPort"])


def _why_silent(container_id: str, url: str, ready_within_s: float) -> str:
    """Wait until a container answers over HTTP; return ``""``, or why it did not."""
    import requests

    deadline = time.monotonic() + patient(ready_within_s)
    reason = "no answer"
    while time.monotonic() < deadline and _is_running(container_id):
        try:
            requests.get(url, timeout=patient(2), proxies={"http": ""})
        except requests.exceptions.RequestException as error:
            reason = type(error).__name__
            time.sleep(0.05)
        else:
            return ""
    return reason


def _silent(container_id: str, url: str, ready_within_s: float, reason: str) -> TimeLimitReached:
    return TimeLimitReached(
        f"The container did not answer at {url} within {ready_within_s:g} s ({reason}). Its output:\n"
        + _logged(container_id),
        hint="Check that it listens on 0.0.0.0 and on the port that was published.",
    )


def _is_running(container_id: str) -> bool:
    with engine_answers():
        return bool(api().inspect_container(container_id)["State"]["Running"])


def _is_local() -> bool:
    return urlsplit(endpoint().host).scheme in ("unix", "npipe")


def _engine_host() -> str:
    return "127.0.0.1" if _is_local() else urlsplit(endpoint().host).hostname or "127.0.0.1"
