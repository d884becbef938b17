"""JupyterHub's proxy, configurable-http-proxy: the one that is installed, else one from npm in the course's cache.

`python -m dmhelpers.workshop.proxy` installs it where there is none, and prints where it is.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from dmhelpers.engine.places import cache_folder
from dmhelpers.errors import DmHelpersError, EngineError

VERSION = "5.3.0"
_PROGRAM = "configurable-http-proxy"


def find() -> Path | None:
    """Return the proxy's program; None where it is not installed."""
    installed = shutil.which(_PROGRAM)
    own = _folder() / "node_modules" / ".bin" / _PROGRAM
    return Path(installed) if installed else own if own.is_file() else None


def find_or_install() -> Path:
    """Return the proxy's program, installed if it was not.

    Raises:
        EngineError: npm cannot install it.
    """
    found = find()
    if found is not None:
        return found
    npm, folder = shutil.which("npm"), _folder()
    if npm is None:
        raise EngineError(
            "JupyterHub's proxy is not installed, and there is no npm to install it with.",
            hint=f"Install Node.js 20 or newer with npm, then: npm install --global {_PROGRAM}",
        )
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", f"{_PROGRAM}@{VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    found = find()
    if done.returncode != 0 or found is None:
        shutil.rmtree(folder, ignore_errors=True)
        raise EngineError(
            f"npm could not install {_PROGRAM} {VERSION}.", hint=f"See why with: npm install --global {_PROGRAM}"
        )
    return found


def _folder() -> Path:
    return cache_folder() / "workshop" / f"proxy-{VERSION}"


def main() -> int:
    """Install the proxy where there is none and print where it is; 1 where it cannot be installed."""
    try:
        sys.stdout.write(f"{find_or_install()}\n")
    except DmHelpersError as error:
        sys.stderr.write(f"proxy: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
