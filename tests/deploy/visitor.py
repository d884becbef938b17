"""A learner's browser in the room, as far as the hub can tell: cookies, forms, redirects, and each form's token."""

from __future__ import annotations

import copy
import ctypes
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from dmhelpers.errors import DmHelpersError

_NETWORK = 0x40000000
_LIMIT_S = 120.0
_LOOK_LIMIT_S = 30.0
"""For what is asked again anyway: an address that is no more may answer nothing."""
Answer = TypeVar("Answer")


def in_network_of(pid: int, act: Callable[[], Answer]) -> Answer:
    """Run a function in a thread that has joined a process's network, and return what it returned."""

    def joined() -> Answer:
        handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(handle, _NETWORK) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(handle)
        return act()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(joined).result()


class Visitor:
    """One learner: signs in, starts their server and uses it.

    Args:
        pid: A process in the network that they sit in.
        address: The hub's address, such as ``"http://10.77.0.11:8000"``.
        login: Their login.
        code: Their code.
    """

    def __init__(self, pid: int, address: str, login: str, code: str) -> None:
        self.pid, self.address, self.login, self.code = pid, address, login, code
        self.session = requests.Session()
        # The proxy ends a connection that was idle for 5 s, maybe just as the next request goes out on it.
        self.session.headers["Connection"] = "close"

    def get(self, path: str, *, limit_s: float = _LIMIT_S) -> requests.Response:
        """GET a page, redirects followed."""
        return self._in_room(lambda: self.session.get(self.address + path, timeout=limit_s))

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request with the token that the path's server gave."""
        return self._in_room(
            lambda: self.session.request(
                method, self.address + path, timeout=_LIMIT_S, headers={"X-XSRFToken": self._token(path)}, **options
            )
        )

    def sign_in(self) -> int:
        """Fill in the hub's form; the status is 200 for who is let in, 403 for who is not."""
        self.get("/hub/login")
        form = {"username": self.login, "password": self.code, "_xsrf": self._token("/hub/")}
        return self._in_room(
            lambda: self.session.post(f"{self.address}/hub/login?next=/hub/home", data=form, timeout=_LIMIT_S)
        ).status_code

    def follow(self, address: str) -> None:
        """Go to the hub's new address, with all cookies, as behind one name before the managers."""
        cookies = [copy.copy(one) for one in self.session.cookies]
        self.session.cookies.clear()
        for one in cookies:
            one.domain = urlsplit(address).hostname or ""
            self.session.cookies.set_cookie(one)
        self.address = address

    def is_signed_in(self) -> bool:
        """Tell whether the hub still knows them, and shows their home instead of its form."""
        answer = self.get("/hub/home")
        return answer.status_code == 200 and urlsplit(answer.url).path == "/hub/home"

    def ask_for_server(self) -> int:
        """Ask the hub to start their server; 201 or 202."""
        return self.send("POST", f"/hub/api/users/{self.login}/server").status_code

    def server_answers(self) -> bool:
        """Tell whether their own server answers them; the first time it sends them to the hub and back."""
        try:
            if self._status() == 403:
                self.get(f"/user/{self.login}/files/none", limit_s=_LOOK_LIMIT_S)  # a page that asks who one is
            return self._status() == 200
        except requests.RequestException:
            return False

    def _status(self) -> int:
        answer = self.get(f"/user/{self.login}/api/status", limit_s=_LOOK_LIMIT_S)
        own = urlsplit(answer.url).path == f"/user/{self.login}/api/status"
        return answer.status_code if own else 0

    def save(self, name: str, text: str) -> int:
        """Save a file as JupyterLab does."""
        body = {"type": "file", "format": "text", "content": text}
        return self.send("PUT", f"/user/{self.login}/api/contents/{name}", json=body).status_code

    def read(self, name: str) -> str:
        """Read a file back as JupyterLab does."""
        answer = self.get(f"/user/{self.login}/api/contents/{name}")
        return str(answer.json()["content"]) if answer.status_code == 200 else f"status {answer.status_code}"

    def _token(self, path: str) -> str:
        found = [one for one in self.session.cookies if one.name == "_xsrf" and path.startswith(one.path)]
        return max(found, key=lambda one: len(one.path)).value or "" if found else ""

    def _in_room(self, act: Callable[[], requests.Response]) -> requests.Response:
        return in_network_of(self.pid, act)


def until(holds: Callable[[], Any], what: str, limit_s: float = 240.0) -> float:
    """Wait until something holds and return after how many seconds it did; an error means that it does not yet.

    The last look begins after the limit: a machine that stood still meanwhile does not decide.
    """
    began = time.monotonic()
    while True:
        waited, told = time.monotonic() - began, ""
        try:
            if holds():
                return time.monotonic() - began
        except (DmHelpersError, OSError) as error:  # no leader for a moment, a connection that was cut
            told = f", and then: {error}"
        assert waited < limit_s, f"waited {waited:.0f} s for {what}{told}"
        time.sleep(1)


def first_line(path: Path) -> str:
    """Return the first line of a file, ``""`` where there is none."""
    return path.read_text(encoding="utf-8").splitlines()[0] if path.is_file() else ""
