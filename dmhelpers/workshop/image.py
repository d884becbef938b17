"""The image of a learner's seat, built from `deploy/workshop/learner` on the engine that is in use.

`dmhelpers workshop prepare` builds it before the day; `python -m dmhelpers.workshop.image [TAG]` by itself.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dmhelpers.course.sample_info import checkout
from dmhelpers.engine.bases.apt_sources import machine_sources
from dmhelpers.engine.bases.certificates import host_bundle
from dmhelpers.engine.client import api, docker_cli, engine_answers
from dmhelpers.engine.labels import COURSE
from dmhelpers.errors import BaseImageError, EngineError, ProjectNotFound

IMAGE = "dmhelpers-learner:latest"
"""The name of the image of a learner's seat."""

OFFICIAL_BASE = "debian:trixie-slim"
OWN_BASE = "dmhelpers-debian:trixie"
"""What stands for the official base where no registry answers: Debian 13 made from its packages by debootstrap."""

_STATE = f"{COURSE}.state"
_COURSE = (
    "notebooks",
    "dmhelpers",
    "sample_projects",
    "deploy/workshop/learner",
    "constraints.txt",
    "pyproject.toml",
)

Say = Callable[[str], None]


def build_image(tag: str = IMAGE, *, say: Say = lambda _line: None) -> str:
    """Build the image of a learner's seat from this checkout, and return its ID.

    Args:
        tag: The name that it gets.
        say: Takes one line a stage.

    Raises:
        ProjectNotFound: This is no checkout of the course.
        BaseImageError: There is neither a registry nor debootstrap with a Debian mirror.
        CommandFailed: The build failed.
    """
    root = course_root()
    base = ensure_base(say)
    with tempfile.TemporaryDirectory(prefix="dmhelpers-learner-") as scratch:
        context = Path(scratch) / "context"
        _fill(context, root)
        pip = Path(scratch) / "pip.conf"
        pip.write_text(_pip_settings(), encoding="utf-8")
        say(f"Building {tag} on {base}")
        options = ["--provenance=false", "--load", f"--build-arg=BASE={base}", f"--secret=id=pip,src={pip}"]
        options += [f"--label={COURSE}.workshop=image", f"--label={_STATE}={course_state(root)}"]
        docker_cli(["buildx", "build", *options, "-t", tag, str(context)], timeout_s=1800)
    client: Any = api()
    with engine_answers():
        return str(client.inspect_image(tag)["Id"])


def course_state(root: Path) -> str:
    """Return a digest of all that a seat's image has of the course: notebooks, package, samples, its own files."""
    made = hashlib.sha256()
    for name in _COURSE:
        place = root / name
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in files:
            if file.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(file.parts):
                made.update(f"{file.relative_to(root)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return made.hexdigest()[:16]


def is_outdated(tag: str = IMAGE) -> bool:
    """Tell whether an image of ours has another state of the course than this checkout; others' images never are."""
    client: Any = api()
    with engine_answers():
        labels = client.inspect_image(tag)["Config"].get("Labels") or {}
    return labels.get(_STATE, "") not in ("", course_state(course_root()))


def ensure_base(say: Say) -> str:
    """Return the name of the base to build on: the official image, else one made from Debian's packages."""
    for name in (OFFICIAL_BASE, OWN_BASE):
        if api().images(name=name):
            return name
    say(f"Asking the registry for {OFFICIAL_BASE}")
    try:
        pulled = docker_cli(["pull", "--quiet", OFFICIAL_BASE], timeout_s=120, check=False).exit_code == 0
    except EngineError:
        pulled = False
    if pulled:
        return OFFICIAL_BASE
    say(f"No registry answers; making {OWN_BASE} from Debian's packages")
    return _from_packages()


def course_root() -> Path:
    """Return the checkout that this package runs from.

    Raises:
        ProjectNotFound: It was installed without one.
    """
    root = checkout()
    if root is None or not (root / "deploy" / "workshop").is_dir():
        raise ProjectNotFound(
            "The workshop is made from the course's own folder, and this dmhelpers was installed without it.",
            hint="Clone the course's repository, run `make setup` there, and use its .venv/bin/dmhelpers.",
        )
    return root


def _from_packages() -> str:
    if shutil.which("debootstrap", path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
        raise BaseImageError(
            f"No registry gives {OFFICIAL_BASE}, and this machine has no debootstrap to make one like it.",
            hint="Install it (apt-get install debootstrap), or load the image: docker load -i FILE",
        )
    with tempfile.TemporaryDirectory(prefix="dmhelpers-debian-", dir="/var/tmp") as folder:
        tree = Path(folder) / "tree"
        command = ["/usr/sbin/debootstrap", "--variant=minbase", "trixie", str(tree), _debian_mirror()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip()).rsplit("\n", 1)[-1]
            raise BaseImageError(
                f"debootstrap could not make a Debian 13: {last}",
                hint="See that this machine's Debian mirror answers (apt-get update), and that you are root.",
            )
        for cached in (tree / "var/cache/apt/archives").glob("*.deb"):
            cached.unlink()
        archive = Path(folder) / "tree.tar"
        subprocess.run(["tar", "--numeric-owner", "-C", str(tree), "-cf", str(archive), "."], check=True, timeout=600)
        docker_cli(["import", "--change", 'CMD ["bash"]', str(archive), OWN_BASE], timeout_s=600)
    return OWN_BASE


def _debian_mirror() -> str:
    for source in machine_sources():
        first = source.uris[0] if source.uris else ""
        if "main" in source.components and first.startswith("http") and first.rstrip("/").endswith("/debian"):
            return first
    raise BaseImageError(
        "This machine's apt has no source for Debian's main archive, so no mirror to take a Debian 13 from.",
        hint=f"Load the image instead: docker load -i FILE, with {OFFICIAL_BASE} in it",
    )


def _fill(context: Path, root: Path) -> None:
    """Lay out the build context: the image's own files, the course as a wheel, and this machine's certificates."""
    shutil.copytree(root / "deploy" / "workshop" / "learner", context)
    shutil.copy(root / "constraints.txt", context)
    (context / "ca-certificates.crt").write_bytes(host_bundle())
    needed = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    (context / "requirements.txt").write_text("\n".join(needed) + "\n", encoding="utf-8")
    (context / "notebooks").mkdir()
    for notebook in sorted((root / "notebooks").glob("*.ipynb")):
        shutil.copy(notebook, context / "notebooks")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(context / "wheels"),
        str(root),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise EngineError(
            "The course could not be packed as a wheel: pip ended with an error.",
            hint=f"See why with: {sys.executable} -m pip wheel --no-deps --wheel-dir build/wheels .",
        )


def _pip_settings() -> str:
    """Return this machine's settings for pip as a pip.conf, without folders that the build cannot see."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60, check=False
    )
    lines = ["[global]", "cert = /etc/ssl/certs/ca-certificates.crt", "timeout = 60", "retries = 10"]
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        name, places = name.rpartition(".")[2], value.strip("'\"").replace("\\n", " ").split()
        if name in ("index-url", "extra-index-url", "trusted-host", "proxy"):
            kept = [one for one in places if not one.startswith("file:")]
            lines += [f"{name} = {' '.join(kept)}"] if kept else []
    return "\n".join(lines) + "\n"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.stdout.write(build_image(*sys.argv[1:2], say=_say) + "\n")
