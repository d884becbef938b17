"""Plain GETs to a local engine over a kept connection, for what is asked a hundred times in a row.

docker-py's own way costs two to four times as much for a small answer: requests' bookkeeping, and a new
connection for every path. Whatever is not a plain success is left to that way, whose errors are explained.
"""

from __future__ import annotations

import http.client
import os
import socket
import threading

from dmhelpers.engine.patience import patient

_TIME_LIMIT_S = 60
_SCHEME = "unix://"
_kept = threading.local()


def get(host: str, path: str) -> bytes | None:
    """Return the body of a GET that was answered with 200; None where docker-py should ask instead.

    Args:
        host: The engine's address; only a unix socket is asked here.
        path: The path, with the API version and the query.

    Raises:
        TimeoutError: The engine took the request and did not answer it in time.
    """
    if not host.startswith(_SCHEME):
        return None
    key = (host, os.getpid())  # a fork must not share sockets
    connection = _connection(key)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except BaseException as error:
        _drop(connection)
        if isinstance(error, (OSError, http.client.HTTPException)) and not isinstance(error, TimeoutError):
            return None  # the engine closed the kept connection, or there is no engine
        raise
    return body if answer.status == http.client.OK else None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=patient(_TIME_LIMIT_S))
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(key: tuple[str, int]) -> _UnixConnection:
    if getattr(_kept, "key", None) != key:
        _kept.key = key
        _kept.connection = _UnixConnection(key[0].removeprefix(_SCHEME))
    connection: _UnixConnection = _kept.connection
    return connection


def _drop(connection: _UnixConnection) -> None:
    connection.close()
    _kept.key = None
