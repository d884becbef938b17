"""A second engine beside the machine's own, in namespaces of its own: for the tests of broken engines."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from dmhelpers.engine.client import docker_cli
from dmhelpers.engine.embedded import start, state
from dmhelpers.engine.embedded.namespaces import Namespaces, children, remove_cgroups, tool
from dmhelpers.engine.embedded.outward import Outward
from dmhelpers.engine.patience import patient
from dmhelpers.errors import EngineError, TimeLimitReached

_READY_LIMIT_S = 300.0  # beside other tests a start takes what it takes; one that fails ends by itself


class PrivateEngine:
    """A `dockerd` with its own data root, socket, and network, mount and process namespaces.

    Use it as a context manager. It has no network beyond its own bridge unless it is asked for, and no
    first engine's bridge, firewall rules or containerd is in its sight. On leaving, its first process
    ends, and with it the kernel ends all that is in there: containers, containerd, orphaned RUN processes,
    mounts.

    Args:
        image_store: ``"overlay2"`` or ``"containerd"``.
        disk_bytes: Give it a disk of that size (a loop-mounted ext4 file) as data root; None for
            the machine's own disk.
        parent: The folder in which its own temporary folder is made; it must be able to carry overlay2.
        outward: Give it a way to the machine's network, by slirp4netns.
    """

    def __init__(
        self,
        *,
        image_store: Literal["overlay2", "containerd"] = "overlay2",
        disk_bytes: int | None = None,
        parent: Path = Path("/var/tmp"),  # noqa: S108  a folder made by mkdtemp stands in it
        outward: bool = False,
    ) -> None:
        self.image_store = image_store
        self.disk_bytes = disk_bytes
        self.name = f"dmhelpers-{uuid.uuid4().hex[:8]}"
        self._parent = parent
        self._outward = outward
        self._exits = ExitStack()
        self._engine: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """Its address, for `DOCKER_HOST`."""
        return f"unix://{self.folder / 'docker.sock'}"

    @property
    def data_root(self) -> Path:
        """Its data root; with `disk_bytes` it is seen only from inside its namespaces."""
        return self.folder / "data"

    @property
    def log_text(self) -> str:
        """What its dockerd wrote since it was last started."""
        return (self.folder / "dockerd.log").read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        """The process ID of its dockerd, as this machine counts.

        Raises:
            EngineError: It does not run.
        """
        # nsenter stays as the parent of the program that it starts in another process namespace.
        for child in children(self._engine.pid if self._engine else 0):
            return child
        raise EngineError(f"The private engine {self.name} does not run.", hint="Start it with .start()")

    def __enter__(self) -> Self:
        self._namespaces = Namespaces().__enter__()
        self.folder = Path(tempfile.mkdtemp(prefix="dmh-", dir=self._parent))
        try:
            self._make_disk()
            if self._outward:
                self._exits.enter_context(Outward(self._namespaces.first))
            self.start()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def start(self) -> None:
        """Start its dockerd and wait until it answers; also after `kill()` and `stop()`.

        Raises:
            EngineError: It did not start.
        """
        start.require_cgroups()
        config = self.folder / "daemon.json"
        config.write_text(start.settings_for(self.image_store, None, own=self.folder / "none"), encoding="utf-8")
        argv = start.dockerd_argv(
            data_root=self.data_root,
            exec_root=self.folder / "run",
            pid_file=self.folder / "dockerd.pid",
            socket=self.folder / "docker.sock",
            config_file=config,
            cgroup_parent=f"/{self.name}",
        )
        log = self.folder / "dockerd.log"
        self._engine = start.launch(self._namespaces.inside(argv), log)
        start.wait_until_ready(self._engine, log, self._answers, limit_s=_READY_LIMIT_S)

    def stop(self) -> None:
        """Stop its dockerd in good order: containers end, the data root stays."""
        pid = self.pid
        state.end(pid, state.start_ticks(pid) or 0, grace_s=patient(30))
        self._await_end()

    def kill(self) -> None:
        """Kill its dockerd as a crash would: what it was running is orphaned, its pid file stays."""
        os.kill(self.pid, signal.SIGKILL)
        self._await_end()

    def run_inside(self, argv: list[str], *, timeout_s: float = 120.0) -> str:
        """Run a program of this machine inside the engine's namespaces and return what it printed.

        Raises:
            EngineError: It ended with another code than 0.
        """
        return self._namespaces.run(argv, timeout_s=timeout_s).stdout

    def in_its_network(self, argv: list[str]) -> list[str]:
        """Return the argument list that runs another one where the ports of its containers are published."""
        return self._namespaces.in_the_network(argv)

    def _make_disk(self) -> None:
        self.data_root.mkdir()
        if self.disk_bytes is None:
            return
        disk = self.folder / "disk.ext4"
        with disk.open("wb") as file:
            file.truncate(self.disk_bytes)
        self.run_inside([tool("mkfs.ext4"), "-q", "-F", str(disk)])
        self.run_inside([tool("mount"), "-o", "loop", str(disk), str(self.data_root)])

    def _answers(self) -> bool:
        asked = ["--host", self.host, "version", "--format", "{{.Server.Version}}"]
        try:
            return docker_cli(asked, timeout_s=10, check=False).exit_code == 0
        except TimeLimitReached:  # after a crash it listens first and then ends what the crash left running
            return False

    def _await_end(self) -> None:
        if self._engine is not None:
            self._engine.wait(timeout=patient(60))

    def _leave(self) -> None:
        """End everything, wait for it, and remove the folder and the control groups."""
        with suppress(EngineError, subprocess.TimeoutExpired):
            self.stop()
        self._exits.close()
        self._namespaces.__exit__(None, None, None)
        if self._engine is not None:
            with suppress(subprocess.TimeoutExpired):
                self._engine.wait(timeout=patient(10))
        remove_cgroups(self.name)
        if str(self.folder) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8"):
            shutil.rmtree(self.folder, ignore_errors=True)
