"""A read-only mirror of a pack's packages: npm's registry and Go's proxy, out of plain files.

Run as ``python -m dmhelpers.engine.pack.mirror FOLDER ADDRESS PORT``; it serves until it is ended. It answers GET
and HEAD of what the pack holds, and 404 to all else: nobody can put anything there.
"""

from __future__ import annotations

import gzip
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from dmhelpers.engine.pack.npm import ORIGIN, quoted

_JSON, _BYTES, _TEXT = "application/json", "application/octet-stream", "text/plain; charset=utf-8"
_GZIP_LEVEL = 4
_HOSTS_KEPT = 4
"""Addresses of this mirror for which packed descriptions are kept: a stranger's made-up ones fill no memory."""

_HELLO = b'{"service": "dmhelpers pack mirror"}\n'


class Mirror(ThreadingHTTPServer):
    """The server: `folder` holds ``npm/packuments``, ``npm/tarballs`` and ``go``."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], folder: Path) -> None:
        self.folder = folder.resolve()
        self._kept: dict[tuple[str, str], bytes] = {}
        super().__init__(address, _Handler)

    def packument(self, file: Path, host: str, *, packed: bool) -> bytes:
        """Return a description whose tarballs lie at the address that was asked; packed with gzip if wanted.

        npm's descriptions become a tenth of their size, which a room's network notices; each is packed once.
        """
        key = (file.name, host)
        if packed and key in self._kept:
            return self._kept[key]
        content = file.read_bytes().replace(ORIGIN.encode(), f"http://{host}".encode())
        if not packed:
            return content
        content = gzip.compress(content, _GZIP_LEVEL, mtime=0)
        if host in {one for _, one in self._kept} or len({one for _, one in self._kept}) < _HOSTS_KEPT:
            self._kept[key] = content
        return content


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # npm keeps its connections
    server_version = "dmhelpers-pack"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm: ClassVar[bool] = True
    wbufsize = 1 << 16
    server: Mirror

    def do_GET(self) -> None:
        """Answer with a file of the pack."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer with the size of a file of the pack."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = urlsplit(self.path).path
        if path in {"/", "/-/ping"}:
            self._send(HTTPStatus.OK, _JSON, _HELLO, body=body)
            return
        file, kind = self._file(path)
        if file is None:
            said = f"{path} is not in the pack: it holds what the course's own projects need.\n".encode()
            self._send(HTTPStatus.NOT_FOUND, _TEXT, said, body=body)
            return
        if kind != _JSON:
            self._send(HTTPStatus.OK, kind, file.read_bytes(), body=body)
            return
        packed = "gzip" in self.headers.get("Accept-Encoding", "")
        content = self.server.packument(file, self.headers.get("Host", ""), packed=packed)
        self._send(HTTPStatus.OK, kind, content, body=body, packed=packed)

    def _file(self, path: str) -> tuple[Path | None, str]:
        name = unquote(path).lstrip("/")
        if name.startswith("go/"):
            return self._below("go", name.removeprefix("go/")), _BYTES
        if "/-/" in name:
            return self._below("npm/tarballs", name), _BYTES
        return self._below("npm/packuments", f"{quoted(name)}.json"), _JSON

    def _below(self, folder: str, name: str) -> Path | None:
        root = self.server.folder / folder
        file = (root / name).resolve()
        return file if root in file.parents and file.is_file() else None

    def _send(self, status: HTTPStatus, kind: str, content: bytes, *, body: bool, packed: bool = False) -> None:
        self.send_response(status)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that http.server gives it
        """Log nothing but faults: a class of thirty asks a hundred thousand times."""

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002
        """Log a fault, as a line."""
        sys.stderr.write(f"{self.log_date_time_string()} {format % args}\n")


def main(arguments: list[str]) -> int:
    """Serve until the process is ended."""
    folder, address, port = arguments
    with Mirror((address, int(port)), Path(folder)) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
