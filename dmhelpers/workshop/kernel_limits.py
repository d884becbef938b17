"""Limits that the kernel counts for each user: all seats are user 1000 to it, so a room shares what one person has.

A class that works as the course says fits into what is asked for here. It is no wall: a learner who sets out to use
one of them up can, whatever it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Limit:
    setting: str
    what: str
    a_learner: int


# How many each needs is derived, not measured. A container that runs holds one key, the keyring of its session, of
# 70 bytes: the seat does, and what runs on its engine, a build's RUN steps among that. An engine watches a few files
# by inotify, and so does a container with a development server in it. An engine has a user namespace of its own.
_LIMITS = (
    _Limit("kernel.keys.maxkeys", "keys, one for each container that runs", 20),
    _Limit("kernel.keys.maxbytes", "bytes of keys, for each container that runs", 20 * 100),
    _Limit("fs.inotify.max_user_instances", "inotify instances, of engines and whatever watches files", 16),
    _Limit("user.max_user_namespaces", "user namespaces, of engines", 8),
)


def shortages(learners: int, proc_sys: Path = Path("/proc/sys")) -> list[str]:
    """Return what is too small on this machine for a room, as sentences with the command that raises it.

    Args:
        learners: How many sit in the room.
        proc_sys: Where the kernel's settings are; what it does not have is left out.

    Returns:
        One sentence a setting, in a fixed order; empty where all suffice.
    """
    found = []
    for limit in _LIMITS:
        allowed, wanted = _read(proc_sys / limit.setting.replace(".", "/")), learners * limit.a_learner
        if allowed is not None and allowed < wanted:
            found.append(
                f"All seats together may have {allowed} {limit.what}; {learners} learners may need {wanted}, "
                f"{limit.a_learner} each: sysctl -w {limit.setting}={wanted}"
            )
    return found


def _read(setting: Path) -> int | None:
    try:
        return int(setting.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
