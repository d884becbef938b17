"""The distribution's own service of the engine, where systemd runs the machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from dmhelpers.engine.embedded import state
from dmhelpers.engine.embedded.start import DEFAULT_DATA_ROOT, READY_LIMIT_S
from dmhelpers.engine.patience import patient
from dmhelpers.errors import EngineError

_RUNNING = Path("/run/systemd/system")
_UNITS = ("docker.socket", "docker.service")


def runs() -> bool:
    """Tell whether systemd runs this machine, by the folder that it makes for that purpose."""
    return _RUNNING.is_dir()


def start_engine(answers: Callable[[], bool]) -> state.StartedEngine:
    """Start the service and wait until the engine answers.

    Args:
        answers: Tells whether its API answers.

    Raises:
        EngineError: systemd refused, or the engine does not answer in time.
    """
    _systemctl("start", "docker.service")
    deadline = time.monotonic() + patient(READY_LIMIT_S)
    while not answers():
        if time.monotonic() > deadline:
            raise EngineError(
                "systemd started docker.service, but the engine does not answer.",
                hint="See why with: journalctl -u docker.service -n 50",
            )
        time.sleep(0.2)
    pid = int(_systemctl("show", "--property=MainPID", "--value", "docker.service"))
    return state.StartedEngine("systemd", pid, state.start_ticks(pid) or 0, "default", str(DEFAULT_DATA_ROOT), "")


def stop_engine() -> None:
    """Stop the service and its socket; where systemd does not run, or has no such units, there is nothing to stop."""
    if runs():
        _systemctl("stop", *_UNITS, check=False)


def _systemctl(*args: str, check: bool = True) -> str:
    done = subprocess.run(
        ["systemctl", *args], capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
    )
    if check and done.returncode != 0:
        raise EngineError(
            f"`systemctl {' '.join(args)}` ended with {done.returncode}: {done.stderr.strip()}",
            hint="See why with: journalctl -u docker.service -n 50",
        )
    return done.stdout.strip()
