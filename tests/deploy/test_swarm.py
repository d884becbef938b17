"""Three nodes, six learners: the seats spread, a node loses its power, and all six are back with their work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from dmhelpers.workshop import roster
from tests.deploy.machine_seat import deploy_hub, push_image, registry_program
from tests.deploy.swarm_room import Node, SwarmRoom
from tests.deploy.visitor import Visitor, until

pytestmark = pytest.mark.private_engine

LEARNERS = 6
PORT = 8000
_PROC_AND_SYS = "mount -t proc proc /tmp/new && mount -t sysfs -o ro sysfs /tmp/new"


@dataclass(frozen=True)
class Class:
    """The room with a class in it."""

    room: SwarmRoom
    visitors: list[Visitor]
    hub_node: Node

    def answering(self) -> int:
        """Return how many learners their own server answers."""
        with ThreadPoolExecutor(LEARNERS) as threads:
            return sum(threads.map(Visitor.server_answers, self.visitors))

    def seats(self, asked: Node) -> dict[str, str]:
        """Return the node of each learner's seat, as another node knows it."""
        lines = asked.docker(
            "node", "ps", *self._names(asked), "--filter=desired-state=running", "--format={{.Name}} {{.Node}}"
        )
        pairs = (line.split() for line in lines.splitlines())
        return {
            name.partition(".")[0].removeprefix("seat-"): node for name, node in pairs if name.startswith("seat-")
        }

    def _names(self, asked: Node) -> list[str]:
        return asked.docker("node", "ls", "--format={{.Hostname}}").split()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmRoom]:
    """Make a room of three nodes with the image in its registry."""
    with SwarmRoom(nodes=3, registry=registry_program(tmp_path_factory.mktemp("registry"))) as made:
        push_image(made)
        yield made


@pytest.fixture(scope="module")
def taught(room: SwarmRoom) -> Class:
    """Deploy the hub and seat six learners, all at once."""
    learners, cards = roster.enrol([f"learner {number}" for number in range(1, LEARNERS + 1)])
    roster.save(room.shared / "roster.json", learners)
    deploy_hub(room)
    found: list[Node] = []

    def hub_answers() -> bool:
        found[:] = [node for node in room.nodes if room.status(f"http://{node.address}:{PORT}/hub/health") == 200]
        return bool(found)

    until(hub_answers, "the hub")
    address = f"http://{found[0].address}:{PORT}"
    visitors = [Visitor(room.switch.first, address, card.login, card.code) for card in cards]
    seated = Class(room, visitors, found[0])
    with ThreadPoolExecutor(LEARNERS) as threads:
        assert set(threads.map(Visitor.sign_in, visitors)) == {200}
        assert set(threads.map(Visitor.ask_for_server, visitors)) <= {201, 202}
    until(lambda: seated.answering() == LEARNERS, "six servers")
    return seated


def _seat_container(node: Node) -> str:
    return node.docker("ps", "--quiet", "--filter=name=seat-").split()[0]


def test_seats_spread_over_the_nodes(taught: Class) -> None:
    """Each node has seats, and none has more than half of them."""
    spread = Counter(taught.seats(taught.hub_node).values())
    assert spread.total() == LEARNERS
    assert len(spread) == len(taught.room.nodes)
    assert max(spread.values()) <= LEARNERS // 2


def test_prepared_node_lets_a_seat_mount_what_an_engine_must(taught: Class) -> None:
    """As user 1000 a seat may mount a proc and a sysfs of its own and open tun, as a rootless engine does."""
    seat = _seat_container(taught.hub_node)
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--net", "--mount"]
    taught.hub_node.docker("exec", seat, "mkdir", "-p", "/tmp/new")
    taught.hub_node.docker("exec", seat, *inside, "sh", "-c", _PROC_AND_SYS)
    taught.hub_node.docker("exec", seat, "sh", "-c", "exec 3<>/dev/net/tun")
    assert taught.hub_node.docker("exec", seat, "id", "-u") == "1000"
    # Its sysfs is read-only, so that nobody mounts one that can be written to.
    writable = f"{' '.join(inside)} mount -t sysfs sysfs /tmp/new 2>/dev/null || echo refused"
    assert taught.hub_node.docker("exec", seat, "sh", "-c", writable) == "refused"
    # What the seat sees for it shows no process of the node, and nothing of the node can be written there.
    assert not any(name.isdigit() for name in taught.hub_node.docker("exec", seat, "ls", "/mnt/proc").split())
    done = taught.hub_node.docker("exec", seat, "sh", "-c", "echo x >/mnt/proc/sys/kernel/core_pattern || echo no")
    assert done.splitlines()[-1] == "no"


def test_seat_without_the_nodes_preparation_may_not(taught: Class) -> None:
    """The same seat without the two mounts is refused by the kernel, so that they are what does it."""
    node = taught.hub_node
    usual = ["run", "--rm", "--user=1000", "--security-opt=seccomp=unconfined", "--volume=/usr:/usr:ro"]
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--net", "--mount"]
    image = node.docker("ps", "--format={{.Image}}", "--filter=name=seat-").split()[0]
    text = f"mkdir /tmp/new; {' '.join(inside)} mount -t proc proc /tmp/new 2>/dev/null || echo refused"
    assert node.docker(*usual, image, "sh", "-c", text) == "refused"


def test_learners_work_survives_a_lost_node(taught: Class) -> None:
    """A node's power is cut: by themselves all six servers are back on the others, and what was saved is there."""
    for one in taught.visitors:
        assert one.save("work.txt", f"by {one.login}") == 201
    lost = next(node for node in taught.room.nodes if node is not taught.hub_node)
    left = [login for login, node in taught.seats(taught.hub_node).items() if node == f"node{lost.number}"]
    assert left
    lost.kill()
    until(lambda: f"node{lost.number}" not in taught.seats(taught.hub_node).values(), "Swarm to notice")
    until(lambda: taught.answering() == LEARNERS, "all six to be back")
    assert {one.read("work.txt") for one in taught.visitors} == {f"by {one.login}" for one in taught.visitors}
    work = Path(taught.room.shared, "homes")
    assert {one.name for one in work.iterdir()} == {one.login for one in taught.visitors}
