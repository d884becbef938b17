"""JupyterHub's proxy, configurable-http-proxy: the one that is installed, else one from npm in the course's cache."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from dmhelpers.engine.places import cache_folder
from dmhelpers.errors import EngineError
from dmhelpers.workshop.image import course_root

VERSION = "5.3.0"
_PROGRAM = "configurable-http-proxy"


def find_or_install() -> Path:
    """Return the proxy's program.

    Raises:
        EngineError: It is not installed and npm cannot install it.
    """
    installed = shutil.which(_PROGRAM)
    if installed:
        return Path(installed)
    beside = course_root() / "build" / "proxy" / "node_modules" / ".bin" / _PROGRAM  # where scripts/proxy.sh puts it
    if beside.is_file():
        return beside
    folder = cache_folder() / "workshop" / f"proxy-{VERSION}"
    program = folder / "node_modules" / ".bin" / _PROGRAM
    if program.is_file():
        return program
    npm = shutil.which("npm")
    if npm is None:
        raise EngineError(
            "JupyterHub's proxy is not installed, and there is no npm to install it with.",
            hint=f"Install Node.js 20 or newer with npm, then: npm install --global {_PROGRAM}",
        )
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", f"{_PROGRAM}@{VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0 or not program.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        raise EngineError(
            f"npm could not install {_PROGRAM} {VERSION}.", hint=f"See why with: npm install --global {_PROGRAM}"
        )
    return program
