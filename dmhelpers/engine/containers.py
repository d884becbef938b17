"""Containers of the course: run a command, or serve over HTTP; labelled, bounded, always removed."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dmhelpers.engine import ledger, messages, recorded
from dmhelpers.engine.client import api, endpoint, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.engine.patience import patient
from dmhelpers.engine.recorded import service
from dmhelpers.errors import EngineRefused, ImageNotFound, InputError, TimeLimitReached

OUTPUT_LIMIT_BYTES = 1_000_000
_NOT_STARTED = {"executable file not found": 127, "no such file or directory": 127, "permission denied": 126}
# A container prints to the disk of the engine first: bounded there too, and readable whatever its default is.
_LOG_BOUNDS = {"max-size": "8m", "max-file": "2"}


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a command in a container did; `stdout` and `stderr` hold at most their last million bytes each."""

    command: str
    exit_code: int
    stdout: str
    stderr: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Serving:
    """A container that serves: its ID and the address that reaches it from here."""

    container_id: str
    url: str


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
    settings: dict[str, Any] = {"network_mode": None if network else "none"}
    begun = recorded.clock_s()
    with _container(image, arguments, environment, settings) as container_id:
        exit_code, complaint = _run_to_end(container_id, arguments, time_limit_s)
        stdout, stderr = _output(container_id)
    shown = f"docker run --rm {image} {shlex.join(arguments or [])}".rstrip()
    return RunResult(shown, exit_code, stdout, stderr + complaint, recorded.clock_s() - begun)


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
    with _container(image, _arguments(command), environment, settings, ports=[port]) as container_id:
        _start(container_id)
        url = f"http://{_engine_host()}:{_published(container_id, port)}"
        ready = {"container": container_id, "path": path}
        reason = recorded.exchange("ready", ready, lambda: _why_silent(container_id, url + path, ready_within_s))
        if reason:
            raise _silent(container_id, url + path, ready_within_s, reason)
        with service.through(container_id, url) as reached:
            yield Serving(container_id, reached)


@contextmanager
def unstarted(image: str) -> Iterator[str]:
    """Create a container of an image that is never started, to read files through, and remove it afterwards.

    Args:
        image: The image's name or ID.

    Yields:
        The container's ID.

    Raises:
        ImageNotFound: The engine has no such image.
    """
    # An image need not have a command of its own, a container must.
    with _container(image, ["-"], None, {}) as container_id:
        yield container_id


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
        return [int(api().exec_inspect(made["Id"])["ExitCode"]), _end_of([printed])]


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


@contextmanager
def _container(
    image: str,
    command: Sequence[str] | None,
    environment: Mapping[str, str] | None,
    host_settings: Mapping[str, Any],
    ports: Sequence[int] = (),
) -> Iterator[str]:
    import docker.errors
    import docker.types

    if not image:
        raise image_not_found(image)
    client = api()
    engine_id = engine_info().engine_id
    given = {name: one for name, one in host_settings.items() if one is not None}
    log_config = docker.types.LogConfig(type="json-file", config=_LOG_BOUNDS)
    host_config = client.create_host_config(log_config=log_config, **given)
    try:
        with engine_answers():
            made = client.create_container(
                image,
                list(command) if command is not None else None,
                environment=dict(environment or {}),
                labels=COURSE_LABELS,
                ports=list(ports),
                host_config=host_config,
            )
    except docker.errors.NotFound as error:
        raise image_not_found(image) from error
    container_id = str(made["Id"])
    try:
        ledger.record(engine_id, "container", [container_id])
        yield container_id
    finally:
        with suppress(docker.errors.NotFound), engine_answers():
            client.remove_container(container_id, force=True, v=True)
        ledger.forget(engine_id, "container", [container_id])


def image_not_found(image: str) -> ImageNotFound:
    """Return the error for an image that the engine does not have, with the names that it has."""
    from dmhelpers.errors import near_matches

    with engine_answers():
        known = [name for one in api().images() for name in one.get("RepoTags") or () if name != "<none>:<none>"]
    return ImageNotFound(
        f"There is no image {image!r} on this engine.",
        hint=f"Build it first, or check the name. {near_matches(image, known)}",
    )


def _start(container_id: str) -> None:
    with engine_answers():
        api().start(container_id)


def _run_to_end(container_id: str, command: Sequence[str] | None, time_limit_s: float) -> tuple[int, str]:
    import requests.exceptions

    client = api()
    try:
        _start(container_id)
    except EngineRefused as error:
        # What `docker run` answers: 127 or 126, and the engine's reason on standard error.
        code = next((code for words, code in _NOT_STARTED.items() if words in error.message), None)
        if code is None:
            raise
        return code, error.message
    try:
        return int(client.wait(container_id, timeout=math.ceil(time_limit_s))["StatusCode"]), ""
    except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError) as error:
        # On a Unix socket docker-py wraps the time-out of a read in an error that means "no engine" elsewhere.
        if "timed out" not in str(error):
            raise messages.unavailable(endpoint(), error) from error
        with suppress(Exception):
            client.kill(container_id)
        raise TimeLimitReached(
            f"{shlex.join(command or ['the container'])} ran longer than {time_limit_s:g} s and was killed.",
            hint="Give it more with time_limit_s=…, or run something that ends by itself.",
        ) from error


def _output(container_id: str) -> tuple[str, str]:
    client = api()
    with engine_answers():
        stdout, stderr = (
            _end_of(client.logs(container_id, stdout=one, stderr=not one, stream=True, follow=False))
            for one in (True, False)
        )
    return stdout, stderr


def _end_of(pieces: Iterable[bytes]) -> str:
    kept = bytearray()
    for piece in pieces:
        kept += piece
        if len(kept) > 2 * OUTPUT_LIMIT_BYTES:
            del kept[:-OUTPUT_LIMIT_BYTES]
    return kept[-OUTPUT_LIMIT_BYTES:].decode("utf-8", "replace")


def _published(container_id: str, port: int) -> int:
    with engine_answers():
        bound = api().port(container_id, port)
    if not bound:
        raise TimeLimitReached(
            f"The container ended before it served port {port}. Its output:\n{''.join(_output(container_id))}",
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
            requests.get(url, timeout=2, proxies={"http": ""})
        except requests.exceptions.RequestException as error:
            reason = type(error).__name__
            time.sleep(0.05)
        else:
            return ""
    return reason


def _silent(container_id: str, url: str, ready_within_s: float, reason: str) -> TimeLimitReached:
    return TimeLimitReached(
        f"The container did not answer at {url} within {ready_within_s:g} s ({reason}). Its output:\n"
        + "".join(_output(container_id)),
        hint="Check that it listens on 0.0.0.0 and on the port that was published.",
    )


def _is_running(container_id: str) -> bool:
    with engine_answers():
        return bool(api().inspect_container(container_id)["State"]["Running"])


def _is_local() -> bool:
    return urlsplit(endpoint().host).scheme in ("unix", "npipe")


def _engine_host() -> str:
    return "127.0.0.1" if _is_local() else urlsplit(endpoint().host).hostname or "127.0.0.1"
