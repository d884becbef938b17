"""Starting `dockerd` itself, where no systemd does it: its arguments, its log, and why it would not start."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dmhelpers.engine.embedded import state
from dmhelpers.engine.embedded.dockerd_log import cure_for, decisive_line
from dmhelpers.engine.embedded.install import dockerd_version, find_tool, tool_environment
from dmhelpers.engine.embedded.state import StartedEngine, StoreChoice, process_name
from dmhelpers.engine.info import version_pair
from dmhelpers.engine.patience import patient
from dmhelpers.engine.places import state_folder
from dmhelpers.errors import EngineError, EngineUnavailable

DEFAULT_DATA_ROOT = Path("/var/lib/docker")
READY_LIMIT_S = 120.0
CONTAINERD_BY_DEFAULT = (29, 0)

_CGROUPS = Path("/sys/fs/cgroup")
_DAEMON_JSON = Path("/etc/docker/daemon.json")
_PID_FILES = {Path("/var/run/docker.pid"): "dockerd", Path("/var/run/docker/containerd/containerd.pid"): "containerd"}


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


def require_cgroups(folder: Path = _CGROUPS) -> None:
    """Refuse to start where the kernel's control groups are not mounted.

    Raises:
        EngineError: Neither version 2 nor the controllers of version 1 are at `folder`.
    """
    if (folder / "cgroup.controllers").is_file() or all((folder / one).is_dir() for one in ("memory", "devices")):
        return
    raise EngineError(f"{folder} holds no control groups, and containers need them.", hint=cure_for("cgroup"))


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
    deadline = time.monotonic() + patient(limit_s)
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _did_not_start(f"dockerd ended with {process.returncode}", log)
        if answers():
            return
        time.sleep(0.1)
    raise _did_not_start(f"dockerd did not answer within {limit_s:g} s", log)


def start_engine(image_store: StoreChoice, answers: Callable[[], bool]) -> StartedEngine:
    """Start `dockerd` at the standard socket and wait until it answers.

    Args:
        image_store: The image store; ``"default"`` leaves the machine's own settings as they are.
        answers: Tells whether the engine's API answers.

    Raises:
        EngineError: It did not start; nothing of it is left running.
    """
    require_cgroups()
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    data_root, config_file = None, None
    if image_store != "default":
        data_root = data_root_for(image_store, dockerd_version())
        config_file = folder / f"daemon-{image_store}.json"
        config_file.write_text(settings_for(image_store, data_root), encoding="utf-8")
    remove_stale_pid_files()
    log = folder / "dockerd.log"
    process = launch(dockerd_argv(config_file=config_file), log)
    ticks = state.start_ticks(process.pid) or 0
    try:
        wait_until_ready(process, log, answers)
    except BaseException:
        state.end(process.pid, ticks, grace_s=10)
        raise
    return StartedEngine("process", process.pid, ticks, image_store, str(data_root or DEFAULT_DATA_ROOT), str(log))


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
