"""`dmhelpers engine up|status|down`: an engine where there is none, and never a hand on somebody else's."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace

from dmhelpers.engine import info, messages
from dmhelpers.engine.client import api, endpoint, engine_answers, forget_clients
from dmhelpers.engine.embedded import install, start, state, systemd
from dmhelpers.engine.embedded.install import Progress
from dmhelpers.engine.embedded.state import StartedEngine, StoreChoice
from dmhelpers.errors import EngineError, EngineTooOld, EngineUnavailable

_SOCKETS = ("unix:///var/run/docker.sock", "unix:///run/docker.sock", "http+unix://var/run/docker.sock")


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Whether an engine answers, which one, and whether the course started it.

    `started` and `installed` are what the call that returned this did itself. `detail` says what is
    wrong where something is; `hint` what to do about it.
    """

    reachable: bool
    ours: bool
    host: str
    version: str = ""
    store: str = ""
    data_root: str = ""
    log: str = ""
    started: bool = False
    installed: tuple[str, ...] = ()
    detail: str = ""
    hint: str = ""

    def __str__(self) -> str:
        if self.detail:
            return f"{self.detail}\n{self.hint}"
        whose = "started by the course" if self.ours else "not the course's: it stays as it is"
        lines = [f"Docker Engine {self.version} answers at {self.host} ({self.store} image store; {whose})."]
        lines += [f"Its log: {self.log}"] if self.log else []
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Stopped:
    """Whether `down()` stopped an engine; true or false by itself."""

    stopped: bool

    def __bool__(self) -> bool:
        return self.stopped

    def __str__(self) -> str:
        if self.stopped:
            return "Stopped the engine that the course had started."
        return "No engine that the course started runs here; nothing was stopped."


def up(*, image_store: StoreChoice = "default", progress: Progress | None = None) -> EngineStatus:
    """Make sure that an engine answers: the one that is there, else one installed and started here.

    Args:
        image_store: The image store wanted. ``"default"`` takes any engine as it is. Another one restarts
            an engine that the course started, with its own data root; never somebody else's.
        progress: Takes one line a stage.

    Returns:
        The engine's status; `started` and `installed` say what was done.

    Raises:
        EngineUnavailable: None answers and none can be started here (no root, not Linux, another address).
        EngineTooOld: The engine or its buildx is below the course's minimum.
        EngineError: Installing or starting failed, or a foreign engine has another image store.
    """
    say = progress or (lambda _line: None)
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return _as_it_is(image_store)
    with state.one_at_a_time():
        unavailable = _unavailable()
        if unavailable is None:
            installed = install.ensure_installed(say, engine=False)
            if not _must_change(image_store):
                return replace(_as_it_is(image_store), installed=installed)
        else:
            _refuse_if_not_for_us(unavailable)
        installed = install.ensure_installed(say)
        _stop_ours(say)
        _start(image_store, say)
    return replace(_found(), started=True, installed=installed)


def status() -> EngineStatus:
    """Return what answers at the engine's address, and who started it; never an error."""
    try:
        return _found()
    except (EngineUnavailable, EngineTooOld) as error:
        reachable = isinstance(error, EngineTooOld)
        return EngineStatus(reachable, ours=False, host="", detail=error.message, hint=error.hint)


def down(*, progress: Progress | None = None) -> Stopped:
    """Stop the engine that the course started; leave any other alone.

    Args:
        progress: Takes one line a stage.

    Returns:
        Whether one was stopped.

    Raises:
        EngineError: It would not end.
    """
    if not sys.platform.startswith("linux"):
        return Stopped(False)
    with state.one_at_a_time():
        return Stopped(_stop_ours(progress or (lambda _line: None)))


def _found() -> EngineStatus:
    """Return the status of the engine that answers; raise what `engine_info()` raises."""
    host = messages.shown_host(endpoint().host)
    facts = info.engine_info()
    ours = _ours()
    return EngineStatus(
        reachable=True,
        ours=ours is not None,
        host=host,
        version=facts.version,
        store=facts.store,
        data_root=facts.data_root,
        log=ours.log if ours else "",
    )


def _as_it_is(image_store: StoreChoice) -> EngineStatus:
    found = _found()
    if image_store not in ("default", found.store):
        raise EngineError(
            f"The engine at {found.host} keeps its images in the {found.store} store, not in {image_store}'s, "
            "and the course did not start it.",
            hint="Switch it in its own settings (the feature containerd-snapshotter), or use it as it is.",
        )
    return found


def _unavailable() -> EngineUnavailable | None:
    """Ask the engine afresh; return why it does not answer."""
    forget_clients()
    info.forget_info()
    try:
        with engine_answers():
            api().ping()
    except EngineUnavailable as error:
        return error
    return None


def _must_change(image_store: StoreChoice) -> bool:
    """Tell whether the engine that answers is ours and was started with another image store."""
    return image_store != "default" and _ours() is not None and info.engine_info().store != image_store


def _ours() -> StartedEngine | None:
    """Return the engine that the course started, where the current address is its socket."""
    return state.recall() if endpoint().host in _SOCKETS else None


def _refuse_if_not_for_us(error: EngineUnavailable) -> None:
    """Raise what the attempt to reach the engine ended with, unless an engine here would cure it."""
    if endpoint().source != "standard socket" or "permission denied" in error.message:
        raise error


def _answers() -> bool:
    return _unavailable() is None


def _start(image_store: StoreChoice, say: Progress) -> None:
    say(f"Starting Docker Engine {install.dockerd_version()} ({image_store} image store)")
    if systemd.runs() and image_store == "default":
        started = systemd.start_engine(_answers)
    else:
        systemd.stop_engine()
        started = start.start_engine(image_store, _answers)
    state.remember(started)
    forget_clients()
    info.forget_info()


def _stop_ours(say: Progress) -> bool:
    ours = state.recall()
    if ours is None:
        return False
    say("Stopping the engine that the course started")
    if ours.how == "systemd":
        systemd.stop_engine()
    elif not state.end(ours.pid, ours.start_ticks):
        raise EngineError(
            f"The engine (process {ours.pid}) did not end.", hint=f"See what holds it in its log: {ours.log}"
        )
    state.forget()
    forget_clients()
    info.forget_info()
    return True
