"""Installing Docker Engine from the distribution's packages: only what is missing, and nothing else upgraded."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dmhelpers.engine.bases.apt_sources import os_release
from dmhelpers.engine.client import forget_clients
from dmhelpers.engine.embedded import apt
from dmhelpers.engine.info import MINIMUM_ENGINE, buildx_version, version_pair
from dmhelpers.errors import EngineError, EngineTooOld

_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_MARK = "# Written by dmhelpers for the time of one installation; safe to delete."
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_APT_OPTIONS = ("-y", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=120")
_KEEP_NO_ARCHIVES = ("-o", "APT::Keep-Downloaded-Packages=false")

Progress = Callable[[str], None]


def tool_environment() -> dict[str, str]:
    """Return this process's environment with the folders of system tools (iptables, dockerd) on its PATH."""
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"}


def find_tool(name: str) -> str | None:
    """Return a program's path, looking also where system tools stand."""
    return shutil.which(name, path=tool_environment()["PATH"])


def dockerd_version() -> str:
    """Return the installed `dockerd`'s version as it prints it, ``""`` where there is none."""
    dockerd = find_tool("dockerd")
    if dockerd is None:
        return ""
    done = subprocess.run(
        [dockerd, "--version"], capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL
    )
    found = re.search(r"version (\d\S*?),?(?:\s|$)", done.stdout)
    return found.group(1) if found else ""


def missing_parts() -> tuple[str, ...]:
    """Return which of `dockerd`, `docker` and `docker-buildx` this machine lacks."""
    lacking = tuple(name for name in ("dockerd", "docker") if find_tool(name) is None)
    has_buildx = "docker" not in lacking and buildx_version() != ""
    return lacking if has_buildx else (*lacking, "docker-buildx")


def ensure_installed(say: Progress, *, engine: bool = True) -> tuple[str, ...]:
    """Install what an engine needs and this machine lacks.

    Args:
        say: Takes one line a stage.
        engine: Whether the engine itself is needed; else only the command line and buildx are.

    Returns:
        The packages that were installed; none where nothing was missing.

    Raises:
        EngineTooOld: A `dockerd` below the minimum is installed; replacing it is its owner's decision.
        EngineUnavailable: Not a distribution that the course installs on.
        EngineError: apt refused, or would have upgraded or removed something else.
    """
    lacking = [part for part in missing_parts() if engine or part != "dockerd"]
    if engine:
        _refuse_an_old_engine()
    if not lacking:
        return ()
    plan = apt.install_plan(os_release())
    client_only = tuple(one for one in plan.packages if one.startswith(("docker-cli", "docker-buildx")))
    packages = (*plan.packages, *_for_app_armor()) if engine else client_only
    for path, content in plan.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        say(f"Wrote {path}")
    say("Reading the package lists")
    _apt("update", *_APT_OPTIONS, timeout_s=300)
    fresh = _only_additions(packages)
    say(f"Installing {len(fresh)} packages: {', '.join(fresh)}")
    with no_daemon_by_itself():
        _apt("install", *_APT_OPTIONS, *_KEEP_NO_ARCHIVES, "--no-install-recommends", *packages, timeout_s=900)
    forget_clients()
    return fresh


def additions(simulated: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read what `apt-get --simulate install` printed.

    Returns:
        The packages that would be new, and those that would be upgraded, downgraded or removed.
    """
    new: list[str] = []
    changed: list[str] = []
    for verb, name, old in re.findall(r"^(Inst|Remv) (\S+)(?: \[([^]]+)\])?", simulated, re.MULTILINE):
        (changed if verb == "Remv" or old else new).append(name)
    return tuple(new), tuple(changed)


def _only_additions(packages: Sequence[str]) -> tuple[str, ...]:
    done = _apt("install", "--simulate", "--no-install-recommends", *packages, timeout_s=120)
    new, changed = additions(done)
    if changed:
        raise EngineError(
            f"Installing Docker Engine would also change packages that are there already: {', '.join(changed)}.",
            hint=f"Nothing was installed. To agree: apt-get install --no-install-recommends {' '.join(packages)}",
        )
    return new


def _refuse_an_old_engine() -> None:
    version = dockerd_version()
    if version and version_pair(version) < MINIMUM_ENGINE:
        raise EngineTooOld(
            f"The Docker Engine installed here is {version}; the course needs 23.0 or newer.",
            hint="Update it, or remove it (apt-get remove docker.io) and run again: dmhelpers engine up",
        )


def _for_app_armor() -> tuple[str, ...]:
    # Where the kernel enforces AppArmor, containers do not start without its parser.
    try:
        enforced = Path("/sys/module/apparmor/parameters/enabled").read_text().strip() == "Y"
    except OSError:
        enforced = False
    return ("apparmor",) if enforced and find_tool("apparmor_parser") is None else ()


@contextmanager
def no_daemon_by_itself(policy: Path = _POLICY) -> Iterator[None]:
    """Keep packages from starting their daemons inside the block; a policy of the machine's own stays."""
    ours = not policy.exists() or _POLICY_MARK in policy.read_text(encoding="utf-8", errors="replace")
    if ours:
        policy.write_text(f"#!/bin/sh\n{_POLICY_MARK}\nexit 101\n", encoding="utf-8")
        policy.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            policy.unlink(missing_ok=True)


def _apt(*args: str, timeout_s: float) -> str:
    """Run apt-get and return what it printed."""
    argv = ["apt-get", *args]
    environment = {**tool_environment(), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"`apt-get {args[0]}` ran longer than {timeout_s:g} s and was ended.",
            hint="See whether the machine reaches its package mirror: apt-get update",
        ) from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("E:")] or ["no reason given"]
        raise EngineError(
            f"`apt-get {args[0]}` ended with {done.returncode}: {without_addresses(said[-1])}",
            hint=f"See all of it by running it yourself: apt-get {args[0]}",
        )
    return done.stdout


def without_addresses(text: str) -> str:
    """Return a text with every web address in it replaced, so that no mirror is told to a log."""
    return re.sub(r"\b[a-z][a-z0-9+.-]*://\S+", "[address]", text)
