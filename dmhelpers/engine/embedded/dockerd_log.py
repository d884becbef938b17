"""Why a `dockerd` did not start, read from its log, and what to do about it."""

from __future__ import annotations

import re

_CURES = (
    (
        r"cgroup",
        "Mount the control groups at /sys/fs/cgroup (a container needs --privileged for that), then try again.",
    ),
    (
        r"iptables|nf_tables|ip_tables",
        "The kernel lacks packet filtering: load it with `modprobe ip_tables iptable_nat`, or use another machine.",
    ),
    (
        r"graphdriver|overlay|snapshotter",
        "The folder's filesystem cannot carry image layers: put the data root on ext4 or xfs "
        '("data-root" in /etc/docker/daemon.json).',
    ),
    (r"no space left", "The disk is full: make room, then try again."),
    (r"pid file|still running", "Another dockerd runs here: use that one, or stop it first."),
    (
        r"permission denied|not permitted",
        "This root may not do what an engine needs (it is probably inside a container): use the machine itself.",
    ),
)


def decisive_line(text: str) -> str:
    """Return the line of a dockerd log that says why it stopped, without its time and level."""
    lines = [line for line in text.splitlines() if line.strip()]
    for pattern in (r"failed to start daemon", r"level=fatal", r"level=error", r"."):
        for line in reversed(lines):
            if re.search(pattern, line):
                found = re.search(r'msg="((?:[^"\\]|\\.)*)"', line)
                error = re.search(r'error="((?:[^"\\]|\\.)*)"', line)
                parts = [one.group(1).replace('\\"', '"') for one in (found, error) if one]
                return ": ".join(parts) or line.strip()
    return "its log is empty"


def cure_for(line: str) -> str:
    """Return what to do about the decisive line of a dockerd log."""
    for pattern, cure in _CURES:
        if re.search(pattern, line, re.IGNORECASE):
            return cure
    return "Read the whole log, and see whether the engine starts by hand: dockerd"
