"""A room of Swarm nodes on this machine: engines in namespaces, wired to a switch, with a registry of their own.

Nothing of it is in the machine's own network: the switch is a bridge in a namespace too, where the registry listens.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from dmhelpers.engine.client import docker_cli
from dmhelpers.engine.embedded import start
from dmhelpers.engine.embedded.namespaces import Namespaces, remove_cgroups, tool
from dmhelpers.errors import EngineError, TimeLimitReached
from tests.deploy.visitor import in_network_of, until

ROOT = Path(__file__).parents[2]
PREPARE_NODE = ROOT / "deploy" / "swarm" / "prepare-node"
SWITCH_ADDRESS = "10.77.0.1"
REGISTRY = f"{SWITCH_ADDRESS}:5000"


class Node:
    """One machine of the room: namespaces of its own, an address on the switch, and a `dockerd`.

    `kill()` is a power cut: every process of the node ends at once. `restart()` gives it its power back.
    """

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.hostname = f"node{number}"
        self.address = f"10.77.0.{10 + number}"
        self.folder = folder / self.hostname
        self.own = folder / "node"  # the same path on every node, with a folder of its own behind it
        self.name = f"dmhelpers-{uuid.uuid4().hex[:8]}"
        self.disks: list[str] = []
        self.host = f"unix://{self.folder / 'own' / 'docker.sock'}"
        self.alive = False

    def plug_in(self, switch: Namespaces) -> None:
        """Make the namespaces, and a cable from them to the switch."""
        self.namespaces = Namespaces().__enter__()
        self.alive = True
        for one in (self.folder / "own", self.own):
            one.mkdir(parents=True, exist_ok=True)
        port = f"port{self.number}"
        in_network(
            switch, "ip", "link", "add", port, "type", "veth", "peer", "eth0", "netns", str(self.namespaces.first)
        )
        in_network(switch, "ip", "link", "set", port, "master", "switch", "up")
        for command in (
            ["ip", "address", "add", f"{self.address}/24", "dev", "eth0"],
            ["ip", "link", "set", "eth0", "up"],
            ["ip", "route", "add", "default", "via", SWITCH_ADDRESS],
            ["mount", "--bind", str(self.folder / "own"), str(self.own)],
            [str(PREPARE_NODE), *self.disks, str(self.own / "run")],
        ):
            self.namespaces.run([tool(command[0]), *command[1:]] if "/" not in command[0] else command)

    def make_disks(self, logins: Path, size: str) -> None:
        """Prepare it anew, with a disk for each learner, which it mounts whenever it starts again too."""
        self.disks = ["--disks", str(logins), size, str(self.folder / "disks")]
        self.namespaces.run([str(PREPARE_NODE), *self.disks, str(self.own / "run")])

    def start(self) -> None:
        """Start its dockerd; it takes images from the room's registry."""
        config = self.folder / "daemon.json"
        config.write_text(start.settings_for("overlay2", None, own=self.folder / "none"), encoding="utf-8")
        argv = start.dockerd_argv(
            data_root=self.folder / "data",
            exec_root=self.folder / "run",
            pid_file=self.folder / "dockerd.pid",
            socket=self.own / "docker.sock",
            config_file=config,
            cgroup_parent=f"/{self.name}",
        )
        named = [tool("unshare"), "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.hostname]
        argv = [*named, *argv, f"--insecure-registry={REGISTRY}"]
        self.engine = start.launch(self.namespaces.inside(argv), self.folder / "dockerd.log")

    def wait(self) -> None:
        """Wait until its dockerd answers."""
        start.wait_until_ready(self.engine, self.folder / "dockerd.log", self._answers)

    def docker(
        self, *args: str, timeout_s: float = 60, check: bool = True, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run `docker args…` against this node and return what it printed."""
        done = docker_cli(["--host", self.host, *args], timeout_s=timeout_s, check=check, environment=environment)
        return done.stdout.strip()

    def kill(self) -> None:
        """Cut its power: the kernel ends all of its processes, and its cable with them."""
        os.kill(self.namespaces.first, signal.SIGKILL)
        self.engine.wait(timeout=30)
        self.alive = False

    def restart(self, switch: Namespaces) -> None:
        """Start it again after `kill()`: with what was on its disk, and without what a machine keeps in memory."""
        self.namespaces.__exit__(None, None, None)
        remove_cgroups(self.name)
        shutil.rmtree(self.folder / "run")
        (self.folder / "dockerd.pid").unlink()
        self.plug_in(switch)
        self.start()
        self.wait()

    def leave(self) -> None:
        """End everything of it and remove its control groups."""
        if self.alive:
            with suppress(ProcessLookupError):
                self.kill()
        self.namespaces.__exit__(None, None, None)
        remove_cgroups(self.name)

    def _answers(self) -> bool:
        try:
            return docker_cli(["--host", self.host, "version"], timeout_s=10, check=False).exit_code == 0
        except TimeLimitReached:
            return False


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
        ready = lambda: {"Ready Leader", "Ready Reachable"}.issuperset(self.nodes[0].docker(*states).splitlines())  # noqa: E731
        until(ready, "all nodes to be managers again")

    def inside(self, *argv: str, timeout_s: float = 60) -> str:
        """Run a program on the switch, as a visitor of the room's network, and return what it printed."""
        return self.switch.run(list(argv), timeout_s=timeout_s).stdout

    def status(self, url: str) -> int:
        """Return the status that a visitor of the room gets for a page; 0 where nothing answers."""
        try:
            return in_network_of(self.switch.first, lambda: requests.get(url, timeout=10)).status_code
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
        leader.docker("swarm", "init", f"--advertise-addr={leader.address}", "--task-history-limit=1")
        leader.docker("swarm", "update", f"--dispatcher-heartbeat={self._heartbeat_s}s")
        token = leader.docker("swarm", "join-token", "--quiet", "manager")
        for node in others:
            node.docker(
                "swarm", "join", f"--token={token}", f"--advertise-addr={node.address}", f"{leader.address}:2377"
            )
        for node in self.nodes:
            leader.docker(
                "node", "update", f"--label-add=number={node.number}", node.docker("info", "-f", "{{.Swarm.NodeID}}")
            )

    def _remove_folder(self) -> None:
        deadline = time.monotonic() + 10
        while str(self.folder) in Path("/proc/self/mountinfo").read_text(encoding="utf-8"):
            if time.monotonic() > deadline:
                raise EngineError(f"{self.folder} is still mounted.", hint="See /proc/self/mountinfo.")
            time.sleep(0.1)
        shutil.rmtree(self.folder)


def in_network(namespaces: Namespaces, *argv: str) -> None:
    """Run a program in the network of these namespaces, and in this machine's processes: it may name any of them."""
    command = namespaces.in_the_network([tool(argv[0]), *argv[1:]])
    subprocess.run(command, check=True, timeout=20, capture_output=True)
