"""A container's HTTP answers: passed on and kept while recording, given again from 127.0.0.1 in recorded mode."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from dmhelpers.engine.recorded import marks
from dmhelpers.engine.recorded.session import player, recorder
from dmhelpers.errors import NotRecorded

_TIME_LIMIT_S = 120
_Answer = tuple[int, str, bytes]


@contextmanager
def through(container_id: str, url: str) -> Iterator[str]:
    """Give the address at which a container's answers are had: its own, but for recording and recorded mode.

    Args:
        container_id: The container.
        url: Its own address.
    """
    if player() is None and recorder() is None:
        yield url
        return
    handler = type("Handler", (_Handler,), {"container_id": container_id, "origin": url})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    container_id = ""
    origin = ""
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, kind, sent = self._answer(body)
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(sent)))
        if player() is not None:
            self.send_header("X-Recorded", marks.sentence())
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _any  # noqa: N815  the names that http.server calls

    def _answer(self, body: bytes) -> _Answer:
        form = f"{self.container_id} {self.command} {self.path} {body.decode('utf-8', 'replace')}"
        replay = player()
        if replay is not None:
            try:
                found = replay.answer("service", form, asked=f"{self.command} {self.path} of the container")
            except NotRecorded as error:
                return 501, "text/plain; charset=utf-8", f"{error}\n".encode()
            return found["status"], found["type"], replay.recording.bytes_of(found["body"])
        status, kind, sent = self._pass_on(body)
        keep = recorder()
        if keep is not None:
            keep.note("service", form, {"status": status, "type": kind, "body": keep.keep(sent)}, 0.0)
        return status, kind, sent

    def _pass_on(self, body: bytes) -> _Answer:
        where = urlsplit(self.origin)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_TIME_LIMIT_S)
        try:
            headers = {
                name: value for name, value in self.headers.items() if name.lower() in ("content-type", "accept")
            }
            connection.request(self.command, self.path, body=body or None, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
        except (OSError, http.client.HTTPException):
            return 502, "text/plain", b"the container gave no answer\n"
        finally:
            connection.close()

    def log_message(self, *_: Any) -> None:
        """Nothing is printed for a request."""
