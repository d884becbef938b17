"""What a learner's seat is on a Swarm: user, limits and mounts, in the words of docker-py and of the Engine API."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmhelpers.engine import patience
from dmhelpers.engine.labels import COURSE, COURSE_LABELS

if TYPE_CHECKING:
    from dmhelpers.workshop.swarm import SwarmWorkshop

SEAT_LABEL = f"{COURSE}.seat"
"""On every seat's volume on its node, with the learner as its value."""

RUNTIME = {"XDG_RUNTIME_DIR": "/tmp/run", "DOCKER_HOST": "unix:///tmp/run/docker.sock"}  # noqa: S108
"""Where a seat keeps its sockets: Swarm gives a tmpfs to no other user than root, so it is a folder of ``/tmp``."""

_PATIENCE = "10"
"""The factor on the course's time limits: as on one machine, many share a node's processors."""

_USER = 1000


def environment(workshop: SwarmWorkshop) -> dict[str, str]:
    """Return the variables of a seat beside its image's: sockets, patience, and the mirror, ``"off"`` for none."""
    return {**RUNTIME, patience.VARIABLE: _PATIENCE, "WORKSHOP_MIRROR": workshop.mirror or "off"}


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

    The home is a disk or a volume of the node, since an engine's images can be on no network file system; the work
    in it is the shared folder. The two under ``/mnt`` are what the kernel wants to see before it lets an
    unprivileged engine mount its own: see `prepare-node`.
    """
    node, labels = workshop.node_folder, {**COURSE_LABELS, SEAT_LABEL: login}
    driver = {"DriverConfig": {"Name": "local", "Options": {"size": workshop.disk}}} if workshop.disk else {}
    home: dict[str, Any] = {
        "Type": "volume",
        "Source": f"seat-{login}",
        "Target": "/home/learner",
        "VolumeOptions": {"Labels": labels, **driver},
    }
    found: list[dict[str, Any]] = [
        _bind(Path(workshop.disks) / login, "/home/learner") if workshop.disks else home,
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
