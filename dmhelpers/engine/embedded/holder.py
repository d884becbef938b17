"""The first process of a private engine's namespaces: everything in them ends when it does.

It is run as a script by `private.py` under `unshare`, never imported for its effects. It brings the
loopback interface up, says that it is ready, and waits for its standard input to close, which
happens even if the program that started it is killed.
"""

from __future__ import annotations

import ctypes
import fcntl
import signal
import socket
import struct
import sys
from pathlib import Path

_SIOCSIFFLAGS = 0x8914
_UP_AND_RUNNING = 0x41


def main() -> None:
    """Set the namespaces up and hold them."""
    # Ignored, so that the kernel itself reaps the orphans that fall to the first process.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", _UP_AND_RUNNING, b""))
    _hide(Path("/run/containerd"))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()


def _hide(folder: Path) -> None:
    """Lay an empty folder over one, so that the engine inside does not find the machine's own containerd."""
    if not folder.is_dir():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, b"mode=711") != 0:
        raise OSError(ctypes.get_errno(), f"cannot lay an empty folder over {folder}")


if __name__ == "__main__":
    main()
