"""What JupyterHub is told: who may come in, what a seat is, what it may use. Read by `jupyterhub_config.py`."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.workshop import disks, roster
from dmhelpers.workshop.settings import WORKSHOP_LABEL, Workshop

LANDING = "/lab/tree/notebooks/00_start_here.ipynb"
_COPIES_AT_ONCE = 2


def configure(c: Any, workshop: Workshop) -> None:
    """Set JupyterHub's configuration for a workshop.

    Args:
        c: The configuration object that JupyterHub gives its configuration file.
        workshop: The workshop.
    """
    _configure_hub(c, workshop)
    _configure_people(c, workshop)
    _configure_seats(c, workshop)
    _configure_culler(c, workshop)


def _configure_hub(c: Any, workshop: Workshop) -> None:
    c.JupyterHub.bind_url = f"http://{workshop.address}:{workshop.port}"
    c.JupyterHub.hub_ip = workshop.hub_address
    c.JupyterHub.hub_port = workshop.hub_port
    c.JupyterHub.db_url = f"sqlite:///{workshop.folder / 'hub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(workshop.folder / "cookie_secret")
    # The proxy runs beside the hub, so that neither takes the other or the learners' connections along when it ends.
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{workshop.proxy_port}"
    c.ConfigurableHTTPProxy.auth_token = (workshop.folder / "proxy_token").read_text(encoding="utf-8")
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.last_activity_interval = 10  # also how soon a new proxy is told its routes
    c.JupyterHub.concurrent_spawn_limit = 0
    c.JupyterHub.active_server_limit = 0
    c.JupyterHub.log_level = "INFO"


def _configure_people(c: Any, workshop: Workshop) -> None:
    from dmhelpers.workshop import hub_bounds
    from dmhelpers.workshop.authenticator import RosterAuthenticator

    hub_bounds.hold(c)
    people = roster.load(workshop.roster_file)
    c.JupyterHub.authenticator_class = RosterAuthenticator
    c.RosterAuthenticator.roster_file = str(workshop.roster_file)
    c.Authenticator.allowed_users = set(people)
    c.Authenticator.delete_invalid_users = True
    c.JupyterHub.load_roles = [
        {
            "name": "instructor",
            "scopes": ["admin-ui", "list:users", "read:users:activity", "read:servers", "servers"],
            "users": [one.login for one in people.values() if one.instructor],
        }
    ]
    c.JupyterHub.services = []


def _configure_seats(c: Any, workshop: Workshop) -> None:
    limits = workshop.limits
    c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
    c.DockerSpawner.image = workshop.image
    c.DockerSpawner.pull_policy = "never"
    c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
    c.DockerSpawner.escape = str  # a login is made of characters that any name may have
    c.DockerSpawner.name_template = workshop.container("{username}")
    c.DockerSpawner.network_name = workshop.network
    c.DockerSpawner.use_internal_ip = True
    c.DockerSpawner.remove = True
    c.DockerSpawner.notebook_dir = "/home/learner/course"
    c.DockerSpawner.default_url = LANDING
    c.DockerSpawner.volumes = {str(workshop.home("{username}")): "/home/learner"}
    c.DockerSpawner.read_only_volumes = {workshop.pack: workshop.pack_mount} if workshop.pack else {}
    c.DockerSpawner.mem_limit = limits.memory_bytes
    c.DockerSpawner.cpu_limit = limits.cpus
    c.DockerSpawner.extra_host_config = seat_host_config(workshop)
    c.DockerSpawner.extra_create_kwargs = {
        "labels": seat_labels(workshop),
        "host_config": UNMASKED,
        "user": "1000:1000",
    }
    c.Spawner.environment = {"DMHELPERS_PATIENCE": "10", "WORKSHOP_MIRROR": workshop.mirror or "off"}
    # On a loaded machine thirty servers take minutes to come up; giving up early only adds to the load.
    c.Spawner.start_timeout = 600
    c.Spawner.http_timeout = 600
    c.Spawner.pre_spawn_hook = _disk_hook(workshop)


UNMASKED: dict[str, Any] = {"MaskedPaths": [], "ReadonlyPaths": []}
"""What only the API can say: nothing of `/proc` is hidden. Without it no engine inside can mount its own."""


def seat_host_config(workshop: Workshop) -> dict[str, Any]:
    """Return docker-py's host settings of a seat, beside memory, CPU, network and volumes."""
    return {
        "cap_drop": ["ALL"],
        "cap_add": ["SETUID", "SETGID"],
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "devices": ["/dev/net/tun"],
        "pids_limit": workshop.limits.processes,
        "memswap_limit": workshop.limits.memory_bytes,
        "read_only": True,
        "tmpfs": {"/tmp": "size=64m,mode=1777", "/run/user/1000": "size=64m,mode=700,uid=1000,gid=1000"},  # noqa: S108
        "log_config": {"type": "json-file", "config": {"max-size": "2m", "max-file": "2"}},
    }


def seat_labels(workshop: Workshop) -> dict[str, str]:
    """Return the labels of a seat's container."""
    return {**COURSE_LABELS, WORKSHOP_LABEL: workshop.name}


def _disk_hook(workshop: Workshop) -> Any:
    # Of their own: copies for a class that arrives must not take the threads that the hub needs for all else.
    threads = ThreadPoolExecutor(_COPIES_AT_ONCE, thread_name_prefix="disks")

    async def prepare(spawner: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(threads, prepare_disk, workshop, spawner.escaped_name)

    return prepare


def prepare_disk(workshop: Workshop, learner: str) -> None:
    """Make a learner's disk from the template if there is none, and mount it if it is not."""
    disks.make_from_template(workshop, learner)
    disks.mount(workshop, learner)


def _configure_culler(c: Any, workshop: Workshop) -> None:
    if not workshop.idle_after_s:
        return
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    c.JupyterHub.load_roles.append({"name": "idle-culler", "scopes": scopes, "services": ["idle-culler"]})
    # It is started beside the hub, not by it: a hub that is killed would leave it behind and start another.
    token = (workshop.folder / "culler_token").read_text(encoding="utf-8")
    c.JupyterHub.services.append({"name": "idle-culler", "api_token": token})
