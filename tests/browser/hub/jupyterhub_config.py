"""The test's hub: a password for each person, and learners whose servers are `learner.py` on this machine."""
# ruff: noqa: F821  the hub runs this file with `c`; it is no module

import os
import sys
from pathlib import Path

from jupyterhub.auth import Authenticator
from jupyterhub.proxy import ConfigurableHTTPProxy
from jupyterhub.spawner import SimpleLocalProcessSpawner

from dmhelpers.workshop.view.config import hub_entries

here = Path(os.environ["TEST_HUB_FOLDER"])
port, api_port, hub_port, view_port = os.environ["TEST_HUB_PORTS"].split()
SPAWN_LIMIT_S = 300
PROXY_STARTS = 6


class Passwords(Authenticator):
    """Lets in whoever has the password that the test made up for them."""

    async def authenticate(self, handler, data):
        """Return the name, or None."""
        known = dict(one.split(":") for one in os.environ["TEST_HUB_PASSWORDS"].split())
        return data["username"] if known.get(data["username"]) == data["password"] else None


class PatientProxy(ConfigurableHTTPProxy):
    """The usual proxy, which a hub gives 10 s to answer: too few for a Node.js on a busy machine."""

    async def start(self):
        """Start it, and anew where it was too slow: its files are in memory by then."""
        for _ in range(PROXY_STARTS - 1):
            try:
                return await super().start()
            except TimeoutError:
                self.stop()
        return await super().start()


c.JupyterHub.proxy_class = PatientProxy
c.JupyterHub.bind_url = f"http://127.0.0.1:{port}/"
c.JupyterHub.hub_port = int(hub_port)
c.JupyterHub.authenticator_class = Passwords
c.JupyterHub.spawner_class = SimpleLocalProcessSpawner
c.JupyterHub.db_url = f"sqlite:///{here / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(here / "hub_cookie_secret")
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.pid_file = str(here / "proxy.pid")
c.ConfigurableHTTPProxy.command = [os.environ["TEST_HUB_PROXY"]]
c.Authenticator.allow_all = True
c.SimpleLocalProcessSpawner.home_dir_template = str(here / "homes" / "{username}")
c.Spawner.cmd = [sys.executable, str(Path(__file__).with_name("learner.py"))]
c.Spawner.env_keep = [*os.environ]
c.Spawner.notebook_dir = ""
c.Spawner.start_timeout = c.Spawner.http_timeout = SPAWN_LIMIT_S
hub_entries(
    instructors=["teacher"],
    hub_url=f"http://127.0.0.1:{port}/",
    state_folder=here / "view",
    service_url=f"http://127.0.0.1:{view_port}",
).add_to(c)
