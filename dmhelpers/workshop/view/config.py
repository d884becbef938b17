"""What a hub's configuration needs for the instructor's view: a service, a role, a group, an environment.

At the end of a ``jupyterhub_config.py``, whatever its spawner::

    from dmhelpers.workshop.view.config import hub_entries
    hub_entries(instructors=["ada"], hub_url="http://10.0.0.1:8000/", state_folder="/srv/workshop/view").add_to(c)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmhelpers.errors import InputError
from dmhelpers.workshop.view.grid import STUCK_MINUTES, STUCK_TRIES

NAME = "progress"
GROUP = "instructors"
SERVICE_URL = "http://127.0.0.1:10101"


@dataclass(frozen=True, slots=True)
class HubEntries:
    """The entries, each in the form of the JupyterHub option that it belongs to.

    `services` goes to ``JupyterHub.services``, `roles` to ``JupyterHub.load_roles``, `groups` to
    ``JupyterHub.load_groups``, `environment` to ``Spawner.environment``.
    """

    services: list[dict[str, Any]]
    roles: list[dict[str, Any]]
    groups: dict[str, dict[str, list[str]]]
    environment: dict[str, str]

    def add_to(self, config: Any) -> None:
        """Add them to a `jupyterhub_config.py`'s ``c``, beside what stands there already."""
        config.JupyterHub.services.extend(self.services)
        config.JupyterHub.load_roles.extend(self.roles)
        config.JupyterHub.load_groups.update(self.groups)
        config.Spawner.environment.update(self.environment)


def hub_entries(
    *,
    instructors: Iterable[str],
    hub_url: str,
    state_folder: str | Path,
    service_url: str = SERVICE_URL,
    stuck_tries: int = STUCK_TRIES,
    stuck_minutes: float = STUCK_MINUTES,
) -> HubEntries:
    """Return what makes a JupyterHub (5 or newer) show the learners' progress to the instructors.

    Args:
        instructors: Their names at the hub; they get the role ``progress-reader`` through the group ``instructors``.
            Hub administrators may see the page too: they may do everything.
        hub_url: Where a *learner's server* reaches the hub's proxy, with the hub's base path: ``http://127.0.0.1:8000/``
            for processes of one machine, the proxy's address in their network for containers and pods. Where they
            cannot reach the proxy, `service_url` itself.
        state_folder: Where the service keeps what was reported, so that a restart loses nothing.
        service_url: Where the service listens: on the loopback of the hub's machine where only the proxy needs to
            reach it, at an address of the learners' network where they report to it without the proxy.
        stuck_tries: From how many tries at a check, without passing, a learner counts as stuck.
        stuck_minutes: Or after how many minutes since the first try.

    Raises:
        InputError: An address is none.
    """
    for address in (hub_url, service_url):
        if not address.startswith(("http://", "https://")):
            raise InputError(f"{address!r} is no address.", hint='Give one such as "http://127.0.0.1:8000/".')
    command = [sys.executable, "-m", "dmhelpers.workshop.view", "--state", str(Path(state_folder).absolute())]
    # This runs in the hub, whose service must end with it, were that before the service knows its parent.
    command += ["--hub", str(os.getpid())]
    command += ["--stuck-tries", str(stuck_tries), "--stuck-minutes", str(stuck_minutes)]
    service = {"name": NAME, "url": service_url, "command": command, "oauth_no_confirm": True}
    role = {
        "name": "progress-reader",
        "description": "May see the learners' progress",
        "groups": [GROUP],
        "scopes": [f"access:services!service={NAME}"],
    }
    return HubEntries(
        services=[service],
        roles=[role],
        groups={GROUP: {"users": sorted(instructors)}},
        environment={"DMHELPERS_PROGRESS_URL": f"{hub_url.rstrip('/')}/services/{NAME}/"},
    )
