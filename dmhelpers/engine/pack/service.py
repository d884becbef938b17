"""The mirror as a process of this machine: started once for each engine, found again, and ended."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.embedded import state
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.patience import patient
from dmhelpers.engine.places import state_folder
from dmhelpers.errors import PackError

PORT = 4873
"""The port that npm mirrors commonly use."""

_TRIES = 20
_START_LIMIT_S = 60.0
_ANSWER_LIMIT_S = 10.0
_NO_ADDRESS = (
    "Name an address that containers of this engine reach: dmhelpers pack load FILE --mirror http://HOST:PORT"
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded into one engine.

    `mirror` is the address that its base images name, ``""`` for none; `address` and `port` are those of a mirror
    that runs on this machine for it, ``""`` and 0 where it is somebody else's.
    """

    pack_id: str
    images: dict[str, str]
    folder: str
    mirror: str
    address: str = ""
    port: int = 0
    pid: int = 0
    start_ticks: int = 0


def recall() -> Loaded | None:
    """Return what was loaded into the current engine, None for nothing."""
    try:
        return Loaded(**json.loads(_state_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remember(loaded: Loaded) -> None:
    """Write down what was loaded into the current engine."""
    path = _state_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(asdict(loaded), indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)


def forget() -> None:
    """Strike out what was loaded into the current engine."""
    _state_file().unlink(missing_ok=True)


def _state_file() -> Path:
    key = hashlib.sha256(engine_info().engine_id.encode()).hexdigest()[:16]
    return state_folder() / "packs" / f"{key}.json"


def gateway() -> str:
    """Return the address at which containers of the current engine reach the machine that it runs on.

    Raises:
        PackError: The engine has no default bridge, or its address is not one of this machine's.
    """
    with engine_answers():
        described: dict[str, Any] = api().inspect_network("bridge")
    found = [
        one.get("Gateway") for one in described.get("IPAM", {}).get("Config") or () if "." in one.get("Gateway", "")
    ]
    if not found:
        raise PackError(
            "This engine's bridge has no address at which a build could reach a mirror.", hint=_NO_ADDRESS
        )
    address = str(found[0]).partition("/")[0]
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            raise PackError(
                f"This engine's bridge ({address}) is not on this machine, so a mirror here would not be reached.",
                hint=_NO_ADDRESS,
            ) from error
    return address


def free_port(address: str) -> int:
    """Return the first free port from `PORT` on.

    Raises:
        PackError: None of twenty is free.
    """
    for port in range(PORT, PORT + _TRIES):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            return port
    raise PackError(f"The ports {PORT} to {PORT + _TRIES - 1} of {address} are all in use.", hint=_NO_ADDRESS)


def start(folder: Path, address: str, port: int) -> tuple[int, int]:
    """Start a mirror that outlives this process, wait until it answers, and return its process ID and start time.

    Raises:
        PackError: It did not start.
    """
    log = state_folder() / "packs" / "mirror.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "dmhelpers.engine.pack.mirror", str(folder), address, str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    ticks = state.start_ticks(process.pid) or 0
    deadline = time.monotonic() + patient(_START_LIMIT_S)
    while time.monotonic() < deadline and process.poll() is None:
        if answers(f"http://{address}:{port}"):
            return process.pid, ticks
        time.sleep(0.05)
    state.end(process.pid, ticks, grace_s=2)
    raise PackError(f"The mirror did not start at {address}:{port}.", hint=f"Its log says why: {log}")


def answers(url: str) -> bool:
    """Say whether a mirror of a pack answers there, asked from this machine and through no proxy."""
    try:
        with build_opener(ProxyHandler({})).open(f"{url}/-/ping", timeout=patient(_ANSWER_LIMIT_S)) as answer:
            return b"dmhelpers pack" in answer.read(200)
    except (URLError, OSError, ValueError):
        return False


def keep_running() -> None:
    """Start the current engine's mirror again, at its old address, if it is ours and was ended since.

    Raises:
        PackError: It does not start.
    """
    loaded = recall()
    if loaded is None or not loaded.port or answers(f"http://{loaded.address}:{loaded.port}"):
        return
    pid, ticks = start(Path(loaded.folder), loaded.address, loaded.port)
    remember(Loaded(**{**asdict(loaded), "pid": pid, "start_ticks": ticks}))


def end(loaded: Loaded) -> None:
    """End a mirror of ours; a process of another time under its number is left alone."""
    if loaded.pid:
        state.end(loaded.pid, loaded.start_ticks, grace_s=5)


def checked_url(url: str) -> str:
    """Return a mirror's address without its closing slash.

    Raises:
        PackError: It is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
        raise PackError(f"{url!r} is no address of a mirror.", hint="Such as: --mirror http://192.0.2.10:4873")
    return url.rstrip("/")
