"""Hub, proxy, culler and guard as processes, kept running by supervisord: what is killed comes back."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dmhelpers.errors import EngineError
from dmhelpers.workshop import packs
from dmhelpers.workshop.image import course_root
from dmhelpers.workshop.settings import VARIABLE, Workshop

_READY_LIMIT_S = 120.0
_BUSY_LIMIT_S = 30.0
_ANSWER_LIMIT_S = 15.0
_STOP_LIMIT_S = 180.0
"""Longer than supervisord may take: it ends one process after the other, and kills each after 20 s."""
_STRAYS_LIMIT_S = 10.0
_CONTROL_LIMIT_S = 120.0
_FILES = 65536
"""How many connections and files each process may hold, if it may: the usual 1,024 could be taken up by one seat."""

_MARK = "DMHELPERS_WORKSHOP_PROCESS"


def start(workshop: Workshop, proxy: Path) -> None:
    """Start the processes and wait until the hub answers through the proxy.

    Raises:
        EngineError: It does not.
    """
    (workshop.folder / "log").mkdir(exist_ok=True)
    settings = workshop.folder / "supervisord.conf"
    settings.touch(mode=0o600)
    settings.write_text(_supervisor_settings(workshop, proxy), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(settings)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).rsplit("\n", 1)[-1]
        raise EngineError(
            f"supervisord did not start: {last}", hint="Is the workshop up already? dmhelpers workshop status"
        )
    wait_until_ready(workshop)


def restart_hub(workshop: Workshop) -> None:
    """Have the hub read its configuration anew; learners' seats and their connections go on.

    Raises:
        EngineError: It does not come back.
    """
    _control(workshop, "restart", "hub")
    wait_until_ready(workshop)


def stop(workshop: Workshop) -> None:
    """Stop the processes, also those that a supervisord left that was killed; nothing where none run.

    Raises:
        EngineError: They do not end.
    """
    pid = supervisor_pid(workshop)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_LIMIT_S
    while supervisor_pid(workshop) is not None:
        if time.monotonic() > deadline:
            raise EngineError(
                f"The workshop's processes (supervisord {pid}) do not end.",
                hint=f"See its log: {workshop.folder / 'log'}",
            )
        time.sleep(0.1)
    _end_strays(workshop)


def marked(workshop: Workshop) -> dict[str, str]:
    """Return the variable by which `stop` knows a process that the hub itself starts and may leave behind."""
    return {_MARK: str(workshop.folder)}


def _end_strays(workshop: Workshop) -> None:
    """End what a killed supervisord started: it would keep the ports that the next one needs."""
    deadline = time.monotonic() + _STRAYS_LIMIT_S
    while strays := _strays(workshop):
        for pid in strays:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.2)


def _strays(workshop: Workshop) -> list[int]:
    mark, found = f"{_MARK}={workshop.folder}".encode(), []
    ours = _pid_namespace(Path("/proc/self"))
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            # What runs in a seat can call itself anything, and must keep nobody waiting for its end.
            if _pid_namespace(process) == ours and mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def _pid_namespace(process: Path) -> str:
    return str((process / "ns" / "pid").readlink())


def states(workshop: Workshop) -> dict[str, str]:
    """Return what each process does, such as ``{"hub": "RUNNING"}``; empty where supervisord does not run."""
    if supervisor_pid(workshop) is None:
        return {}
    rows = (line.split() for line in _control(workshop, "status").splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1}


def process_id(workshop: Workshop, program: str) -> int:
    """Return the process ID of a program, such as ``"hub"`` or ``"proxy"``; 0 where it does not run."""
    told = _control(workshop, "pid", program).strip()
    return int(told) if told.isdigit() else 0


def supervisor_pid(workshop: Workshop) -> int | None:
    """Return supervisord's process ID, or None where it does not run."""
    try:
        pid = int((workshop.folder / "supervisord.pid").read_text(encoding="utf-8"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(workshop.folder).encode() in command else None


def wait_until_ready(workshop: Workshop, limit_s: float = _READY_LIMIT_S) -> None:
    """Wait until the hub answers through the proxy.

    Raises:
        EngineError: It does not within the limit; the hub's last words are in the message.
    """
    deadline = time.monotonic() + limit_s
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(f"{workshop.url}/hub/health", timeout=_ANSWER_LIMIT_S) as answer:
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            pass
        if time.monotonic() > deadline:
            log = workshop.folder / "log" / "hub.log"
            told = (
                log.read_text(encoding="utf-8", errors="replace").strip().rsplit("\n", 1)[-1] if log.exists() else ""
            )
            raise EngineError(
                f"The hub does not answer at {workshop.url}: {told or 'it said nothing'}", hint=f"Read its log: {log}"
            )
        time.sleep(0.2)


def answers(workshop: Workshop) -> bool:
    """Tell whether the hub answers through the proxy, on a busy machine after some time."""
    try:
        wait_until_ready(workshop, _BUSY_LIMIT_S)
    except EngineError:
        return False
    return True


def keep_log(workshop: Workshop) -> Path:
    """Copy a workshop's logs to where they stay when its folder goes, in place of earlier ones, and return where."""
    kept = workshop.folder.with_name(f"{workshop.name}.log")
    shutil.rmtree(kept, ignore_errors=True)
    with suppress(FileNotFoundError):
        shutil.copytree(workshop.folder / "log", kept)
    return kept


def _control(workshop: Workshop, *args: str) -> str:
    settings = workshop.folder / "supervisord.conf"
    command = [sys.executable, "-m", "supervisor.supervisorctl", "--configuration", str(settings), *args]
    try:
        # `status` ends with 3 when a process does not run; what it prints says which.
        return subprocess.run(command, capture_output=True, text=True, timeout=_CONTROL_LIMIT_S, check=False).stdout
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"supervisord did not answer `{' '.join(args)}` within {_CONTROL_LIMIT_S:g} s.",
            hint=f"The machine is overloaded, or see its log: {workshop.folder / 'log' / 'supervisord.log'}",
        ) from error


def _supervisor_settings(workshop: Workshop, proxy: Path) -> str:
    folder, hub = workshop.folder, f"http://{workshop.hub_address}:{workshop.hub_port}"
    proxy_command = [
        str(proxy),
        *(f"--ip={workshop.address}", f"--port={workshop.port}"),
        *("--api-ip=127.0.0.1", f"--api-port={workshop.proxy_port}"),
        *(f"--default-target={hub}", f"--error-target={hub}/hub/error"),
    ]
    token = (folder / "proxy_token").read_text(encoding="utf-8")
    hub_variables = f'{VARIABLE}="{folder}",DOCKER_HOST="{workshop.engine_host}"'
    config = course_root() / "deploy" / "workshop" / "jupyterhub_config.py"
    parts = [
        f"[unix_http_server]\nfile={folder}/supervisor.sock\nchmod=0700",
        f"[supervisord]\npidfile={folder}/supervisord.pid\nlogfile={folder}/log/supervisord.log\ndirectory={folder}\numask=077"
        f"\nminfds={_most_files()}",
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        f"[supervisorctl]\nserverurl=unix://{folder}/supervisor.sock",
        _program(folder, "proxy", proxy_command, f'CONFIGPROXY_AUTH_TOKEN="{token}"'),
        _program(folder, "hub", [sys.executable, "-m", "jupyterhub", "-f", str(config)], hub_variables),
        _program(folder, "guard", [sys.executable, "-m", "dmhelpers.workshop.guard"], hub_variables),
    ]
    if workshop.mirror:
        parts.append(_program(folder, "mirror", packs.mirror_command(workshop), f'{VARIABLE}="{folder}"'))
    if workshop.idle_after_s:
        culler_token = (folder / "culler_token").read_text(encoding="utf-8")
        variables = f'JUPYTERHUB_API_TOKEN="{culler_token}",JUPYTERHUB_API_URL="{hub}/hub/api"'
        command = [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={workshop.idle_after_s}"]
        parts.append(_program(folder, "culler", command, variables))
    return "\n\n".join(parts) + "\n"


def _most_files() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)


def _program(folder: Path, name: str, command: Sequence[str], variables: str) -> str:
    # supervisord splits a command as a shell does.
    return (
        f'[program:{name}]\ncommand={shlex.join(command)}\nenvironment={_MARK}="{folder}",{variables}\n'
        f"autorestart=true\nstartsecs=1\n"
        f"startretries=1000\nstopwaitsecs=20\nstopasgroup=true\nkillasgroup=true\nredirect_stderr=true\n"
        f"stdout_logfile={folder}/log/{name}.log\nstdout_logfile_maxbytes=5MB\nstdout_logfile_backups=1"
    )
