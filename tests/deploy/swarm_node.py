"""One machine of a Swarm's room on this machine: namespaces of its own, a cable to the switch, and an engine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dmhelpers.engine.client import docker_cli
from dmhelpers.engine.embedded import start
from dmhelpers.engine.embedded.namespaces import Namespaces, remove_cgroups, tool
from dmhelpers.errors import TimeLimitReached
from tests.deploy.visitor import until

ROOT = Path(__file__).parents[2]
PREPARE_NODE = ROOT / "deploy" / "swarm" / "prepare-node"
SWITCH_ADDRESS = "10.77.0.1"
REGISTRY = f"{SWITCH_ADDRESS}:5000"
LIMIT_S = 300.0
"""For each command: three engines start, mount and write at once, on disks that may be slow."""


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
            argv = [tool(command[0]), *command[1:]] if "/" not in command[0] else command
            self.namespaces.run(argv, timeout_s=LIMIT_S)

    def make_disks(self, logins: Path, size: str) -> None:
        """Prepare it anew, with a disk for each learner, which it mounts whenever it starts again too."""
        self.disks = ["--disks", str(logins), size, str(self.folder / "disks")]
        self.namespaces.run([str(PREPARE_NODE), *self.disks, str(self.own / "run")], timeout_s=LIMIT_S)

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
        start.wait_until_ready(self.engine, self.folder / "dockerd.log", self._answers, limit_s=LIMIT_S)

    def docker(
        self, *args: str, timeout_s: float = LIMIT_S, check: bool = True, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run `docker args…` against this node and return what it printed."""
        done = docker_cli(["--host", self.host, *args], timeout_s=timeout_s, check=check, environment=environment)
        return done.stdout.strip()

    def manage(self, *args: str, environment: Mapping[str, str] | None = None) -> str:
        """Run `docker args…` as a manager of the Swarm and return what it printed.

        It is said again where the managers have no leader for a moment, or have just changed the same themselves.
        """
        told: list[str] = []

        def is_done() -> bool:
            told[:] = [self.docker(*args, environment=environment)]
            return True

        until(is_done, f"`docker {' '.join(args)}`")
        return told[0]

    def enter_swarm(self, *args: str) -> None:
        """Run `docker swarm args…` and wait until this node is a manager, which the command itself may not do."""

        def is_manager() -> bool:
            if self._state() == "inactive false":
                self.docker("swarm", *args)
            return self._state() == "active true"

        until(is_manager, f"{self.hostname} to be a manager")

    def _state(self) -> str:
        return self.docker("info", "--format={{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}")

    def kill(self) -> None:
        """Cut its power: the kernel ends all of its processes, and its cable with them."""
        os.kill(self.namespaces.first, signal.SIGKILL)
        self.engine.wait(timeout=LIMIT_S)
        self.alive = False

    def restart(self, switch: Namespaces) -> None:
        """Start it again after `kill()`: with what was on its disk, and without what a machine keeps in memory."""
        self.namespaces.__exit__(None, None, None)
        remove_cgroups(self.name)
        shutil.rmtree(self.folder / "run")
        (self.folder / "dockerd.pid").unlink()
        # The kernel takes the old cable away some time after its end's network.
        until(lambda: f" port{self.number}@" not in switch.run([tool("ip"), "link"]).stdout, "the old cable to go")
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
            return docker_cli(["--host", self.host, "version"], timeout_s=30, check=False).exit_code == 0
        except TimeLimitReached:
            return False


def in_network(namespaces: Namespaces, *argv: str) -> None:
    """Run a program in the network of these namespaces, and in this machine's processes: it may name any of them."""
    command = namespaces.in_the_network([tool(argv[0]), *argv[1:]])
    subprocess.run(command, check=True, timeout=LIMIT_S, capture_output=True)
