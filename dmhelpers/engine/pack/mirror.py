"""A read-only mirror of a pack's packages: npm's registry and Go's proxy, out of plain files.

Run as ``python -m dmhelpers.engine.pack.mirror FOLDER ADDRESS PORT``; it serves until it is ended. It answers GET
and HEAD of what the pack holds, and 404 to all else: nobody can put anything there.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from dmhelpers.engine.pack.mirror_bounds import REQUEST_BYTES, BoundedReader, Descriptions, Places, is_host
from dmhelpers.engine.pack.npm import quoted

_JSON, _BYTES, _TEXT = "application/json", "application/octet-stream", "text/plain; charset=utf-8"
_BUFFER_BYTES = 1 << 16
_LONGEST_LINE = 200
"""Of the log: a request that is at fault may say anything."""

_HELLO = b'{"service": "dmhelpers pack mirror"}\n'


class Mirror(ThreadingHTTPServer):
    """The server: `folder` holds ``npm/packuments``, ``npm/tarballs`` and ``go``."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], folder: Path) -> None:
        self.folder = folder.resolve()
        self.descriptions = Descriptions()
        self.places = Places()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, if there is a place for it."""
        if not self.places.take(client_address[0]):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self.places.leave(client_address[0])
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection, and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.leave(client_address[0])

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  what socketserver gives
        """Log what went wrong with a connection, as a line; not that somebody hung up."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            sys.stderr.write(f"{client_address[0]}: {error!r}"[:_LONGEST_LINE] + "\n")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # npm keeps its connections
    server_version = "dmhelpers-pack"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm: ClassVar[bool] = True
    wbufsize = _BUFFER_BYTES
    server: Mirror
    connection: socket.socket

    def setup(self) -> None:
        """Open the connection for reading and writing."""
        super().setup()
        self.rfile.close()
        self.rfile = self._requests = BoundedReader(self.connection.makefile("rb", buffering=0))

    def handle_one_request(self) -> None:
        """Answer a request, unless it is longer than any that npm or Go sends."""
        self._requests.left = REQUEST_BYTES
        try:
            super().handle_one_request()
        except http.client.LineTooLong:
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def do_GET(self) -> None:
        """Answer with a file of the pack."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer with the size of a file of the pack."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        host = self.headers.get("Host") or self._own_address()
        if not is_host(host):
            self._send(HTTPStatus.BAD_REQUEST, _TEXT, b"The Host header names no host.\n", body=body)
            return
        path = urlsplit(self.path).path
        if path in {"/", "/-/ping"}:
            self._send(HTTPStatus.OK, _JSON, _HELLO, body=body)
            return
        file, kind = self._file(path)
        if file is None:
            said = f"{path} is not in the pack: it holds what the course's own projects need.\n".encode()
            self._send(HTTPStatus.NOT_FOUND, _TEXT, said, body=body)
            return
        if kind == _JSON:
            self._describe(file, host, body=body)
        else:
            self._send_file(file, kind, body=body)

    def _describe(self, file: Path, host: str, *, body: bool) -> None:
        packed = "gzip" in self.headers.get("Accept-Encoding", "")
        own = self._own_address()
        is_own = host in {own, f"localhost:{own.rpartition(':')[2]}"}
        with self.server.descriptions.opened(file, host, own=is_own, packed=packed) as content:
            if content is None:
                self._send(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"Too many ask. Try again.\n", body=body)
                return
            self._send(HTTPStatus.OK, _JSON, content, body=body, packed=packed)
            self.wfile.flush()

    def _own_address(self) -> str:
        address, port = self.connection.getsockname()[:2]
        return f"{address}:{port}"

    def _file(self, path: str) -> tuple[Path | None, str]:
        name = unquote(path).lstrip("/")
        if name.startswith("go/"):
            return self._below("go", name.removeprefix("go/")), _BYTES
        if "/-/" in name:
            return self._below("npm/tarballs", name), _BYTES
        return self._below("npm/packuments", f"{quoted(name)}.json"), _JSON

    def _below(self, folder: str, name: str) -> Path | None:
        root = self.server.folder / folder
        try:
            file = (root / name).resolve()
            return file if root in file.parents and file.is_file() else None
        except (OSError, ValueError):  # too long for a name, or no name at all
            return None

    def _send_file(self, file: Path, kind: str, *, body: bool) -> None:
        with file.open("rb") as content:
            self._head(HTTPStatus.OK, kind, file.stat().st_size)
            if body:
                # Not as a whole: who reads slowly would keep it in memory.
                shutil.copyfileobj(content, self.wfile, _BUFFER_BYTES)

    def _send(self, status: HTTPStatus, kind: str, content: bytes, *, body: bool, packed: bool = False) -> None:
        self._head(status, kind, len(content), packed=packed)
        if body:
            self.wfile.write(content)

    def _head(self, status: HTTPStatus, kind: str, size_bytes: int, *, packed: bool = False) -> None:
        self.send_response(status)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        if self.server.places.are_few:
            self.send_header("Connection", "close")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size_bytes))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that http.server gives it
        """Log nothing but faults: a class of thirty asks a hundred thousand times."""

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002
        """Log a fault, as a line."""
        said = "".join(one if one.isprintable() else "?" for one in (format % args)[:_LONGEST_LINE])
        sys.stderr.write(f"{self.log_date_time_string()} {said}\n")


def main(arguments: list[str]) -> int:
    """Serve until the process is ended."""
    folder, address, port = arguments
    with Mirror((address, int(port)), Path(folder)) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
