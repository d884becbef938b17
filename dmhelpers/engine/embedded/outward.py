"""A way out of a private engine's network namespace: slirp4netns, which needs nothing of the machine's network."""

from __future__ import annotations

import os
import subprocess
from types import TracebackType
from typing import Self

from dmhelpers.engine.embedded.install import find_tool
from dmhelpers.errors import EngineError

PROGRAM = "slirp4netns"


class Outward:
    """Networking in user mode for the namespace of a process; use it as a context manager.

    No bridge, address or firewall rule of the machine is made or changed: what leaves the namespace
    leaves as a connection of this user. The machine's own loopback is not reachable through it.

    Args:
        pid: A process in the network namespace.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> Self:
        program = find_tool(PROGRAM)
        if program is None:
            raise EngineError(
                f"There is no `{PROGRAM}` on this machine.", hint=f"Install it: apt-get install {PROGRAM}"
            )
        ready, told = os.pipe()
        options = ["--configure", "--mtu=65520", "--disable-host-loopback", f"--ready-fd={told}"]
        self._process = subprocess.Popen(
            [program, *options, str(self._pid), "tap0"],
            pass_fds=[told],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(told)
        with os.fdopen(ready, "rb") as pipe:
            if pipe.read(1) != b"1":
                complaint = self._process.communicate(timeout=10)[1].decode("utf-8", "replace").strip()
                raise EngineError(
                    f"The private engine got no network: {complaint}", hint="Does this machine have /dev/net/tun?"
                )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=120)
