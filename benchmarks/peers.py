"""The ways to ask an engine that the course's functions are measured against."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dmhelpers.engine.client import docker_argv, endpoint
from dmhelpers.errors import CommandFailed, InputError

if TYPE_CHECKING:
    import docker


def typed(*args: str) -> None:
    """Run `docker args…` as a person's shell would, with its output kept in a pipe and thrown away.

    The package's own gate to the command line would leave out the `docker` command before buildx;
    a person's shell does not.

    Raises:
        CommandFailed: It ended with another code than 0.
    """
    command = (*docker_argv(()), *args)
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip()
        raise CommandFailed(
            f"`docker {' '.join(args)}` ended with {done.returncode}: {words[-500:]}",
            hint="See what is wrong with: dmhelpers doctor",
            command=command,
            exit_code=done.returncode,
        )


class RawApi:
    """The Engine API with nothing between: one kept connection, and `json.loads` on each answer."""

    def __init__(self) -> None:
        self._connection = _connection(endpoint().host)

    def get(self, path: str) -> Any:
        """Return the answer of one GET, parsed.

        Args:
            path: The path with the API version before it and the query after it.
        """
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise InputError(f"The engine answered GET {path} with {answer.status}.", hint="Run the benchmark again.")
        return json.loads(body)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


def _connection(host: str) -> http.client.HTTPConnection:
    scheme, _, path = host.partition("://")
    if scheme == "unix":
        return _UnixConnection(path)
    if scheme == "tcp":
        return http.client.HTTPConnection(urlsplit(host).netloc)
    raise InputError(
        f"The raw API is measured over a unix or a plain TCP socket, not over {scheme}.",
        hint="Run the benchmarks on the engine's own machine.",
    )


def docker_py() -> docker.DockerClient:
    """Return docker-py's high-level client for the engine that the course uses."""
    import docker as docker_package

    return docker_package.DockerClient(base_url=endpoint().host, version="auto")
