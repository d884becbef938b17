"""Plain GETs to a local engine over a kept connection."""

from __future__ import annotations

import http.server
import os
import socketserver
import tempfile
import threading
from pathlib import Path

import pytest

from dmhelpers.engine import direct


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers /ok with 200, /bye with 200 before it closes the connection, and all else with 404."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Answer one request, and note whose connection it came on."""
        self.server.connections.add(id(self.connection))
        self.close_connection = self.path == "/bye"
        self.send_response(200 if self.path in {"/ok", "/bye"} else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Keep quiet."""

    def address_string(self):
        """Return no address: a unix socket's client has none."""
        return ""


class Server(socketserver.ThreadingUnixStreamServer):
    """A server on a unix socket that tells the connections it answered on."""

    daemon_threads = True
    connections: set[int]


@pytest.fixture
def server():
    """Serve on a unix socket with a short path."""
    with (
        tempfile.TemporaryDirectory(prefix="dm-") as folder,
        Server(os.fspath(Path(folder) / "s"), Answering) as one,
    ):
        one.connections = set()
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.shutdown()


def test_answers_come_over_one_connection(server):
    """A hundred GETs, also those that were answered with an error, need one connection."""
    host = f"unix://{server.server_address}"

    assert [direct.get(host, path) for path in ("/ok", "/missing", "/ok")] == [b"{}", None, b"{}"]
    assert len(server.connections) == 1


def test_closed_connection_is_left_to_the_ordinary_way_and_then_opened_anew(server):
    """An engine that closed the kept connection costs one question asked the ordinary way, no error."""
    host = f"unix://{server.server_address}"

    answers = [direct.get(host, path) for path in ("/bye", "/ok", "/ok")]

    assert answers[0] == b"{}"
    assert answers[2] == b"{}"


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:1", "ssh://person@host", "npipe:////./pipe/docker_engine"])
def test_other_addresses_are_left_to_the_ordinary_way(host):
    """Only a unix socket is asked directly."""
    assert direct.get(host, "/ok") is None


def test_missing_socket_is_left_to_the_ordinary_way(tmp_path):
    """Where no engine answers, the ordinary way says so."""
    assert direct.get(f"unix://{tmp_path / 'none'}", "/ok") is None
