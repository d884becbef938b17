"""A hub that is told what the chart would tell it from the Helm values, on this machine, with the view beside it.

In place of the chart's proxy the visitors' own requests choose between the two by their paths.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from tests.deploy.visitor import until

PREFIX = "/services/progress/"
LIMIT_S = 300
"""How long to wait for the hub and the view: on a busy machine they take many times what they do on a quiet one."""
_TOKEN = "0" * 40
_CONFIG = """
import json
from jupyterhub.proxy import Proxy
from traitlets import Dict


class Untold(Proxy):
    should_start = False
    routes = Dict()

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {{"routespec": routespec, "target": target, "data": data}}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

    async def get_all_routes(self):
        return self.routes


c = get_config()
hub = json.loads({hub!r})
for section, traits in hub["config"].items():
    for name, value in traits.items():
        setattr(c[section], name, value)
c.JupyterHub.services = [{{"name": name, "api_token": {token!r}, **one}} for name, one in hub["services"].items()]
c.JupyterHub.load_roles = [{{"name": name, **one}} for name, one in hub["loadRoles"].items()]
c.JupyterHub.proxy_class = Untold
c.JupyterHub.hub_port = {port}
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.cookie_secret = bytes(32)
"""


class ChartHub:
    """The hub and the view as processes; use it as a context manager.

    Args:
        hub: The values' `hub`, with people who can sign in.
        folder: Where both keep what they keep.
    """

    def __init__(self, hub: Mapping[str, Any], folder: Path) -> None:
        self.folder = folder
        self.hub_port, self.view_port = _free_ports()
        self.view = hub["extraContainers"][0]
        services = {"progress": {**hub["services"]["progress"], "url": f"http://127.0.0.1:{self.view_port}"}}
        told = json.dumps({**hub, "services": services})
        config = _CONFIG.format(hub=told, token=_TOKEN, port=self.hub_port)
        (folder / "jupyterhub_config.py").write_text(config, encoding="utf-8")

    def __enter__(self) -> Self:
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            self._start([sys.executable, "-m", "jupyterhub", "--config", "jupyterhub_config.py"], {})
            self._wait("/hub/health", 200)
            self._start([sys.executable, *self._arguments()], self._environment())
            self._wait(f"{PREFIX}table", 403)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._processes:
            one.terminate()
        for one in self._processes:
            one.wait(timeout=LIMIT_S)

    def status(self, path: str) -> int:
        """Return the status that somebody gets who is not signed in; 0 where nothing answers."""
        try:
            return self.session().get(f"http://127.0.0.1{path}", timeout=30).status_code
        except requests.RequestException:
            return 0

    def session(self) -> requests.Session:
        """Return a browser."""
        made = requests.Session()
        made.mount("http://", _ByPath(self.hub_port, self.view_port))
        return made

    def sign_in(self, name: str, password: str) -> requests.Session:
        """Return the browser of somebody who has signed in."""
        browser = self.session()
        browser.get("http://127.0.0.1/hub/login", timeout=LIMIT_S)
        form = {"username": name, "password": password, "_xsrf": _xsrf(browser)}
        browser.post("http://127.0.0.1/hub/login?next=/hub/home", data=form, timeout=LIMIT_S).raise_for_status()
        return browser

    def token(self, browser: requests.Session, name: str) -> str:
        """Return a token of theirs."""
        path = f"http://127.0.0.1/hub/api/users/{name}/tokens"
        answer = browser.post(path, headers={"X-XSRFToken": _xsrf(browser)}, json={}, timeout=LIMIT_S)
        answer.raise_for_status()
        return str(answer.json()["token"])

    def _wait(self, path: str, status: int) -> None:
        """Wait until the process that was started last answers; fail with its log where it has ended."""

        def answers() -> bool:
            log = self.folder / f"{len(self._processes) - 1}.log"
            assert self._processes[-1].poll() is None, log.read_text(encoding="utf-8")
            return self.status(path) == status

        until(answers, path, LIMIT_S)

    def _start(self, argv: list[str], environment: Mapping[str, str]) -> None:
        log = (self.folder / f"{len(self._processes)}.log").open("wb")
        kept = {name: text for name, text in os.environ.items() if not name.startswith("JUPYTERHUB")}
        with log:
            process = subprocess.Popen(
                argv, cwd=self.folder, env={**kept, **environment}, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._processes.append(process)

    def _arguments(self) -> list[str]:
        command: list[str] = self.view["command"]
        given = command[command.index("-m") :]
        return [str(self.folder / "state") if one.startswith("/srv/progress/") else one for one in given]

    def _environment(self) -> dict[str, str]:
        """Return the container's environment, with this machine's ports and the secret's content."""
        told = {one["name"]: one.get("value", _TOKEN) for one in self.view["env"]}
        ports = {":8081/": f":{self.hub_port}/", "0.0.0.0:10101": f"127.0.0.1:{self.view_port}"}
        for there, here in ports.items():
            told = {name: text.replace(there, here) for name, text in told.items()}
        return told


class _ByPath(HTTPAdapter):
    def __init__(self, hub_port: int, view_port: int) -> None:
        super().__init__()
        self._hub, self._view = hub_port, view_port

    def send(self, request: requests.PreparedRequest, *given: Any, **options: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        port = self._view if str(parts.path).startswith(PREFIX) else self._hub
        request.url = parts._replace(netloc=f"127.0.0.1:{port}").geturl()  # type: ignore[arg-type]
        return super().send(request, *given, **options)


def _xsrf(browser: requests.Session) -> str:
    return next((one.value or "" for one in browser.cookies if one.name == "_xsrf" and one.path == "/hub/"), "")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for socket_ in (one, other):
            socket_.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])
