"""A kernel in a learner's seat, spoken to over a WebSocket as JupyterLab does, cuts of the connection included."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dmhelpers.errors import TimeLimitReached

_CONNECT_LIMIT_S = 300.0
_CONNECT_AGAIN_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a cell gave: all its text, and the error that it ended with, ``""`` for none."""

    text: str
    error: str


class Kernel:
    """A kernel's channels. A connection that is cut is opened again, and what the kernel said meanwhile is heard.

    Args:
        url: The channels' address.
        token: Of the person whose kernel it is.
        left: Set when they leave: a cell that runs is then no longer waited for.
    """

    def __init__(self, url: str, token: str, left: threading.Event | None = None) -> None:
        # The server keeps what the kernel says while nobody listens, for a connection with the same session.
        self._url, self._token = f"{url}?session_id={uuid.uuid4().hex}", token
        self._left = left or threading.Event()
        self._socket: Any = self._connect()
        self.cuts = 0

    def close(self) -> None:
        """Close the connection; the kernel goes on."""
        if self._socket is not None:
            self._socket.close()

    def run(self, source: str, *, limit_s: float) -> Ran:
        """Run a cell and return what it gave; a cell whose end a cut took along is run again, as a person would.

        Raises:
            TimeLimitReached: It did not end in time.
        """
        cell, deadline = _Cell(source), time.monotonic() + limit_s
        self._send(cell.request)
        while not cell.ended:
            if self._left.is_set() or time.monotonic() > deadline:
                raise TimeLimitReached(
                    f"A cell ran longer than {limit_s:g} s: {source.splitlines()[0]}", hint="Seat fewer at once."
                )
            if self._socket is None:
                self._connect_again(cell)
            elif message := self._listen():
                cell.take(message)
                if cell.lost:
                    cell = _Cell(source)
                    self._send(cell.request)
        return Ran("".join(cell.texts), cell.error)

    def _send(self, message: str) -> None:
        from websocket import WebSocketException

        try:
            self._socket.send(message)
        except (WebSocketException, OSError):
            self._hang_up()

    def _listen(self) -> Any:
        """Return the next message; None where there is none yet, or the connection is cut."""
        from websocket import WebSocketException, WebSocketTimeoutException

        try:
            self._socket.settimeout(1.0)
            if told := self._socket.recv():
                return json.loads(told)
        except WebSocketTimeoutException:
            return None
        except (WebSocketException, OSError):
            pass
        self._hang_up()
        return None

    def _hang_up(self) -> None:
        self._socket.close()
        self._socket = None

    def _connect_again(self, cell: _Cell) -> None:
        from websocket import WebSocketException

        try:
            self._socket = self._connect()
        except (WebSocketException, OSError):
            self._left.wait(_CONNECT_AGAIN_EVERY_S)
            return
        self.cuts += 1
        self._send(cell.probe)

    def _connect(self) -> Any:
        import websocket

        header = [f"Authorization: token {self._token}"]
        return websocket.create_connection(self._url, timeout=_CONNECT_LIMIT_S, header=header, http_no_proxy=["*"])


class _Cell:
    """A cell that runs: its request, and what was heard of it so far.

    A kernel answers one request after the other. So where a probe that was sent after a cut is answered and the cell
    has not ended, the cut took the request or the cell's end along.
    """

    def __init__(self, source: str) -> None:
        self._id, self._probe_id = uuid.uuid4().hex, uuid.uuid4().hex
        content = {
            "code": source,
            "silent": False,
            "store_history": True,
            "allow_stdin": False,
            "stop_on_error": False,
        }
        self.request = _message("execute_request", self._id, content)
        self.probe = _message("kernel_info_request", self._probe_id, {})
        self.ended = self.lost = False
        self.error = ""
        self.texts: list[str] = []

    def take(self, message: Any) -> None:
        """Take in a message, if it is about this cell or its probe."""
        asked, kind, content = message["parent_header"].get("msg_id"), message["msg_type"], message["content"]
        idle = kind == "status" and content["execution_state"] == "idle"
        if asked == self._probe_id:
            self.lost = idle and not self.ended
        elif asked == self._id:
            self.texts += _texts(kind, content)
            self.ended = idle
            if kind == "error":
                self.error = f"{content['ename']}: {content['evalue']}"


def _message(kind: str, message_id: str, content: dict[str, Any]) -> str:
    header = {"msg_id": message_id, "msg_type": kind, "session": message_id, "username": "", "version": "5.3"}
    return json.dumps({"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content})


def _texts(kind: str, content: Any) -> Sequence[str]:
    if kind == "stream":
        return (content["text"],)
    if kind in ("execute_result", "display_data"):
        return (str(content["data"].get("text/plain", "")) + "\n",)
    return ()
