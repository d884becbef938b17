"""Starting `dockerd` itself, where no systemd does it: its arguments, its log, and why it would not start."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dmhelpers.engine.embedded.install import find_tool, tool_environment
from dmhelpers.engine.embedded.state import StoreChoice, process_name
from dmhelpers.engine.info import version_pair
from dmhelpers.errors import EngineError, EngineUnavailable

DEFAULT_DATA_ROOT = Path("/var/lib/docker")
READY_LIMIT_S = 60.0
CONTAINERD_BY_DEFAULT = (29, 0)

_CGROUPS = Path("/sys/fs/cgroup")
_DAEMON_JSON = Path("/etc/docker/daemon.json")
_PID_FILES = {Path("/var/run/docker.pid"): "dockerd", Path("/var/run/docker/containerd/containerd.pid"): "containerd"}
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


def dockerd_argv(
    *,
    data_root: Path | None = None,
    exec_root: Path | None = None,
    pid_file: Path | None = None,
    socket: Path | None = None,
    config_file: Path | None = None,
    cgroup_parent: str | None = None,
) -> list[str]:
    """Return the argument list that starts a `dockerd`; what is None stays the engine's own default.

    Args:
        data_root: Where it keeps images, containers and volumes.
        exec_root: Where it keeps what only matters while it runs.
        pid_file: Where it writes its process ID.
        socket: The Unix socket that it listens on.
        config_file: Its settings, in place of /etc/docker/daemon.json.
        cgroup_parent: The control group under which its containers stand; it then manages the groups itself.

    Raises:
        EngineUnavailable: There is no `dockerd` on this machine.
    """
    program = find_tool("dockerd")
    if program is None:
        raise EngineUnavailable(
            "There is no `dockerd` on this machine.", hint="Install and start one with: dmhelpers engine up"
        )
    options = {
        "--data-root": data_root,
        "--exec-root": exec_root,
        "--pidfile": pid_file,
        "--host": f"unix://{socket}" if socket else None,
        "--config-file": config_file,
        "--cgroup-parent": cgroup_parent,
        "--exec-opt": "native.cgroupdriver=cgroupfs" if cgroup_parent else None,
    }
    return [program, *(f"{name}={value}" for name, value in options.items() if value is not None)]


def data_root_for(store: StoreChoice, dockerd_version: str) -> Path | None:
    """Return the data root for an image store; None for the engine's own default.

    The store that this engine would not choose by itself gets a folder beside the default one: what
    the two leave behind never meets, and either can be deleted without the other.
    """
    own_choice = "containerd" if version_pair(dockerd_version) >= CONTAINERD_BY_DEFAULT else "overlay2"
    if store == "default" or (store == "overlay2" and own_choice == "overlay2"):
        return None
    return DEFAULT_DATA_ROOT.with_name(f"docker-dmhelpers-{store}")


def settings_for(store: StoreChoice, data_root: Path | None, own: Path = _DAEMON_JSON) -> str:
    """Return the settings file for an image store: the machine's own settings with the store's feature on top.

    Raises:
        EngineError: The machine's settings cannot be read.
    """
    try:
        settings = json.loads(own.read_text(encoding="utf-8") or "{}") if own.exists() else {}
    except (OSError, ValueError) as error:
        raise EngineError(f"{own} cannot be read: {error}", hint=f"Mend {own}, then try again.") from error
    features = {**settings.get("features", {}), "containerd-snapshotter": store == "containerd"}
    settings = {**settings, "features": features}
    if data_root is not None:
        settings["data-root"] = str(data_root)
    if store == "containerd":
        settings.pop("storage-driver", None)
    return json.dumps(settings, indent=2) + "\n"


def dockerd_version() -> str:
    """Return the installed dockerd's version as it prints it, ``""`` where it says none."""
    done = subprocess.run(
        [dockerd_argv()[0], "--version"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    found = re.search(r"version (\d\S*?),?(?:\s|$)", done.stdout)
    return found.group(1) if found else ""


def require_cgroups(folder: Path = _CGROUPS) -> None:
    """Refuse to start where the kernel's control groups are not mounted.

    Raises:
        EngineError: Neither version 2 nor the controllers of version 1 are at `folder`.
    """
    if (folder / "cgroup.controllers").is_file() or all((folder / one).is_dir() for one in ("memory", "devices")):
        return
    raise EngineError(f"{folder} holds no control groups, and containers need them.", hint=_CURES[0][1])


def remove_stale_pid_files(files: dict[Path, str] | None = None) -> None:
    """Remove the pid files of killed engines: those whose process is gone or is now another program.

    A dockerd that finds a live process under the number in its pid file refuses to start, whatever
    that process is.
    """
    for path, name in (_PID_FILES if files is None else files).items():
        try:
            pid = int(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if process_name(pid) != name:
            path.unlink(missing_ok=True)


def launch(argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, writing to a log, so that it outlives this process."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env=tool_environment(),
        )


def wait_until_ready(
    process: subprocess.Popen[bytes], log: Path, answers: Callable[[], bool], *, limit_s: float = READY_LIMIT_S
) -> None:
    """Wait until an engine answers.

    Args:
        process: What was launched.
        log: Where it writes.
        answers: Tells whether the engine's API answers.
        limit_s: Seconds to wait.

    Raises:
        EngineError: It ended, or did not answer in time; with the decisive line of its log.
    """
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _did_not_start(f"dockerd ended with {process.returncode}", log)
        if answers():
            return
        time.sleep(0.1)
    raise _did_not_start(f"dockerd did not answer within {limit_s:g} s", log)


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


def _did_not_start(what: str, log: Path) -> EngineError:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
        line = decisive_line(text)
    except OSError:
        text = line = "it wrote no log"
    # On a full disk the decisive line blames the storage driver; the reason stands above it.
    full = re.search("no space left on device", text)
    return EngineError(
        f"The engine did not start: {what}.\n{line}\n(log: {log})", hint=cure_for(full[0] if full else line)
    )
