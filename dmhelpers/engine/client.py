"""The two gates to Docker: `docker_cli()` for the command line, `api()` for the Engine API."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dmhelpers.engine import direct, messages, recorded
from dmhelpers.engine.patience import patient
from dmhelpers.engine.recorded import commands
from dmhelpers.errors import CommandFailed, EngineUnavailable, TimeLimitReached

if TYPE_CHECKING:
    import docker
    from docker.context import Context

_KEPT_OUTPUT_CHARS = 200_000
_PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
STANDARD_SOCKET = "npipe:////./pipe/docker_engine" if os.name == "nt" else "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the engine is looked for, what said so, and the Docker context's name."""

    host: str
    source: str
    context: str = "default"


@dataclass(frozen=True, slots=True)
class Completed:
    """What a `docker` command answered."""

    command: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str


def endpoint() -> Endpoint:
    """Return the engine's address: `DOCKER_HOST`, else the current Docker context, else the standard socket.

    In recorded mode there is none: what stands for it is no address.
    """
    if recorded.player() is not None:
        return Endpoint("recorded://", "DMHELPERS_ENGINE=recorded")
    if os.environ.get("DOCKER_HOST"):
        return Endpoint(os.environ["DOCKER_HOST"], "DOCKER_HOST")
    context = _current_context()
    if context is not None:
        return Endpoint(context.Host or STANDARD_SOCKET, f"Docker context {context.Name!r}", context.Name)
    return Endpoint(STANDARD_SOCKET, "standard socket")


def docker_argv(args: Sequence[str]) -> list[str]:
    """Return the full argument list for `docker args…`.

    `docker buildx …` runs the plugin's own binary where it is found: the same program without
    starting the command line twice, which halves the time of a cached build.
    """
    if args and args[0] == "buildx":
        plugin = _buildx_plugin()
        if plugin is not None:
            return [plugin, *args[1:]]
    found = shutil.which("docker")
    if found is None:
        raise EngineUnavailable(messages.NO_CLI, hint=messages.no_cli_hint())
    return [found, *args]


