"""Wheels for recipes, downloaded with this Python's own pip and its configuration, checked by SHA-256."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from dmhelpers.engine.bases.recipe import Wheel
from dmhelpers.engine.places import cache_folder
from dmhelpers.errors import BaseImageError
from dmhelpers.units import docker_size

_TIME_LIMIT_S = 1800.0


def wheel_file(wheel: Wheel, *, progress: Callable[[str], None]) -> Path:
    """Return the wheel's file, from the course's cache or downloaded into it.

    Args:
        wheel: The pinned file.
        progress: Told before a download.

    Raises:
        BaseImageError: There is no pip, or it cannot get that file.
    """
    folder = cache_folder() / "bases" / "wheels"
    for kept in folder.glob(f"{wheel.sha256[:16]}-*.whl"):
        if _sha256(kept) == wheel.sha256:
            return kept
        kept.unlink()
    progress(f"Downloading {wheel.package} {wheel.version} ({docker_size(wheel.size_bytes)}) with pip")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as scratch:
        downloaded = _download(wheel, Path(scratch))
        kept = folder / f"{wheel.sha256[:16]}-{downloaded.name}"
        downloaded.replace(kept)
    return kept


def _download(wheel: Wheel, folder: Path) -> Path:
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [*pip(), "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--platform", wheel.platform, "--dest", str(folder), "--requirement", str(requirement)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIME_LIMIT_S, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(wheel, "it took longer than half an hour") from error
    found = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not found:
        raise _failed(wheel, _reason(done.stderr))
    return found[0]


@functools.cache
def pip() -> tuple[str, ...]:
    """Return the start of a command that runs pip.

    Raises:
        BaseImageError: This Python has none.
    """
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    on_path = shutil.which("pip3") or shutil.which("pip")
    if on_path:
        return (on_path,)
    raise BaseImageError(
        "This Python has no pip, which downloads what a stand-in base image is made of.",
        hint=f"Install it: {sys.executable} -m ensurepip  (Debian: sudo apt-get install python3-pip)",
    )


def _reason(complaint: str) -> str:
    # pip's own words may hold the address of a mirror, and with it a password: they are not repeated.
    lowered = complaint.lower()
    if "do not match the hashes" in lowered:
        return "what came has another SHA-256 than the recipe says"
    if "certificate" in lowered:
        return "the package index's certificate is not trusted"
    if "no space left" in lowered:
        return "the disk is full"
    if "connection" in lowered or "timed out" in lowered or "resolve" in lowered:
        return "the package index does not answer"
    if "no matching distribution" in lowered:
        return "the package index does not have this file"
    return "pip ended with an error"


def _failed(wheel: Wheel, reason: str) -> BaseImageError:
    return BaseImageError(
        f"pip could not download {wheel.package} {wheel.version} for {wheel.platform}: {reason}.",
        hint=f"See what pip says: {sys.executable} -m pip download --no-deps --only-binary=:all: "
        f"--platform {wheel.platform} {wheel.package}=={wheel.version}",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
