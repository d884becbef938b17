"""The stream of `docker save`, as fast as the engine sends it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlencode

from dmhelpers.engine import recorded
from dmhelpers.engine.client import api, endpoint, engine_answers
from dmhelpers.engine.streams import CHUNK_BYTES, as_file
from dmhelpers.errors import EngineRefused

ReadInto = Callable[[memoryview], int]
_SCHEME = "unix://"
_TIME_LIMIT_S = 300
_HEADER_LIMIT_BYTES = 65_536


@contextmanager
def save_stream(images: Sequence[str]) -> Iterator[ReadInto]:
    """Ask the engine to save images, and give what fills a buffer with the archive's next bytes (0 at its end).

    Args:
        images: IDs or names; layers that several of them share are sent once.

    Raises:
        EngineUnavailable: No engine answers.
        EngineRefused: The engine answered with an error.
        docker.errors.NotFound: The engine lacks one of the images.
    """
    host = endpoint().host
    if host.startswith(_SCHEME) and not recorded.in_use():
        with engine_answers(), _opened(host.removeprefix(_SCHEME), images) as connection:
            yield connection
        return
    with engine_answers():
        client = api()
        url = f"{client.base_url}/v{client.api_version}/images/get"
        answer = client.get(url, params={"names": list(images)}, stream=True, timeout=_TIME_LIMIT_S)
        client._raise_for_status(answer)  # type: ignore[attr-defined]  # noqa: SLF001  docker-py's own errors
        stream = as_file(answer.iter_content(CHUNK_BYTES))
        yield lambda view: stream.readinto(view) or 0


@contextmanager
def _opened(path: str, images: Sequence[str]) -> Iterator[ReadInto]:
    """Ask over a local socket by HTTP/1.0, whose answer has no chunk marks in it: it need not be taken apart."""
    version = api().api_version
    query = urlencode([("names", one) for one in images])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIME_LIMIT_S)
        connection.connect(path)
        connection.sendall(f"GET /v{version}/images/get?{query} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        status, begun = _read_head(connection)
        if status != 200:
            raise _refusal(status, begun + connection.recv(_HEADER_LIMIT_BYTES))
        yield _after(begun, connection)


def _read_head(connection: socket.socket) -> tuple[int, bytes]:
    """Return the answer's status and what of its body came with the head."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(4096)
        if not more or len(head) > _HEADER_LIMIT_BYTES:
            raise OSError("the engine's answer has no end of its head")
        head += more
    head, _, body = head.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


def _after(begun: bytes, connection: socket.socket) -> ReadInto:
    first = [begun] if begun else []

    def readinto(view: memoryview) -> int:
        if not first:
            return connection.recv_into(view)
        data = first.pop()
        if len(data) > len(view):
            first.append(data[len(view) :])
        count = min(len(data), len(view))
        view[:count] = data[:count]
        return count

    return readinto


def _refusal(status: int, body: bytes) -> Exception:
    import docker.errors

    try:
        said = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        said = f"status {status}"
    if status == 404:
        return docker.errors.NotFound(said)
    return EngineRefused(
        f"The engine does not save the image: {said}.", hint="See whether it is well: dmhelpers doctor"
    )
