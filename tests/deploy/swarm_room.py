"""A room of Swarm nodes on this machine: engines in namespaces, wired to a switch, with a registry of their own.

Nothing of it is in the machine's own network: the switch is a bridge in a namespace too, where the registry listens.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from dmhelpers.engine.embedded import start
from dmhelpers.engine.embedded.namespaces import Namespaces
from dmhelpers.errors import EngineError
from tests.deploy.swarm_node import LIMIT_S, REGISTRY, SWITCH_ADDRESS, Node, in_network
from tests.deploy.visitor import in_network_of, until


class SwarmRoom:
    """Some nodes that are one Swarm, each a manager, a registry, and a folder that all of them see.

    Use it as a context manager; on leaving, nothing of it is left.

    Args:
        nodes: How many.
        registry: The `docker-registry` program.
        heartbeat_s: How often a node says that it is there. Swarm takes it for lost after three times that, and after
            six times where the leader was lost with it; 5 is Swarm's own choice.
    """

    def __init__(self, *, nodes: int, registry: Path, heartbeat_s: int = 5) -> None:
        self._count, self._registry, self._heartbeat_s = nodes, registry, heartbeat_s

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="dmh-room-", dir="/var/tmp"))
        self.shared = self.folder / "shared"
        self.shared.mkdir()
        self._stack = ExitStack()
        try:
            self._stack.callback(self._remove_folder)
            self._start_switch()
            self.nodes = [Node(number, self.folder) for number in range(1, self._count + 1)]
            for node in self.nodes:
                self._stack.callback(node.leave)
                node.plug_in(self.switch)
                node.start()
            for node in self.nodes:
                node.wait()
            until(lambda: self.status(f"http://{REGISTRY}/v2/") == 200, "the registry")
            self._join()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def living(self) -> list[Node]:
        """Return the nodes that have power."""
        return [node for node in self.nodes if node.alive]

    def restart_dead(self) -> None:
        """Give every node its power back, and wait until all are managers again whom the others reach."""
        for node in self.nodes:
            if not node.alive:
                node.restart(self.switch)
        states = ["node", "ls", "--format={{.Status}} {{.ManagerStatus}}"]
        ready = ["Ready Leader", *["Ready Reachable"] * (self._count - 1)]
        until(lambda: sorted(self.nodes[0].docker(*states).splitlines()) == ready, "all nodes to be managers again")

    def beat_every(self, heartbeat_s: int) -> None:
        """Have the nodes say that they are there as often as that from their next time on."""
        self.living()[0].manage("swarm", "update", f"--dispatcher-heartbeat={heartbeat_s}s")

    def inside(self, *argv: str, timeout_s: float = LIMIT_S) -> str:
        """Run a program on the switch, as a visitor of the room's network, and return what it printed."""
        return self.switch.run(list(argv), timeout_s=timeout_s).stdout

    def status(self, url: str) -> int:
        """Return the status that a visitor of the room gets for a page; 0 where nothing answers."""
        try:
            return in_network_of(self.switch.first, lambda: requests.get(url, timeout=30)).status_code
        except requests.RequestException:
            return 0

    def _start_switch(self) -> None:
        self.switch = self._stack.enter_context(Namespaces())
        for command in (
            "ip link add switch type bridge",
            f"ip address add {SWITCH_ADDRESS}/24 dev switch",
            "ip link set switch up",
        ):
            in_network(self.switch, *command.split())
        config = self.folder / "registry.yaml"
        config.write_text(
            f"version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: '{REGISTRY}'}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder / 'registry'}}}}}\n",
            encoding="utf-8",
        )
        argv = self.switch.inside([str(self._registry), "serve", str(config)])
        self._registry_process = start.launch(argv, self.folder / "registry.log")
        self._stack.callback(self._registry_process.terminate)

    def _join(self) -> None:
        leader, *others = self.nodes
        leader.enter_swarm("init", f"--advertise-addr={leader.address}")
        # Not as options of the first, which may have given up on a slow disk after it made the Swarm.
        leader.manage("swarm", "update", "--task-history-limit=1", f"--dispatcher-heartbeat={self._heartbeat_s}s")
        token = leader.manage("swarm", "join-token", "--quiet", "manager")
        for node in others:
            node.enter_swarm("join", f"--token={token}", f"--advertise-addr={node.address}", f"{leader.address}:2377")
        for node in self.nodes:
            node_id = node.docker("info", "--format={{.Swarm.NodeID}}")
            leader.manage("node", "update", f"--label-add=number={node.number}", node_id)

    def _remove_folder(self) -> None:
        deadline = time.monotonic() + 120
        while str(self.folder) in Path("/proc/self/mountinfo").read_text(encoding="utf-8"):
            if time.monotonic() > deadline:
                raise EngineError(f"{self.folder} is still mounted.", hint="See /proc/self/mountinfo.")
            time.sleep(0.1)
        shutil.rmtree(self.folder)
