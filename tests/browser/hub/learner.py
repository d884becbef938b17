"""A learner's server in the test: it runs the cells that it is sent in IPython, as a notebook's kernel does.

Started by the hub, so that its token and the address that it reports to are those that a real server gets.
"""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from dmhelpers.course import reporting

os.environ["DMHELPERS_WORKSPACE"] = str(Path.cwd() / "workspace")
# A history that two learners share is locked now and then, which IPython says among what a cell prints.
SHELL = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))


reporting.TIME_LIMIT_S = 120.0  # a learner would try again where the hub is slow


class Kernel(BaseHTTPRequestHandler):
    """Runs what is posted as a cell; whoever is on this machine may: it is a test's."""

    def do_GET(self) -> None:
        """Say that the server is up, which is what the hub asks."""
        self._answer({})

    def do_POST(self) -> None:
        """Run a cell in a notebook of that name, and answer with what it shows."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        os.environ["JPY_SESSION_NAME"] = asked["notebook"]
        with capture_output() as shown:
            done = SHELL.run_cell(asked["cell"])
        error = done.error_before_exec or done.error_in_exec
        text = shown.stdout + "".join(map(str, shown.outputs))
        self._answer({"text": text, "error": repr(error) if error else ""})

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _answer(self, content: object) -> None:
        raw = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
Path("port").write_text(str(address.port))
HTTPServer((address.hostname or "127.0.0.1", address.port or 0), Kernel).serve_forever()
