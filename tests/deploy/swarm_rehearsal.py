"""The Swarm with the real images: how long it takes, how much it needs, and what comes back after a lost node.

`python -m tests.deploy.swarm_rehearsal [LEARNERS]` prints it. It needs root, `docker-registry`, and on the engine in
use the images `dmhelpers-learner:latest` and `dmhelpers-hub:latest`.
"""
# ruff: noqa: T201  a command prints

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dmhelpers.engine.client import docker_argv
from dmhelpers.engine.embedded.install import find_tool
from dmhelpers.workshop import roster
from tests.deploy.machine_seat import STACK
from tests.deploy.swarm_room import REGISTRY, Node, SwarmRoom
from tests.deploy.visitor import Visitor, until

IMAGES = ("dmhelpers-learner", "dmhelpers-hub")
PORT = 8000


def main(learners: int) -> None:
    """Seat the learners, let them save, cut a node's power, and wait until all are back."""
    registry = find_tool("docker-registry") or sys.exit("Install docker-registry first.")
    with SwarmRoom(nodes=3, registry=Path(registry)) as room:
        bring_images(room)
        people, cards = roster.enrol([f"learner {number:02}" for number in range(1, learners + 1)])
        roster.save(room.shared / "roster.json", people)
        deploy(room)
        hub = timed("the hub answers", lambda: wait_for_hub(room))
        address = f"http://{hub.address}:{PORT}"
        visitors = [Visitor(room.switch.first, address, card.login, card.code) for card in cards]
        with ThreadPoolExecutor(12) as threads:
            everyone = lambda act: list(threads.map(act, visitors))  # noqa: E731
            print("signed in:", Counter(everyone(Visitor.sign_in)))
            everyone(Visitor.ask_for_server)
            all_answer = lambda: sum(everyone(Visitor.server_answers)) == learners  # noqa: E731
            timed(f"{learners} servers answer", lambda: until(all_answer, "the servers", 600))
            print("seats:", seats(hub), "memory:", memory(room))
            print("saved:", Counter(everyone(lambda one: one.save("work.txt", f"by {one.login}"))))
            lost = next(node for node in room.nodes if node is not hub)
            lost.kill()
            print("after a node's end:", sum(everyone(Visitor.server_answers)), "answer")
            timed(f"all {learners} answer again", lambda: until(all_answer, "all to be back", 600))
            print("seats:", seats(hub), "kept:", all(everyone(lambda one: one.read("work.txt") == f"by {one.login}")))


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
    sizes = subprocess.run(["du", "-sb", str(room.folder / "registry")], capture_output=True, text=True, check=True)
    print("registry:", sizes.stdout.split()[0], "bytes")
    with ThreadPoolExecutor() as threads:
        pull = lambda node: node.docker("pull", "--quiet", f"{REGISTRY}/{IMAGES[0]}:1", timeout_s=900)  # noqa: E731
        timed("pull on two nodes at once", lambda: list(threads.map(pull, others)))


def deploy(room: SwarmRoom) -> None:
    """Deploy the stack as deploy/swarm/README.md says."""
    leader = room.nodes[0]
    settings = {
        "WORKSHOP_HUB_IMAGE": f"{REGISTRY}/dmhelpers-hub:1",
        "WORKSHOP_IMAGE": f"{REGISTRY}/dmhelpers-learner:1",
        "WORKSHOP_SHARED": str(room.shared),
        "WORKSHOP_NODE_FOLDER": str(leader.own / "run"),
        "WORKSHOP_SOCKET": str(leader.own / "docker.sock"),
    }
    leader.docker("stack", "deploy", "--detach=true", "--compose-file", str(STACK), "workshop", environment=settings)


def wait_for_hub(room: SwarmRoom) -> Node:
    """Return the node where the hub answers, once it does."""
    found: list[Node] = []

    def answers() -> bool:
        found[:] = [node for node in room.nodes if room.status(f"http://{node.address}:{PORT}/hub/health") == 200]
        return bool(found)

    until(answers, "the hub", 600)
    return found[0]


def seats(asked: Node) -> dict[str, int]:
    """Return how many seats each node has."""
    names = asked.docker("node", "ls", "--format={{.Hostname}}").split()
    lines = asked.docker("node", "ps", *names, "--filter=desired-state=running", "--format={{.Name}} {{.Node}}")
    return dict(sorted(Counter(one.split()[1] for one in lines.splitlines() if one.startswith("seat-")).items()))


def memory(room: SwarmRoom) -> list[str]:
    """Return each container's memory as `docker stats` prints it."""
    asked = ["stats", "--no-stream", "--format={{.Name}} {{.MemUsage}}"]
    lines = [line for node in room.nodes for line in node.docker(*asked).splitlines()]
    return [f"{line.split('.')[0]} {line.split()[1]}" for line in lines]


def timed(what: str, act: Callable[[], Any]) -> Any:
    """Do something and print how long it took."""
    began = time.monotonic()
    answer = act()
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)
    return answer


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
