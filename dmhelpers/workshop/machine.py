"""What the machine that serves the room has: processors, memory, disk, and what is free of them."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """One look at this machine; `available_bytes` is the kernel's own estimate of what programs can still have."""

    cpus: int
    memory_bytes: int
    available_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    load: float
    platform: str


def look(folder: Path) -> Machine:
    """Return what the machine has now, and the disk that a folder is on."""
    memory = {}
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        memory[name] = int(value.split()[0]) * 1024
    disk = shutil.disk_usage(folder)
    return Machine(
        cpus=os.cpu_count() or 1,
        memory_bytes=memory["MemTotal"],
        available_bytes=memory["MemAvailable"],
        disk_bytes=disk.total,
        disk_free_bytes=disk.free,
        load=os.getloadavg()[0],
        platform=f"{platform.system().lower()}/{platform.machine()}",
    )
