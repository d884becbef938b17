"""A real JupyterLab on this machine and a headless Chromium in front of it."""

from __future__ import annotations

import http
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dmhelpers.course.notebooks import NAMES, Json, read, shelf

WIDTH = 1280
START_LIMIT_S = 300
WAIT_LIMIT_MS = 300_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SETTINGS = {
    # No news are fetched, so no question about them is asked.
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # All cells are in the page, not only those in view.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: where it answers, its token, and the folder it shows."""

    address: str
    token: str
    folder: Path

    def url(self, name: str) -> str:
        """Return the address that opens a notebook, in a fresh layout."""
        return f"{self.address}/lab/workspaces/{name}/tree/notebooks/{name}.ipynb?token={self.token}"

    def saved(self, name: str) -> Json:
        """Return a notebook as JupyterLab saved it."""
        return read(self.folder / "notebooks" / f"{name}.ipynb")


@pytest.fixture(scope="session")
def lab(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Start JupyterLab on copies of the learner notebooks, on a free port of this machine, with a token."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    for name in NAMES:
        if shelf().learner_copy(name).is_file():
            shutil.copyfile(shelf().learner_copy(name), folder / "notebooks" / f"{name}.ipynb")
    for name, content in SETTINGS.items():
        path = folder / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    made = Lab(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), folder)
    with (folder / "jupyterlab.log").open("wb") as log, _server(made, log) as process:
        try:
            _wait_until_ready(made, process)
            yield made
        finally:
            process.terminate()  # ends its kernels too
            process.wait(timeout=START_LIMIT_S)


def _server(made: Lab, log: Any) -> subprocess.Popen[bytes]:
    port = made.address.rpartition(":")[2]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    own = {
        "JUPYTER_TOKEN": made.token,
        "JUPYTER_CONFIG_DIR": str(made.folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(made.folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(made.folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(made.folder / "layouts"),
        "DMHELPERS_WORKSPACE": str(made.folder / "workspace"),
        "DMHELPERS_PATIENCE": "6",
    }
    environment = {**os.environ, **own}
    return subprocess.Popen(command, cwd=made.folder, env=environment, stdout=log, stderr=subprocess.STDOUT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(made: Lab, process: subprocess.Popen[bytes]) -> None:
    host, _, port = made.address.removeprefix("http://").partition(":")
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, (made.folder / "jupyterlab.log").read_text(errors="replace")
        with suppress(OSError), closing(http.client.HTTPConnection(host, int(port), timeout=30)) as connection:
            connection.request("GET", "/api/status", headers={"Authorization": f"token {made.token}"})
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not answer within {START_LIMIT_S} s")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start the Chromium that this machine has."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium on PATH; make test-browser installs it on Debian")
    arguments = ["--no-proxy-server", "--disable-dev-shm-usage"]
    # Chromium's own sandbox does not work for root, which CI often is. Nothing but this course's pages is opened.
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=arguments, timeout=WAIT_LIMIT_MS)
        yield made
        made.close()


@pytest.fixture(scope="session")
def window(browser: Any) -> Iterator[Any]:
    """Give a window as wide as a small laptop's screen; JupyterLab's own files are loaded into it once."""
    made = browser.new_context(viewport={"width": WIDTH, "height": 800})
    made.set_default_timeout(WAIT_LIMIT_MS)
    yield made
    made.close()


@pytest.fixture
def page(window: Any) -> Iterator[Any]:
    """Open a page, and close it after the test."""
    made = window.new_page()
    yield made
    made.close()
