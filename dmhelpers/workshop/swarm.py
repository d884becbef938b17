"""A workshop on a Docker Swarm: what the hub is told, and what a seat is there.

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

from dmhelpers.engine.labels import COURSE, COURSE_LABELS
from dmhelpers.errors import InputError
from dmhelpers.workshop import swarm_names

LANDING = "/lab/tree/notebooks/00_start_here.ipynb"
SEAT_LABEL = f"{COURSE}.seat"
"""On every seat's service and on its node-local volume, with the learner as its value."""

RUNTIME = {"XDG_RUNTIME_DIR": "/tmp/run", "DOCKER_HOST": "unix:///tmp/run/docker.sock"}  # noqa: S108
"""Where a seat keeps its sockets: Swarm gives a tmpfs to no other user than root, so it is a folder of ``/tmp``."""

_VARIABLE = "WORKSHOP_"
_USER = 1000


@dataclass(frozen=True, slots=True)
class SwarmWorkshop:
    """One workshop on a Swarm.

    Args:
        shared: The folder that every node sees under this path: ``homes/`` with the learners' work, ``hub/`` with
            the hub's own files, ``roster.json``.
        image: The image of a learner's seat, with the registry that the nodes pull it from.
        network: The overlay network of the hub and the seats; it must be attachable.
        hub: The name under which a seat finds the hub in that network.
        node_folder: What `prepare-node` made on each node.
        port: The port that the proxy listens on, on the node where the hub runs.
        pack: The folder, on each node, that every seat sees as ``/opt/pack``; ``""`` for none.
        memory_bytes: The most memory that a learner may use, engine included.
        reserved_bytes: The memory that Swarm counts for a seat when it chooses a node.
        cpus: The most processors that a learner may use.
        processes: The most processes that a learner may have.
        disk: The size of a seat's volume, such as ``"8G"``, where the nodes' storage has quotas; ``""`` for no limit.
        idle_after_s: Seconds without use after which a seat is stopped; 0 for never.
    """

    shared: Path
    image: str
    network: str = "seats"
    hub: str = "hub"
    node_folder: Path = Path("/run/dmhelpers")
    port: int = 8000
    pack: str = ""
    memory_bytes: int = 1_500_000_000
    reserved_bytes: int = 400_000_000
    cpus: float = 1.0
    processes: int = 512
    disk: str = ""
    idle_after_s: int = 7200


def from_environment(environment: Mapping[str, str] = os.environ) -> SwarmWorkshop:
    """Return the workshop that the variables ``WORKSHOP_SHARED``, ``WORKSHOP_IMAGE``, … describe.

    Raises:
        InputError: One that has no default is missing, or a number is none.
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
    return SwarmWorkshop(**given)


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
    # Some of them may be on their way to another node as well: it answers before they do, and looks for them often.
    c.JupyterHub.init_spawners_timeout = 1
    c.JupyterHub.last_activity_interval = 10
    _configure_people(c, workshop)
    _configure_seats(c, workshop)
    _configure_culler(c, workshop)
    _configure_view(c, workshop)


def _configure_people(c: Any, workshop: SwarmWorkshop) -> None:
    from dmhelpers.workshop import roster
    from dmhelpers.workshop.authenticator import RosterAuthenticator

    people = roster.load(workshop.shared / "roster.json")
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
    c.Spawner.environment = dict(RUNTIME)
    c.SeatSpawner.extra_container_spec = container_spec()
    c.SeatSpawner.extra_task_spec = {
        "resources": resources(workshop),
        "restart_policy": {"Condition": "any", "Delay": 1_000_000_000},
    }
    # Not every kernel has ip_vs, which virtual addresses need.
    c.SeatSpawner.extra_endpoint_spec = {"mode": "dnsrr"}
    c.SeatSpawner.seat_mounts = lambda login: mounts(workshop, login)
    c.SeatSpawner.pre_spawn_hook = lambda spawner: prepare_work(workshop, spawner.user.name)
    c.Spawner.start_timeout = 600
    c.Spawner.http_timeout = 600
    c.Spawner.poll_interval = 10


def container_spec() -> dict[str, Any]:
    """Return what a seat's container is beside its image, environment and mounts, in docker-py's words."""
    return {
        "user": f"{_USER}:{_USER}",
        "read_only": True,
        "cap_drop": ["ALL"],
        # newuidmap and newgidmap carry these two as file capabilities, and map the engine's users with them.
        "cap_add": ["CAP_SETUID", "CAP_SETGID"],
        # The engine makes namespaces and mounts in a user namespace of its own. The CLI has no words for these.
        "privileges": {"Seccomp": {"Mode": "unconfined"}, "AppArmor": {"Mode": "disabled"}},
        "labels": dict(COURSE_LABELS),
        "stop_grace_period": 10_000_000_000,
    }


def resources(workshop: SwarmWorkshop) -> dict[str, Any]:
    """Return a seat's limits, in the Engine API's words: docker-py has none for the number of processes."""
    return {
        "Limits": {
            "MemoryBytes": workshop.memory_bytes,
            "NanoCPUs": int(workshop.cpus * 1e9),
            "Pids": workshop.processes,
        },
        "Reservations": {"MemoryBytes": workshop.reserved_bytes},
    }


def mounts(workshop: SwarmWorkshop, login: str) -> list[dict[str, Any]]:
    """Return a seat's mounts, in the Engine API's words.

    The home is a volume of the node, since an engine's images can be on no network file system; the learner's
    work in it is the shared folder. The two under ``/mnt`` are what the kernel wants to see before it lets an
    unprivileged engine mount its own: see `prepare-node`.
    """
    node, labels = workshop.node_folder, {**COURSE_LABELS, SEAT_LABEL: login}
    driver = {"DriverConfig": {"Name": "local", "Options": {"size": workshop.disk}}} if workshop.disk else {}
    found: list[dict[str, Any]] = [
        {
            "Type": "volume",
            "Source": f"seat-{login}",
            "Target": "/home/learner",
            "VolumeOptions": {"Labels": labels, **driver},
        },
        _bind(work_folder(workshop, login), "/home/learner/course"),
        _bind(node / "tun", "/dev/net/tun"),
        _bind(node / "proc", "/mnt/proc"),
        _bind(node / "sys", "/mnt/sys"),
        {"Type": "tmpfs", "Target": "/tmp", "TmpfsOptions": {"SizeBytes": 128_000_000, "Mode": 0o1777}},  # noqa: S108
    ]
    if workshop.pack:
        found.append({**_bind(Path(workshop.pack), "/opt/pack"), "ReadOnly": True})
    return found


def work_folder(workshop: SwarmWorkshop, login: str) -> Path:
    """Return the shared folder with a learner's work."""
    return workshop.shared / "homes" / login


def prepare_work(workshop: SwarmWorkshop, login: str) -> None:
    """Make a learner's shared folder if there is none; it is theirs alone."""
    folder = work_folder(workshop, login)
    if not folder.is_dir():
        folder.mkdir(parents=True)
        os.chown(folder, _USER, _USER)
        folder.chmod(0o700)


def _bind(source: Path, target: str) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": target}


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