def docker_cli(
    args: Sequence[str],
    *,
    timeout_s: float,
    check: bool = True,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Completed:
    """Run `docker args…` without a shell and return what it answered.

    Args:
        args: The arguments after `docker`.
        timeout_s: The time limit in seconds; the command is ended at it.
        check: Whether an exit code other than 0 is an error.
        cwd: The folder to run in.
        environment: Variables set on top of this process's own.

    Raises:
        EngineUnavailable: There is no `docker` command.
        TimeLimitReached: The command ran past its limit.
        CommandFailed: It ended with another code than 0, and `check` is true.
    """
    completed = commands.through(args, lambda: _completed(args, timeout_s, cwd, environment), Completed)
    if check and completed.exit_code != 0:
        raise _command_failed(args, completed)
    return completed


def _completed(
    args: Sequence[str], timeout_s: float, cwd: Path | None, environment: Mapping[str, str] | None
) -> Completed:
    argv = docker_argv(args)
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            timeout=patient(timeout_s),
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeLimitReached(
            f"`docker {' '.join(args)}` ran longer than {timeout_s:g} s and was ended.",
            hint="See whether the engine answers at all: dmhelpers doctor",
        ) from error
    return Completed(tuple(argv), done.returncode, _text(done.stdout), _text(done.stderr))


def api() -> docker.APIClient:
    """Return the Engine API client (docker-py's low-level one), made once for each address.

    Raises:
        EngineUnavailable: No engine answers there, or this person may not open its socket.
    """
    return _api_for(endpoint().host, os.getpid())


def get_json(path: str, params: Mapping[str, Any] | None = None) -> Any:
    """Return the answer of one GET to the Engine API, for what docker-py has no method for or a slow one.

    Args:
        path: The path after the API version, such as ``/images/json``.
        params: Its query.
    """
    host = endpoint().host
    client = _api_for(host, os.getpid())
    versioned = f"/v{client.api_version}{path}"
    with engine_answers():
        whole = f"{versioned}?{urlencode(params)}" if params else versioned
        body = None if recorded.in_use() else direct.get(host, whole)
        if body is not None:
            return json.loads(body)
        answer = client.get(f"{client.base_url}{versioned}", params=params, timeout=patient(60))
        client._raise_for_status(answer)  # type: ignore[attr-defined]  # noqa: SLF001  docker-py's own errors
        return answer.json()


def forget_clients() -> None:
    """Drop the clients that `api()` keeps: after an engine was started, stopped or replaced."""
    _api_for.cache_clear()
    _buildx_plugin.cache_clear()


@contextmanager
def engine_answers() -> Iterator[None]:
    """Turn docker-py's and the socket's exceptions inside the block into the course's own.

    `docker.errors.NotFound` passes through: the caller knows what was not found.
    """
    import docker.errors
    import requests.exceptions

    try:
        yield
    except docker.errors.NotFound:
        raise
    except docker.errors.APIError as error:
        if "invalid reference format" in str(error.explanation):
            # A name that no image can have, such as `UPPER` or `--help`, is the name of no image.
            raise docker.errors.ImageNotFound(str(error), response=error.response) from error
        raise messages.refused(error) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        forget_clients()
        raise messages.unavailable(endpoint(), error) from error


@functools.lru_cache(maxsize=8)
def _api_for(host: str, process_id: int) -> docker.APIClient:  # noqa: ARG001  a fork must not share sockets
    import docker as docker_py

    replay = recorded.player()
    if replay is not None:
        return recorded.connect(docker_py.APIClient("tcp://recorded:1", version=replay.manifest.api_version))
    with engine_answers():
        try:
            client = docker_py.APIClient(version="auto", timeout=int(patient(60)), **_connection(host))
            return recorded.connect(client)
        except ValueError as error:  # an address that is none, such as a port above 65535
            raise messages.unavailable(endpoint(), error) from error


def _connection(host: str) -> dict[str, Any]:
    from docker.utils import kwargs_from_env

    if os.environ.get("DOCKER_HOST"):
        return {**kwargs_from_env(), "use_ssh_client": host.startswith("ssh://")}
    context = _current_context()
    tls = context.TLSConfig if context is not None else None
    return {"base_url": host, "tls": tls or False, "use_ssh_client": host.startswith("ssh://")}


def _current_context() -> Context | None:
    """Return the person's current Docker context, or None for the default one."""
    name = os.environ.get("DOCKER_CONTEXT")
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if not name and not config.is_file():
        return None
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    try:
        name = name or get_current_context_name()
        context = ContextAPI.get_context(name)
    except PermissionError as error:
        raise EngineUnavailable(
            f"You may not read Docker's settings at {str(config)!r}; `sudo docker login` leaves them to root.",
            hint=f"Take them back: sudo chown -R $USER {str(config.parent)!r}",
        ) from error
    if context is None:
        raise EngineUnavailable(
            f"The Docker context {name!r} does not exist.",
            hint="List the contexts with `docker context ls` and choose one with `docker context use NAME`.",
        )
    return None if context.Name == "default" else context


@functools.lru_cache(maxsize=1)
def _buildx_plugin() -> str | None:
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    name = "docker-buildx.exe" if os.name == "nt" else "docker-buildx"
    for folder in (own, *map(Path, _PLUGIN_FOLDERS)):
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    return None


def _command_failed(args: Sequence[str], completed: Completed) -> CommandFailed:
    last = (completed.stderr.strip() or completed.stdout.strip()).rsplit("\n", 1)[-1]
    return CommandFailed(
        f"`docker {' '.join(args)}` ended with {completed.exit_code}: {last}",
        hint=messages.command_hint(completed.stderr),
        command=completed.command,
        exit_code=completed.exit_code,
        stdout=completed.stdout,
        stderr=completed.stderr,
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")[-_KEPT_OUTPUT_CHARS:]
