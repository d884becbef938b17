"""A class in the room: its learners at their servers, where Swarm put them, and where the hub is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self, TypeVar

from dmhelpers.workshop.roster import Card
from tests.deploy.swarm_node import LIMIT_S, Node
from tests.deploy.swarm_room import SwarmRoom
from tests.deploy.visitor import Visitor, until

PORT = 8000
Answer = TypeVar("Answer")


@dataclass(slots=True)
class SwarmClass:
    """The room with a class in it.

    Args:
        room: The room.
        visitors: The learners.
        hub_node: The node where the hub was seen last.
    """

    room: SwarmRoom
    visitors: list[Visitor]
    hub_node: Node

    @classmethod
    def meet(cls, room: SwarmRoom, cards: Sequence[Card], *, limit_s: float = 240.0) -> Self:
        """Wait until the hub of a room answers, and let the owners of the cards in, who have no servers yet."""
        node = wait_for_hub(room, limit_s=limit_s)
        visitors = [Visitor(room.switch.first, _address(node), card.login, card.code) for card in cards]
        met = cls(room, visitors, node)
        assert set(met.everyone(Visitor.sign_in)) == {200}
        return met

    def everyone(self, act: Callable[[Visitor], Answer]) -> list[Answer]:
        """Have all of them do something at once and return what came of it."""
        with ThreadPoolExecutor(len(self.visitors)) as threads:
            return list(threads.map(act, self.visitors))

    def take_seats(self, *, limit_s: float = 240.0) -> None:
        """Start all servers at once and wait until they answer."""
        assert set(self.everyone(Visitor.ask_for_server)) <= {201, 202}
        self.wait_for_all(limit_s=limit_s)

    def answering(self) -> int:
        """Return how many learners their own server answers."""
        return sum(self.everyone(Visitor.server_answers))

    def wait_for_all(self, *, limit_s: float = 240.0) -> None:
        """Wait until everybody's server answers."""
        until(lambda: self.answering() == len(self.visitors), f"{len(self.visitors)} servers", limit_s)

    def follow_hub(self, *, limit_s: float = 240.0) -> None:
        """Wait until the hub answers, wherever it is now, and send everybody there."""
        self.hub_node = wait_for_hub(self.room, limit_s=limit_s)
        for one in self.visitors:
            one.follow(_address(self.hub_node))

    def enter(self, card: Card) -> Visitor:
        """Let somebody more in, who is not one of the learners."""
        visitor = Visitor(self.room.switch.first, _address(self.hub_node), card.login, card.code)
        assert visitor.sign_in() == 200
        return visitor

    def with_new_browsers(self) -> SwarmClass:
        """Return the class with browsers that know nothing yet; everybody signs in again."""
        fresh = [Visitor(one.pid, one.address, one.login, one.code) for one in self.visitors]
        made = SwarmClass(self.room, fresh, self.hub_node)
        assert set(made.everyone(Visitor.sign_in)) == {200}
        return made

    def in_seat(self, login: str, *argv: str, timeout_s: float = LIMIT_S) -> str:
        """Run a program in a learner's seat and return what it printed."""
        node = self.node_of(login)
        seat = node.docker("ps", "--quiet", f"--filter=name=^seat-{login}\\.").split()[0]
        return node.docker("exec", seat, *argv, timeout_s=timeout_s)

    def seats(self) -> dict[str, str]:
        """Return the node of each learner's seat, as Swarm has it."""
        asked = self.room.living()[0]
        names = asked.manage("node", "ls", "--format={{.Hostname}}").split()
        lines = asked.manage("node", "ps", *names, "--filter=desired-state=running", "--format={{.Name}} {{.Node}}")
        pairs = (line.split() for line in lines.splitlines())
        return {
            name.partition(".")[0].removeprefix("seat-"): node for name, node in pairs if name.startswith("seat-")
        }

    def node_of(self, login: str) -> Node:
        """Return the node of a learner's seat."""
        hostname = self.seats()[login]
        return next(node for node in self.room.nodes if node.hostname == hostname)

    def seated_at(self, node: Node) -> list[str]:
        """Return who has their seat on a node."""
        return sorted(login for login, where in self.seats().items() if where == node.hostname)


def wait_for_hub(room: SwarmRoom, *, limit_s: float = 240.0) -> Node:
    """Return the node where the hub answers, once it does."""
    found: list[Node] = []

    def answers() -> bool:
        found[:] = [node for node in room.living() if room.status(f"{_address(node)}/hub/health") == 200]
        return bool(found)

    until(answers, "the hub", limit_s)
    return found[0]


def _address(node: Node) -> str:
    return f"http://{node.address}:{PORT}"
