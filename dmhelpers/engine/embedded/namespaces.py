"""Namespaces of their own for an engine: network, mounts and processes, ended all at once by the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from dmhelpers.engine.embedded import holder
from dmhelpers.engine.embedded.install import find_tool, tool_environment
from dmhelpers.errors import EngineError, EngineUnavailable

_CGROUPS = Path("/sys/fs/cgroup")


class Namespaces:
    """Network, mount and process namespaces that are held by one process; use it as a context manager.

    Inside, the machine's files are seen as they are, what is mounted stays inside, the only network is
    the loopback interface, and the machine's own containerd is out of sight. On leaving, or when this
    program dies, the first process ends and the kernel ends all others and every mount with it.
    """

    def __enter__(self) -> Self:
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            raise EngineUnavailable("A private engine needs Linux and root.", hint="Use the engine that is there.")
        # As a slave: where the machine shares its mounts, a disk that is unmounted outside is not held inside.
        unshare = [tool("unshare"), "--net", "--mount", "--propagation", "slave", "--mount-proc"]
        unshare += ["--pid", "--fork", "--kill-child"]
        self._unshare = subprocess.Popen(
            [*unshare, sys.executable, "-I", holder.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if not self._unshare.stdout or self._unshare.stdout.readline() != b"ready\n":
            complaint = self._unshare.communicate(timeout=10)[1].decode("utf-8", "replace").strip()
            raise EngineError(
                f"The namespaces of a private engine could not be made: {complaint}",
                hint="This root is probably inside a container: use the machine itself.",
            )
        self.first = children(self._unshare.pid)[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closes the holder's standard input, at which it ends, and waits.
        self._unshare.communicate()

    def inside(self, argv: list[str]) -> list[str]:
        """Return the argument list that runs another one inside."""
        return [tool("nsenter"), f"--target={self.first}", "--net", "--mount", "--pid", "--", *argv]

    def in_the_network(self, argv: list[str]) -> list[str]:
        """Return the argument list that runs one in their network, with the machine's files and processes."""
        return [tool("nsenter"), f"--target={self.first}", "--net", "--", *argv]

    def run(
        self,
        argv: list[str],
        *,
        timeout_s: float = 120.0,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine inside and return what it did.

        Args:
            argv: The program and its arguments.
            timeout_s: The time limit in seconds.
            check: Whether an exit code other than 0 is an error.
            environment: Variables set on top of this process's own.

        Raises:
            EngineError: It ended with another code than 0, and `check` is true.
        """
        done = subprocess.run(
            self.inside(argv),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={**tool_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode != 0:
            raise EngineError(
                f"`{' '.join(argv)}` in the private namespaces ended with {done.returncode}: {done.stderr.strip()}",
                hint="A private engine with a disk of its own needs loop devices and e2fsprogs.",
            )
        return done


def children(pid: int) -> list[int]:
    """Return the IDs of a process's children; empty where it is gone."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    except OSError:
        return []
    return [int(one) for one in text.split()]


def remove_cgroups(name: str) -> None:
    """Remove the empty control groups of an engine whose processes are gone, the innermost first."""
    deadline = time.monotonic() + 60
    for top in (*_CGROUPS.glob(f"*/{name}"), _CGROUPS / name):
        while top.is_dir() and time.monotonic() < deadline:
            for folder in sorted((one for one in top.rglob("*") if one.is_dir()), reverse=True):
                with suppress(OSError):
                    folder.rmdir()
            with suppress(OSError):
                top.rmdir()
            time.sleep(0.01)


def tool(name: str) -> str:
    """Return the path of a system tool.

    Raises:
        EngineError: This machine does not have it.
    """
    found = find_tool(name)
    if found is None:
        raise EngineError(
            f"There is no `{name}` on this machine.", hint="Install util-linux and e2fsprogs, then try again."
        )
    return found
