"""The Swarm with the real images: how long it takes, how much it needs, and what comes back after a lost node.

`python -m tests.deploy.swarm_rehearsal [LEARNERS]` prints it, and ends with 1 if anything did not come back. It needs
root, `docker-registry`, and on the engine in use the images `dmhelpers-learner:latest` and `dmhelpers-hub:latest`.
"""
# ruff: noqa: T201  a command prints

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dmhelpers.engine.client import docker_argv
from dmhelpers.engine.embedded.install import find_tool
from dmhelpers.workshop import roster
from tests.deploy.machine_seat import STACK
from tests.deploy.swarm_class import SwarmClass, wait_for_hub
from tests.deploy.swarm_node import REGISTRY, Node
from tests.deploy.swarm_room import SwarmRoom
from tests.deploy.visitor import Visitor, until

IMAGES = ("dmhelpers-learner", "dmhelpers-hub")
LIMIT_S = 600.0
DISK = "8G"
# Files of the seat itself make an image, so that its engine has something to run without a registry.
_RUN_A_CONTAINER = """
docker image inspect own >/dev/null 2>&1 ||
    tar -chf - /usr/bin/true $(ldd /usr/bin/true | grep -o '/[^ ]*') 2>/dev/null | docker import - own >/dev/null
docker run --rm own /usr/bin/true && echo ran
"""


def main(learners: int) -> None:
    """Seat the learners, let them save, and cut the power of a node, then of the hub's: each time all come back."""
    registry = find_tool("docker-registry") or sys.exit("Install docker-registry first.")
    with SwarmRoom(nodes=3, registry=Path(registry)) as room:
        bring_images(room)
        people, cards = roster.enrol([f"learner {number:02}" for number in range(1, learners + 1)])
        roster.save(room.shared / "roster.json", people)
        (room.shared / "seats").write_text("".join(f"{one.login}\n" for one in people), encoding="utf-8")
        timed(f"{learners} disks of {DISK} on each node", lambda: make_disks(room))
        deploy(room)
        timed("the hub answers", lambda: wait_for_hub(room, limit_s=LIMIT_S))
        taught = SwarmClass.meet(room, cards)
        timed(f"{learners} servers answer", lambda: taught.take_seats(limit_s=LIMIT_S))
        timed("each learner's engine has run a container", lambda: use_engines(taught))
        report(taught)
        require("saved", set(taught.everyone(lambda one: one.save("work.txt", f"by {one.login}"))) <= {200, 201})
        lose_a_node(taught)
        timed("\nthe lost node is a manager again", room.restart_dead)
        lose_the_hub(taught)


def make_disks(room: SwarmRoom) -> None:
    """Give each node a disk for each learner, one node after the other."""
    for node in room.nodes:
        node.make_disks(room.shared / "seats", DISK)


def lose_a_node(taught: SwarmClass) -> None:
    """Cut the power of a node without the hub."""
    lost = next(node for node in taught.room.nodes if node is not taught.hub_node and taught.seated_at(node))
    print(f"\npower cut: {lost.hostname}, with the seats of {len(taught.seated_at(lost))}")
    began = time.monotonic()
    lost.kill()
    print("meanwhile", taught.answering(), "go on answering")
    taught.wait_for_all(limit_s=LIMIT_S)
    after(began, "all answer again")
    all_is_well(taught)


def lose_the_hub(taught: SwarmClass) -> None:
    """Cut the power of the node where the hub runs."""
    lost = taught.hub_node
    print(f"\npower cut: {lost.hostname}, with the hub and the seats of {len(taught.seated_at(lost))}")
    began = time.monotonic()
    lost.kill()
    taught.follow_hub(limit_s=LIMIT_S)
    after(began, f"the hub answers, on {taught.hub_node.hostname}")
    require("the hub knows the sessions", all(taught.everyone(Visitor.is_signed_in)))
    taught.wait_for_all(limit_s=LIMIT_S)
    after(began, "all answer again")
    timed("all answer those who sign in anew", lambda: taught.with_new_browsers().wait_for_all(limit_s=LIMIT_S))
    all_is_well(taught)


def all_is_well(taught: SwarmClass) -> None:
    """Require that everybody's work is there and their engine works, and print where they sit now."""
    print("seats:", spread(taught))
    require("all work is there", all(taught.everyone(lambda one: one.read("work.txt") == f"by {one.login}")))
    timed("each learner's engine has run a container", lambda: use_engines(taught))


def bring_images(room: SwarmRoom) -> None:
    """Load the images into the first node, push them to the room's registry, and pull them on the others at once."""
    leader, *others = room.nodes
    archive = room.folder / "images.tar"
    names = [f"{one}:latest" for one in IMAGES]
    subprocess.run([*docker_argv(["save", "--output", str(archive)]), *names], check=True)
    leader.docker("load", "--input", str(archive), timeout_s=900)
    archive.unlink()
    for one in IMAGES:
        leader.docker("tag", f"{one}:latest", f"{REGISTRY}/{one}:1")
        timed(f"push {one}", lambda one=one: leader.docker("push", "--quiet", f"{REGISTRY}/{one}:1", timeout_s=900))
    print(f"registry: {size_bytes(room.folder / 'registry') / 1e9:.2f} GB")

    def pull(node: Node) -> None:
        for one in IMAGES:
            node.docker("pull", "--quiet", f"{REGISTRY}/{one}:1", timeout_s=900)

    with ThreadPoolExecutor() as threads:
        timed("pull of both on two nodes at once", lambda: list(threads.map(pull, others)))


