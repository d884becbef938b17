"""A learner's disk: a file with ext4 in it, mounted through a loop device. Its size is the learner's quota.

The first one is the template: a seat starts on it once and loads the pack. The others are copies, so that
thirty engines have their base images without loading them thirty times.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dmhelpers.errors import EngineError
from dmhelpers.workshop.settings import Workshop

TEMPLATE = "_template"
UNFINISHED = "_template-new"
"""Disks that are nobody's: no login has an underscore."""

_MOUNT_OPTIONS = "loop,nodev,noatime,discard"


def make(workshop: Workshop, learner: str) -> None:
    """Make an empty disk, if there is none.

    Raises:
        EngineError: The disk could not be made.
    """
    disk = workshop.disk(learner)
    if disk.exists():
        return
    disk.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = ["-q", "-F", "-m", "0", "-E", "root_owner=1000:1000,lazy_itable_init=1,lazy_journal_init=1"]
    with _made_whole(disk) as fresh:
        with fresh.open("wb") as handle:
            handle.truncate(workshop.limits.disk_bytes)
        _run(["mkfs.ext4", *options, "-J", "size=16", str(fresh)])


def make_from_template(workshop: Workshop, learner: str) -> None:
    """Make a learner's disk as a copy of the template, if there is none; whole or not at all.

    Raises:
        EngineError: The copy could not be made.
    """
    disk = workshop.disk(learner)
    if disk.exists():
        return
    with _made_whole(disk) as fresh:
        _run(["cp", "--sparse=always", "--reflink=auto", str(workshop.disk(TEMPLATE)), str(fresh)])


@contextmanager
def _made_whole(disk: Path) -> Iterator[Path]:
    """Give a file that becomes the disk when the block ends, and goes if it fails: it would take room for nothing."""
    fresh = disk.with_suffix(".new")
    try:
        yield fresh
        fresh.replace(disk)
    finally:
        fresh.unlink(missing_ok=True)


def mount(workshop: Workshop, learner: str) -> Path:
    """Mount a learner's disk, if it is not mounted, and return where.

    Raises:
        EngineError: It could not be mounted.
    """
    home = workshop.home(learner)
    home.mkdir(parents=True, exist_ok=True)
    if not home.is_mount():
        _run(["mount", "-t", "ext4", "-o", _MOUNT_OPTIONS, str(workshop.disk(learner)), str(home)])
        os.chown(home, 1000, 1000)
        home.chmod(0o700)
    return home


def unmount(workshop: Workshop, learner: str) -> None:
    """Unmount a learner's disk, which frees its loop device; nothing where it is not mounted.

    Raises:
        EngineError: Something still uses it.
    """
    home = workshop.home(learner)
    if home.is_mount():
        _run(["umount", str(home)])


def remove_all(workshop: Workshop) -> None:
    """Unmount and remove every disk of a workshop.

    Raises:
        EngineError: One is still in use.
    """
    homes = workshop.folder / "homes"
    for home in sorted(homes.iterdir()) if homes.is_dir() else []:
        unmount(workshop, home.name)
        home.rmdir()
    shutil.rmtree(workshop.folder / "disks", ignore_errors=True)


def used_bytes(workshop: Workshop, learner: str) -> int:
    """Return what a learner's disk takes of this machine's disk; 0 where there is none."""
    disk = workshop.disk(learner)
    return disk.stat().st_blocks * 512 if disk.exists() else 0


def _run(command: Sequence[str]) -> None:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "PATH": path}
        )
    except FileNotFoundError as error:
        raise EngineError(
            f"This machine has no {command[0]}, which makes the learners' disks.",
            hint="Install it (Debian: apt-get install e2fsprogs mount).",
        ) from error
    if done.returncode != 0:
        raise EngineError(
            f"`{command[0]}` ended with {done.returncode}: {done.stderr.strip()}",
            hint="A disk needs room, root, and the kernel's loop devices: df -h; ls /dev/loop-control",
        )
