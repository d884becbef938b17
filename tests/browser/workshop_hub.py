"""A real JupyterHub with the instructor's view, as the tests use it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmhelpers.workshop import proxy
from tests.browser.going import go

CONFIG = Path(__file__).parent / "hub" / "jupyterhub_config.py"
LIMIT_S = 300
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
NAMES = ("teacher", "ada", "ben", "eve")


@dataclass(frozen=True)
class Hub:
    """A running hub: its address, its folder, the hub's own process, and everybody's password."""

    address: str
    folder: Path
    process: subprocess.Popen[bytes]
    passwords: dict[str, str]

    @property
    def view(self) -> str:
        """Where the instructor's page is."""
        return f"{self.address}/services/progress/"

    def log_in(self, browser: Any, name: str, **options: Any) -> Any:
        """Return a page of a new window, in which this person has logged in."""
        window = browser.new_context(**options)
        window.set_default_timeout(LIMIT_S * 1000)
        page = window.new_page()
        go(page, f"{self.address}/hub/login?next=/hub/home")
        page.fill("#username_input", name)
        page.fill("#password_input", self.passwords[name])
        page.click("#login_submit")
        page.wait_for_url("**/hub/home")
        return page

    def start_server(self, page: Any, name: str) -> Kernel:
        """Have the hub start this learner's server, from their own window."""
        go(page, f"{self.address}/hub/spawn/{name}")
        page.wait_for_url(f"{self.address}/user/{name}/**")
        return Kernel(f"http://127.0.0.1:{(self.folder / 'homes' / name / 'port').read_text()}")


@dataclass(frozen=True)
class Kernel:
    """A learner's server, which runs cells."""

    address: str

    def run(self, cell: str, *, notebook: str = "") -> str:
        """Run a cell and return what it shows."""
        content = json.dumps({"cell": cell, "notebook": f"notebooks/{notebook}.ipynb"}).encode()
        with OPENER.open(self.address, data=content, timeout=LIMIT_S) as answer:
            found = json.load(answer)
        assert not found["error"], found
        return str(found["text"])


def ask(method: str, address: str, *, body: bytes | None = None, token: str = "") -> tuple[int, str]:
    """Send a request without a browser and return the answer's status and text."""
    headers = {"Authorization": f"token {token}"} if token else {}
    request = urllib.request.Request(address, data=body, headers=headers, method=method)  # noqa: S310  the hub's own
    try:
        with OPENER.open(request, timeout=LIMIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@contextmanager
def running(folder: Path, ports: list[int]) -> Iterator[Hub]:
    """Start a hub in an empty folder, on four free ports, and stop it with all that it started."""
    passwords = {name: secrets.token_hex(8) for name in NAMES}
    environment = {
        **os.environ,
        "TEST_HUB_FOLDER": str(folder),
        "TEST_HUB_PORTS": " ".join(map(str, ports)),
        "TEST_HUB_PASSWORDS": " ".join(map(":".join, passwords.items())),
        "TEST_HUB_PROXY": str(proxy.find()),
    }
    command = [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)]
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        made = Hub(f"http://127.0.0.1:{ports[0]}", folder, process, passwords)
        try:
            _wait(made)
            yield made
        finally:
            process.send_signal(signal.SIGTERM)  # the hub stops its proxy, its service and the learners' servers
            process.wait(timeout=LIMIT_S)


def _wait(made: Hub) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        assert made.process.poll() is None, (made.folder / "hub.log").read_text(errors="replace")
        try:
            if ask("GET", f"{made.view}static/view.css")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError((made.folder / "hub.log").read_text(errors="replace"))
