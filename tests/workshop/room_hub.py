"""A workshop's hub on this machine, as `hub.configure` tells it to be, without an engine, a proxy and seats."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import requests

from dmhelpers.workshop import roster, settings
from dmhelpers.workshop.preparing import free_port
from dmhelpers.workshop.settings import Limits, Workshop

CALLBACK = "/services/box/oauth_callback"
SECRET = "0" * 40
LIMIT_S = 300
"""How long to wait for the hub: on a busy machine it takes many times what it does on a quiet one."""
_CONFIG = """
from pathlib import Path
from jupyterhub.proxy import Proxy
from dmhelpers.workshop import hub, settings


class NoProxy(Proxy):
    should_start = False

    async def add_route(self, routespec, target, data):
        pass

    async def delete_route(self, routespec):
        pass

    async def get_all_routes(self):
        return {}


c = get_config()
hub.configure(c, settings.load(Path(".")))
c.JupyterHub.proxy_class = NoProxy
box = {"name": "box", "url": "http://127.0.0.1:9", "api_token": "0" * 40, "oauth_no_confirm": True}
c.JupyterHub.services.append({**box, "oauth_redirect_uri": "/services/box/oauth_callback"})
c.JupyterHub.load_roles.append({"name": "user", "scopes": ["self", "access:services!service=box"]})
"""


class RoomHub:
    """The hub as a process, with one learner, `ann`; use it as a context manager.

    Args:
        folder: The workshop's folder.
    """

    def __init__(self, folder: Path) -> None:
        port = free_port("127.0.0.1")
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        local = {"address": "127.0.0.1", "hub_address": "127.0.0.1", "engine_host": "unix:///none"}
        ports = {"port": free_port("127.0.0.1"), "hub_port": port, "proxy_port": 9, "view_port": 9, "mirror_port": 0}
        made = {"name": "test", "folder": folder, "image": "none", "pack": "", "limits": Limits(), "idle_after_s": 0}
        workshop = Workshop(**local, **ports, **made)  # type: ignore[arg-type]
        settings.save(workshop)
        people, (card,) = roster.enrol(["Ann"])
        roster.save(workshop.roster_file, people)
        self.code = card.code
        (folder / "proxy_token").write_text("0" * 40, encoding="utf-8")
        (folder / "config.py").write_text(_CONFIG, encoding="utf-8")

    def __enter__(self) -> Self:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("JUPYTERHUB")}
        with (self.folder / "hub.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", "config.py"],
                cwd=self.folder,
                env=kept,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + LIMIT_S
        while not self._is_up():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.__exit__()
                raise AssertionError((self.folder / "hub.log").read_text())
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=LIMIT_S)

    def log_in(self, code: str) -> tuple[requests.Session, requests.Response]:
        """Fill in the login page for `ann` and return the browser and what the hub answered."""
        browser = requests.Session()
        browser.get(f"{self.url}/hub/login", timeout=LIMIT_S)
        form = {"username": "ann", "password": code, "_xsrf": xsrf(browser)}
        return browser, browser.post(f"{self.url}/hub/login?next=/hub/home", data=form, timeout=LIMIT_S)

    def ask_token(self, browser: requests.Session, **body: Any) -> requests.Response:
        """Ask for a token of `ann`'s."""
        headers = {"X-XSRFToken": xsrf(browser)}
        return browser.post(f"{self.url}/hub/api/users/ann/tokens", json=body, headers=headers, timeout=LIMIT_S)

    def _is_up(self) -> bool:
        try:
            return requests.get(f"{self.url}/hub/health", timeout=30).status_code == 200
        except requests.RequestException:
            return False


def xsrf(browser: requests.Session) -> str:
    """Return the hub's token for forms."""
    return next((one.value or "" for one in browser.cookies if one.name == "_xsrf" and one.path == "/hub/"), "")
