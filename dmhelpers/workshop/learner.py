"""A learner as the hub sees one: logs in with a code, starts a seat, saves files, runs cells in a kernel.

It does over HTTP what a browser does, cookies and XSRF included, so that what it measures is what learners get.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from dmhelpers.errors import EngineError, TimeLimitReached
from dmhelpers.workshop.kernel import Kernel

_REQUEST_LIMIT_S = 300.0


class Visitor:
    """One person's session with a workshop.

    Args:
        url: The workshop's address.
        login: Who.
        code: Their code.
        left: Set when they leave: what waits for an answer then ends.
    """

    def __init__(self, url: str, login: str, code: str, *, left: threading.Event | None = None) -> None:
        import requests

        self.url, self.login, self.code = url, login, code
        self.left = left or threading.Event()
        self.session = requests.Session()
        self.session.trust_env = False
        # The proxy ends a connection that was idle for 5 s, maybe just as the next request goes out on it.
        self.session.headers["Connection"] = "close"
        self._token = ""

    def log_in(self) -> int:
        """Log in as the login page does, and return the status: 200 inside, 403 refused.

        Raises:
            EngineError: The page has no XSRF cookie to send back.
        """
        page = f"{self.url}/hub/login"
        self.session.get(page, timeout=_REQUEST_LIMIT_S)
        form = {"username": self.login, "password": self.code, "_xsrf": self._xsrf("/hub/")}
        # Where the page leads to after that may be a seat that has to start first.
        answer = self.session.post(f"{page}?next=%2Fhub%2Fhome", data=form, timeout=_REQUEST_LIMIT_S)
        if answer.status_code == 200:
            self._make_token()
        return answer.status_code

    def call(self, method: str, path: str, *, body: Any = None, limit_s: float = _REQUEST_LIMIT_S) -> Any:
        """Send a request with this person's own token and return the response, whatever its status."""
        headers = {"Authorization": f"token {self._token}"}
        # Without the session's cookies: with them, a token would not be asked for.
        import requests

        with requests.Session() as plain:
            plain.trust_env = False
            return plain.request(
                method,
                f"{self.url}{path}",
                json=body,
                headers=headers,
                timeout=limit_s,
                allow_redirects=False,
            )

    def start_seat(self, *, limit_s: float) -> None:
        """Start the seat and wait until its JupyterLab answers; one that is just being stopped is started after that.

        Raises:
            EngineError: The hub says that it failed.
            TimeLimitReached: It did not answer in time.
        """
        deadline = time.monotonic() + limit_s
        while True:
            asked = self.call("POST", f"/hub/api/users/{self.login}/server")
            if asked.status_code in (201, 202) or (asked.status_code == 400 and self._has_seat()):
                break
            self._wait(deadline, f"the hub answered {asked.status_code} to a start")
        while True:
            ready = self.call("GET", f"/user/{self.login}/api/status")
            if ready.status_code == 200:
                return
            state = self.call("GET", f"/hub/api/users/{self.login}")
            if state.status_code == 200 and not state.json()["pending"] and not state.json()["server"]:
                raise EngineError(
                    f"The seat of {self.login} did not start.",
                    hint="See the hub's log for why: dmhelpers workshop status",
                )
            self._wait(deadline, f"the seat of {self.login} answers {ready.status_code}")

    def _has_seat(self) -> bool:
        """Tell whether the hub takes the seat for one that runs; while it stops, it does not."""
        state = self.call("GET", f"/hub/api/users/{self.login}")
        return bool(state.status_code == 200 and state.json()["server"] and not state.json()["pending"])

    def stop_seat(self, *, limit_s: float = 300.0) -> None:
        """Stop the seat and wait until it is gone."""
        deadline = time.monotonic() + limit_s
        while self.call("DELETE", f"/hub/api/users/{self.login}/server").status_code != 204:
            self._wait(deadline, f"the seat of {self.login} does not stop")

    def save(self, path: str, text: str) -> bool:
        """Save a text file in the seat as JupyterLab does, and return whether the server says that it is saved."""
        body = {"type": "file", "format": "text", "content": text}
        return bool(self.call("PUT", f"/user/{self.login}/api/contents/{path}", body=body).status_code in (200, 201))

    def saved(self, path: str) -> str:
        """Return a text file of the seat.

        Raises:
            EngineError: The server does not give it.
        """
        answer = self.call("GET", f"/user/{self.login}/api/contents/{path}?type=file&format=text")
        if answer.status_code != 200:
            raise EngineError(f"{path}: the server answers {answer.status_code}.", hint="Is the seat running?")
        return str(answer.json()["content"])

    @contextmanager
    def kernel(self) -> Iterator[Kernel]:
        """Give a kernel in the seat, which ends with the block."""
        base = f"/user/{self.login}/api/kernels"
        made = self.call("POST", base, body={"name": "python3", "path": "notebooks"})
        if made.status_code != 201:
            raise EngineError(f"No kernel started: {made.status_code} {made.text[:200]}", hint="Restart the seat.")
        kernel_id = made.json()["id"]
        place = urlsplit(self.url).netloc
        kernel = Kernel(f"ws://{place}{base}/{kernel_id}/channels", self._token, self.left)
        try:
            yield kernel
        finally:
            kernel.close()
            with suppress(OSError):  # cut off just now: the kernel then ends with the seat
                self.call("DELETE", f"{base}/{kernel_id}")

    def _make_token(self) -> None:
        made = self.session.post(
            f"{self.url}/hub/api/users/{self.login}/tokens",
            json={"note": "rehearsal", "expires_in": 86400},
            headers={"X-XSRFToken": self._xsrf("/hub/"), "Referer": f"{self.url}/hub/home"},
            timeout=_REQUEST_LIMIT_S,
        )
        if made.status_code != 201:
            raise EngineError(f"The hub gives no token: {made.status_code} {made.text[:200]}", hint="Log in again.")
        self._token = made.json()["token"]

    def _xsrf(self, path: str) -> str:
        for cookie in self.session.cookies:
            if cookie.name == "_xsrf" and cookie.path == path:
                return cookie.value or ""
        raise EngineError(
            "The hub's login page sets no XSRF cookie.", hint="Is this a JupyterHub? Open it in a browser."
        )

    def _wait(self, deadline: float, what: str) -> None:
        if self.left.is_set() or time.monotonic() > deadline:
            raise TimeLimitReached(f"Waited too long: {what}.", hint="See the hub's log: dmhelpers workshop status")
        self.left.wait(1.0)