def deploy(room: SwarmRoom) -> None:
    """Deploy the stack as deploy/swarm/README.md says."""
    leader = room.nodes[0]
    settings = {
        "WORKSHOP_HUB_IMAGE": f"{REGISTRY}/dmhelpers-hub:1",
        "WORKSHOP_IMAGE": f"{REGISTRY}/dmhelpers-learner:1",
        "WORKSHOP_SHARED": str(room.shared),
        "WORKSHOP_NODE_FOLDER": str(leader.own / "run"),
        "WORKSHOP_DISKS": str(leader.own / "run" / "disks"),
        "WORKSHOP_SOCKET": str(leader.own / "docker.sock"),
    }
    leader.docker("stack", "deploy", "--detach=true", "--compose-file", str(STACK), "workshop", environment=settings)


def use_engines(taught: SwarmClass) -> None:
    """Have each seat's own engine run a container."""
    seats = [(node, name) for node in taught.room.living() for name in containers(node, "seat-")]
    require(f"{len(seats)} seats", len(seats) == len(taught.visitors))

    def runs(seat: tuple[Node, str]) -> bool:
        node, name = seat
        return node.docker("exec", name, "sh", "-c", _RUN_A_CONTAINER, check=False, timeout_s=120).endswith("ran")

    with ThreadPoolExecutor(len(seats)) as threads:
        until(lambda: all(threads.map(runs, seats)), "each engine to run a container", LIMIT_S)


def containers(node: Node, prefix: str) -> list[str]:
    """Return the names of a node's running containers."""
    return node.docker("ps", "--format={{.Names}}", f"--filter=name={prefix}").split()


def report(taught: SwarmClass) -> None:
    """Print where the seats are, and what a learner, the hub and a node need."""
    room = taught.room
    print("seats:", spread(taught))
    asked = ["stats", "--no-stream", "--format={{.Name}} {{.MemUsage}}"]
    lines = [line.split() for node in room.living() for line in node.docker(*asked).splitlines()]
    used = {name: bytes_of(size) for name, size, *_ in lines}
    print("memory of a seat:", mebibytes(size for name, size in used.items() if name.startswith("seat-")))
    print("memory of the hub and its proxy:", mebibytes(size for name, size in used.items() if "_hub." in name))
    print("memory of a node's dockerd and containerd:", mebibytes(map(engine_bytes, room.living())))
    used_disks = [taught.node_of(one.login).folder / "disks" / f"{one.login}.img" for one in taught.visitors]
    print("disk of a seat on its node:", mebibytes(map(size_bytes, used_disks)))
    print(
        "disk of the others' disks on a node:", mebibytes(size_bytes(node.folder / "disks") for node in room.living())
    )
    print(
        "disk of a learner's work in the shared folder:",
        mebibytes(map(size_bytes, (room.shared / "homes").iterdir())),
    )


def engine_bytes(node: Node) -> int:
    """Return the resident memory of a node's own engine; those of the seats are user 1000's."""
    lines = node.namespaces.run(["ps", "-C", "dockerd,containerd", "-o", "uid=,rss="]).stdout.splitlines()
    return 1024 * sum(int(rss) for uid, rss in map(str.split, lines) if uid == "0")


def spread(taught: SwarmClass) -> dict[str, int]:
    """Return how many seats each node has."""
    return dict(sorted(Counter(taught.seats().values()).items()))


def bytes_of(text: str) -> float:
    """Return a size as `docker stats` prints it, such as ``"155.3MiB"``, in bytes."""
    unit = next(one for one in ("GiB", "MiB", "KiB", "B") if text.endswith(one))
    return float(text.removesuffix(unit)) * {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "B": 1}[unit]


def mebibytes(sizes_bytes: Iterable[float]) -> str:
    """Return sizes as one line: the least, the median and the most."""
    found = [one / 2**20 for one in sizes_bytes]
    least, middle, most = min(found), statistics.median(found), max(found)
    return f"{least:.1f} to {most:.1f} MiB, {middle:.1f} in the median, {len(found)} of them"


def size_bytes(folder: Path) -> int:
    """Return what a folder takes on the disk."""
    done = subprocess.run(["du", "-s", "-B1", str(folder)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def require(what: str, holds: bool) -> None:
    """Print that something holds, or end with 1."""
    print(f"{what}: {'yes' if holds else 'NO'}", flush=True)
    if not holds:
        sys.exit(1)


def after(began: float, what: str) -> None:
    """Print how long after a moment something came to be."""
    print(f"{what}: {time.monotonic() - began:.1f} s after the cut (load {os.getloadavg()[0]:.0f})", flush=True)


def timed(what: str, act: Callable[[], Any]) -> Any:
    """Do something and print how long it took, and how loaded the machine was."""
    began = time.monotonic()
    answer = act()
    print(f"{what}: {time.monotonic() - began:.1f} s (load {os.getloadavg()[0]:.0f})", flush=True)
    return answer


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
