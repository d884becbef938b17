"""In a workshop: tells the hub how far this learner is, in a thread of its own that no cell ever waits for.

The hub sets `ADDRESS` in every learner's environment; elsewhere nothing is told. What is sent is the whole state of
the progress file each time, so a message that was lost is made good by the next.
"""

from __future__ import annotations

import atexit
import functools
import http.client
import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dmhelpers.course import progress, sharing
from dmhelpers.course.notebooks import NAMES
from dmhelpers.errors import DmHelpersError

ADDRESS = "DMHELPERS_PROGRESS_URL"
"""The environment variable with the address of the workshop's progress service; a learner's own token goes there."""
TOKEN = "JUPYTERHUB_API_TOKEN"  # noqa: S105  the variable's name
VERSION = 1
TIME_LIMIT_S = 3.0
LONGEST_PAUSE_S = 60.0
_BETWEEN_S = 0.2
_AT_EXIT_S = 1.0
_ANSWER_BYTES = 4096
_REFUSED = range(400, 500)
_SLOW_DOWN = 429
_log = logging.getLogger(__name__)

one_message = threading.Lock()
"""Held while a message is under way: what a learner has deleted must not come back by one that was sent before."""


class Unsent(Exception):
    """A message did not arrive; `final` says that the same message would be refused again."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


def in_workshop() -> bool:
    """Say whether the hub asks for progress here."""
    return bool(os.environ.get(ADDRESS) and os.environ.get(TOKEN))


def notebook_opened(shell: Any = None) -> None:
    """Keep that this kernel's notebook was opened, report it, and say once what is reported. Raises nothing."""
    if not in_workshop():
        return
    name = _notebook_name(shell)
    try:
        if name:
            progress.note_opened(name)
        told = sharing.tell_once()
    except DmHelpersError as error:
        told = str(error)
    if told:
        print(told)  # noqa: T201  a notebook's cell shows it
    report()


def report() -> None:
    """Have the progress file sent soon. Returns at once, and raises nothing, whatever becomes of it."""
    if not in_workshop() or not sharing.choice().progress:
        return
    try:
        _reporter().wake()
    except RuntimeError as error:  # no thread could be started: a learner's limit of processes is reached
        _log.debug("progress is not reported: %s", error)


def message() -> dict[str, Any]:
    """Return what is reported: how long ago notebooks were opened and checks tried and passed; never guesses.

    Ages, in seconds, and not times of day: the clocks of learner and hub may differ.
    """
    now = datetime.now(UTC)

    def age_s(when: datetime | None) -> float | None:
        return None if when is None else max(0.0, round((now - when).total_seconds(), 1))

    checks = {
        number: {
            "done": one.done,
            "tries": one.tries,
            "first_try_s": age_s(one.first_try),
            "done_s": age_s(one.done_at),
        }
        for number, one in progress.records().items()
    }
    opened = {name: age_s(when) for name, when in progress.opened().items()}
    return {"version": VERSION, "shares_name": sharing.choice().name, "opened": opened, "checks": checks}


def send(content: dict[str, Any] | None) -> dict[str, Any]:
    """Send a report, or for None have this learner's row deleted, and return the service's answer.

    Raises:
        Unsent: It did not arrive, or was refused.
    """
    address = os.environ.get(ADDRESS, "").rstrip("/") + "/api/report"
    if not _is_of_the_web(address):
        raise Unsent(f"{ADDRESS} is no address of the web", final=True)
    request = urllib.request.Request(  # noqa: S310  the scheme is one of two
        address,
        data=None if content is None else json.dumps(content).encode(),
        headers={"Authorization": f"token {os.environ.get(TOKEN, '')}", "Content-Type": "application/json"},
        method="DELETE" if content is None else "POST",
    )
    try:
        with _opener().open(request, timeout=TIME_LIMIT_S) as answer:
            found = json.loads(answer.read(_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        error.close()
        final = error.code in _REFUSED and error.code != _SLOW_DOWN
        raise Unsent(f"the workshop's hub answered with {error.code}", final=final) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unsent("the workshop's hub does not answer", final=False) from error
    return found if isinstance(found, dict) else {}


def _is_of_the_web(address: str) -> bool:
    try:
        found = urlsplit(address)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(found.hostname)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: the token is for this address and no other."""


@functools.lru_cache(maxsize=1)
def _opener() -> urllib.request.OpenerDirector:
    # The hub stands in the same network: a proxy for the outside world is not asked, nor told the token.
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


class Reporter:
    """One thread that sends the newest state whenever it was woken; what comes meanwhile is one message more.

    Args:
        pause_s: How long to wait after a message that did not arrive; doubled each time, to a minute at most.
    """

    def __init__(self, *, pause_s: float = 2.0) -> None:
        self._pause_s = pause_s
        self._due = threading.Event()
        self._settled = threading.Event()
        self._one = threading.Lock()
        threading.Thread(target=self._work, name="dmhelpers-progress", daemon=True).start()

    def wake(self) -> None:
        """Ask for a message."""
        with self._one:
            self._settled.clear()
            self._due.set()

    def wait(self, limit_s: float) -> bool:
        """Wait until nothing is left to send; return whether that was so in time."""
        return self._settled.wait(limit_s)

    def _work(self) -> None:
        pause_s = 0.0
        while True:
            self._due.wait(pause_s or None)
            self._due.clear()
            pause_s = self._next_pause_s(pause_s)
            with self._one:  # else who woke it meanwhile would be told that nothing is left to send
                if not pause_s and not self._due.is_set():
                    self._settled.set()
            time.sleep(_BETWEEN_S)

    def _next_pause_s(self, pause_s: float) -> float:
        try:
            with one_message:
                if sharing.choice().progress:
                    send(message())
        except Unsent as reason:
            _log.debug("progress did not arrive: %s", reason)
            return 0.0 if reason.final else min(max(2 * pause_s, self._pause_s), LONGEST_PAUSE_S)
        except Exception:
            _log.debug("progress could not be read", exc_info=True)
        return 0.0


@functools.lru_cache(maxsize=1)
def _reporter() -> Reporter:
    made = Reporter()
    atexit.register(made.wait, _AT_EXIT_S)
    return made


def _notebook_name(shell: Any) -> str:
    """Return the course's name of the notebook of this kernel; Jupyter's server tells a kernel its path."""
    names = [os.environ.get("JPY_SESSION_NAME", ""), str(getattr(shell, "user_ns", {}).get("__vsc_ipynb_file__", ""))]
    stems = [Path(one).stem for one in names if one]
    return next((name for name in NAMES for stem in stems if stem.startswith(name)), "")
