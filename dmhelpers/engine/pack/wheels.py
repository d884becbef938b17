"""The wheels of the course's own environment, for as many versions of Python as the room has."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from dmhelpers.engine.bases.wheels import pip
from dmhelpers.engine.pack.archive import Progress
from dmhelpers.errors import PackError

FOLDER = "wheels"
_TIME_LIMIT_S = 1800
_EXTRAS = ("test", "dev")
"""What `make setup` installs beside the course's own needs."""


def collect(project: Path, pythons: Sequence[str], work: Path, *, progress: Progress) -> dict[str, Path]:
    """Download the wheels that `make setup` installs, with this Python's pip and its configuration.

    Args:
        project: The repository's root, with ``pyproject.toml`` and ``constraints.txt``.
        pythons: Versions of Python, such as ``"3.12"``.
        work: An empty folder for the files.
        progress: Told before each version.

    Returns:
        The files by their path in the pack.

    Raises:
        PackError: pip cannot get one of them as a wheel.
    """
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*settings["project"]["dependencies"], *settings["build-system"]["requires"], "editables"]
    for extra in _EXTRAS:
        wanted += settings["project"]["optional-dependencies"][extra]
    for version in pythons:
        progress(f"Downloading the wheels for Python {version} with pip")
        _download(wanted, project / "constraints.txt", version, work)
    return {f"{FOLDER}/{one.name}": one for one in sorted(work.glob("*.whl"))}


def _download(wanted: Sequence[str], constraints: Path, version: str, work: Path) -> None:
    command = [*pip(), "download", "--quiet", "--only-binary=:all:", "--dest", str(work)]
    if version != current():
        command += ["--python-version", version]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as requirements:
        requirements.write("".join(f"{one}\n" for one in wanted))
        requirements.flush()
        command += ["--requirement", requirements.name, "--constraint", str(constraints)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIME_LIMIT_S, stdin=subprocess.DEVNULL, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise _failed(version, "it took longer than half an hour") from error
    if done.returncode != 0:
        raise _failed(version, f"pip ended with {done.returncode}")


def _failed(version: str, reason: str) -> PackError:
    # pip's own words may hold the address of a mirror, and with it a password: they are not repeated.
    return PackError(
        f"The wheels for Python {version} could not be downloaded: {reason}.",
        hint="Ask for a version that all packages have wheels for, such as --python 3.12; a network is needed.",
    )


def current() -> str:
    """Return this Python's version as ``3.12``."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
