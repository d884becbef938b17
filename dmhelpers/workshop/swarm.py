"""A workshop on a Docker Swarm: what the hub is told; `swarm_seat` has what a seat is there.

`deploy/swarm/hub/jupyterhub_config.py` reads it.

A seat is a service of one task. Its work is a folder of a file system that every node shares; its engine and the
engine's images are on the node, and made anew where Swarm starts the seat again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import InputError, PackError
from dmhelpers.workshop import swarm_names, swarm_roster, swarm_seat

LANDING = "/lab/tree/notebooks/00_start_here.ipynb"
_VARIABLE = "WORKSHOP_"


@dataclass(frozen=True, slots=True)
class SwarmWorkshop:
    """One workshop on a Swarm.

    Args:
        shared: The folder that every node sees under this path: ``homes/`` with the learners' work, ``hub/`` with
            the hub's own files, and what `swarm_roster` writes.
        image: The image of a learner's seat, with the registry that the nodes pull it from.
        network: The overlay network of the hub and the seats; it must be attachable.
        hub: The name under which a seat finds the hub in that network.
        node_folder: What `prepare-node` made on each node.
        port: The port that the proxy listens on, on the node where the hub runs.
        pack: The folder, on each node, that every seat sees as ``/opt/pack``; ``""`` for none.
        mirror: The address where builds find the pack's packages, from within the seats' network; ``""`` for none.
        memory_bytes: The most memory that a learner may use, engine included.
        reserved_bytes: The memory that Swarm counts for a seat when it chooses a node.
        cpus: The most processors that a learner may use.
        processes: The most processes that a learner may have.
        disks: The folder, on each node, with the disks that `prepare-node --disks` made; ``""`` for none.
        disk: Without those, the size of a seat's volume, such as ``"8G"``, where the nodes' storage has quotas;
            ``""`` for no limit.
        idle_after_s: Seconds without use after which a seat is stopped; 0 for never.
    """

    shared: Path
    image: str
    network: str = "seats"
    hub: str = "hub"
    node_folder: Path = Path("/run/dmhelpers")
    port: int = 8000
    pack: str = ""
    mirror: str = ""
    memory_bytes: int = 1_500_000_000
    reserved_bytes: int = 400_000_000
    cpus: float = 1.0
    processes: int = 512
    disks: str = ""
    disk: str = ""
    idle_after_s: int = 7200


def from_environment(environment: Mapping[str, str] = os.environ) -> SwarmWorkshop:
    """Return the workshop that the variables ``WORKSHOP_SHARED``, ``WORKSHOP_IMAGE``, … describe.

    Raises:
        InputError: One that has no default is missing, or a number or the mirror's address is none.
    """
    kinds = {"shared": Path, "node_folder": Path, "cpus": float}
    for name in ("port", "memory_bytes", "reserved_bytes", "processes", "idle_after_s"):
        kinds[name] = int
    given: dict[str, Any] = {}
    for name in SwarmWorkshop.__dataclass_fields__:
        text = environment.get(_VARIABLE + name.upper(), "")
        if text:
            given[name] = _read(name, text, kinds.get(name, str))
    for name in ("shared", "image"):
        if name not in given:
            raise InputError(
                f"The hub is not told {_VARIABLE}{name.upper()}.",
                hint="Set it where the stack is deployed; deploy/swarm/README.md lists the variables.",
            )
    if "mirror" in given:
        given["mirror"] = _address(given["mirror"])
    return SwarmWorkshop(**given)


def _address(text: str) -> str:
    from dmhelpers.engine.pack.service import checked_url

    try:
        return checked_url(text)
    except PackError as error:
        raise InputError(
            f"{_VARIABLE}MIRROR is {text!r}, which is no address of a mirror.", hint="Such as: http://192.0.2.10:4873"
        ) from error


def _read(name: str, text: str, kind: Any) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise InputError(
            f"{_VARIABLE}{name.upper()} is {text!r}, which is no number.",
            hint="Give plain digits: bytes and seconds carry no unit.",
        ) from error


def configure(c: Any, workshop: SwarmWorkshop) -> None:
    """Set JupyterHub's configuration.

    Args:
        c: The configuration object that JupyterHub gives its configuration file.
        workshop: The workshop.
    """
    swarm_names.ask_anew()
    own = workshop.shared / "hub"
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    c.JupyterHub.bind_url = f"http://:{workshop.port}"
    c.JupyterHub.hub_ip = "0.0.0.0"  # noqa: S104  the seats reach it over the overlay network
    c.JupyterHub.hub_connect_ip = workshop.hub
    c.JupyterHub.db_url = f"sqlite:///{own / 'hub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(own / "cookie_secret")
    c.ConfigurableHTTPProxy.pid_file = "/tmp/proxy.pid"  # noqa: S108  of this container, and gone with it
    # Where the hub starts again, on whatever node, the seats have gone on without it.
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.init_spawners_timeout = 1  # some may be on their way to another node as well
    c.JupyterHub.last_activity_interval = 30
    _configure_people(c, workshop)
    _configure_seats(c, workshop)
    _configure_culler(c, workshop)
    _configure_view(c, workshop)


def _configure_people(c: Any, workshop: SwarmWorkshop) -> None:
    from dmhelpers.workshop import hub_bounds, roster
    from dmhelpers.workshop.authenticator import RosterAuthenticator

    hub_bounds.hold(c)
    people = roster.load(workshop.shared / "roster.json")
    swarm_roster.write_logins(workshop.shared, people)
    c.JupyterHub.authenticator_class = RosterAuthenticator
    c.RosterAuthenticator.roster_file = str(workshop.shared / "roster.json")
    c.Authenticator.allowed_users = set(people)
    c.Authenticator.delete_invalid_users = True
    scopes = ["admin-ui", "list:users", "read:users:activity", "read:servers", "servers"]
    instructors = [one.login for one in people.values() if one.instructor]
    c.JupyterHub.load_roles = [{"name": "instructor", "scopes": scopes, "users": instructors}]
    c.JupyterHub.services = []


def _configure_seats(c: Any, workshop: SwarmWorkshop) -> None:
    c.JupyterHub.spawner_class = "dmhelpers.workshop.swarm_spawner.SeatSpawner"
    c.SeatSpawner.image = workshop.image
    c.SeatSpawner.pull_policy = "never"  # each node pulls by itself, as it gets its first seat
    c.SeatSpawner.cmd = ["python", "-m", "dmhelpers.workshop.swarm_names"]
    c.SeatSpawner.name_template = "seat-{raw_username}"  # the roster's logins are small letters, digits, hyphens
    c.SeatSpawner.network_name = workshop.network
    c.SeatSpawner.use_internal_ip = True
    c.SeatSpawner.notebook_dir = "/home/learner/course"
    c.SeatSpawner.default_url = LANDING
    c.Spawner.environment = swarm_seat.environment(workshop)
    c.SeatSpawner.extra_container_spec = swarm_seat.container_spec()
    c.SeatSpawner.extra_task_spec = {
        "resources": swarm_seat.resources(workshop),
        "restart_policy": {"Condition": "any", "Delay": 1_000_000_000},
    }
    c.SeatSpawner.extra_create_kwargs = {"labels": dict(COURSE_LABELS)}  # the service's own, beside its container's
    # Not every kernel has ip_vs, which virtual addresses need.
    c.SeatSpawner.extra_endpoint_spec = {"mode": "dnsrr"}
    c.SeatSpawner.seat_mounts = lambda login: swarm_seat.mounts(workshop, login)
    c.SeatSpawner.pre_spawn_hook = lambda spawner: swarm_seat.prepare_work(workshop, spawner.user.name)
    c.Spawner.start_timeout = 600
    c.Spawner.http_timeout = 600
    c.Spawner.poll_interval = 10


def _configure_culler(c: Any, workshop: SwarmWorkshop) -> None:
    if not workshop.idle_after_s:
        return
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    c.JupyterHub.load_roles.append({"name": "idle-culler", "scopes": scopes, "services": ["idle-culler"]})
    command = [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={workshop.idle_after_s}"]
    c.JupyterHub.services.append({"name": "idle-culler", "command": command})


def _configure_view(c: Any, workshop: SwarmWorkshop) -> None:
    from dmhelpers.workshop import roster
    from dmhelpers.workshop.view.config import hub_entries

    # The hub starts it in its own container, so that both move to another node together. Seats reach it through the
    # proxy, which is there too, and under the hub's name in their network.
    people = roster.load(workshop.shared / "roster.json")
    hub_entries(
        instructors=[one.login for one in people.values() if one.instructor],
        hub_url=f"http://{workshop.hub}:{workshop.port}/",
        state_folder=workshop.shared / "hub" / "view",
    ).add_to(c)
