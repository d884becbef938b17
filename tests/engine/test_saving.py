"""The stream of `docker save`: the same bytes over either transport, and errors of the course."""

from __future__ import annotations

import socket
import threading

import docker.errors
import pytest

from dmhelpers.engine import bases, saving
from dmhelpers.engine.client import Endpoint
from dmhelpers.errors import EngineError
from dmhelpers.measure.archive import read_archive

BASE = "golang:1.22-alpine"


def drained(images, step=65_536):
    """Return the first and the last bytes of a stream, and how many came."""
    buffer, total, ends = memoryview(bytearray(step)), 0, [b"", b""]
    with saving.save_stream(images) as readinto:
        while got := readinto(buffer):
            ends = [ends[0] or bytes(buffer[:512]), bytes(buffer[:got])]
            total += got
    return ends[0], total


@pytest.mark.engine
def test_either_transport_gives_the_same_archive(monkeypatch):
    """Over a local socket, and the way that other engines are reached, the same archive comes."""
    bases.ensure_many([BASE])
    head, total = drained([BASE])
    with saving.save_stream([BASE]) as readinto:
        ((_, plain),) = read_archive(readinto, verified=False)
    monkeypatch.setattr(saving, "endpoint", lambda: Endpoint("tcp://elsewhere:2375", "a test"))
    assert drained([BASE]) == (head, total)
    with saving.save_stream([BASE]) as readinto:
        ((_, other),) = read_archive(readinto, verified=False)
    assert plain == other


@pytest.mark.engine
def test_an_unknown_image_is_not_found():
    """An image that the engine does not have is docker-py's NotFound, as everywhere behind the gates."""
    with pytest.raises(docker.errors.NotFound), saving.save_stream(["sha256:" + "0" * 64]):
        pytest.fail("there is no such image")


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.0 200 OK\r\nno end of the head", b"", b"HTTP/1.0 500 Oh\r\n\r\n{not json"],
    ids=["cut", "none", "500"],
)
def test_an_engine_that_breaks_off_is_an_error_of_the_course(monkeypatch, tmp_path, answer):
    """An answer that is cut, empty or a refusal is the course's own error, not a traceback of sockets."""
    path = str(tmp_path / "engine.sock")
    monkeypatch.setattr(saving, "endpoint", lambda: Endpoint(f"unix://{path}", "a test"))
    monkeypatch.setattr(saving, "api", lambda: type("Client", (), {"api_version": "1.45"})())
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(path)
        listening.listen(1)
        stream = saving.save_stream(["x"])

        def serve():
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(EngineError), stream:
            pytest.fail("there is no stream")
        thread.join(timeout=300)


def test_what_came_with_the_head_comes_first():
    """Bytes of the body that were read with the head are given first, in pieces if the buffer is small."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b" and the rest")
        there.shutdown(socket.SHUT_WR)
        readinto = saving._after(b"the beginning", here)
        buffer, parts = memoryview(bytearray(5)), []
        while got := readinto(buffer):
            parts.append(bytes(buffer[:got]))
    assert b"".join(parts) == b"the beginning and the rest"
