"""`dmhelpers workshop up|down`: everything that a workshop needs on this machine, and nothing left of it after."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dmhelpers.engine.client import api, endpoint
from dmhelpers.errors import DmHelpersError, EngineError, EngineUnavailable, InputError, NotFound
from dmhelpers.workshop import cards, disks, preparing, proxy, roster, saving, seats, services, settings
from dmhelpers.workshop.alone import alone
from dmhelpers.workshop.image import IMAGE, build_image, is_outdated
from dmhelpers.workshop.preparing import Wanted
from dmhelpers.workshop.settings import Workshop

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """A workshop that is up: its settings, the cards of those who are new, and the file that they stand in."""

    workshop: Workshop
    cards: tuple[roster.Card, ...]
    cards_file: Path

    def __str__(self) -> str:
        lines = [f"The workshop is open at {self.workshop.shown_url}"]
        if self.cards:
            lines.append(f"{len(self.cards)} cards to print, then to delete: {self.cards_file}")
        behind_tls = self.workshop.outside.startswith("https://")
        if self.workshop.address not in ("127.0.0.1", "localhost", "::1") and not behind_tls:
            lines.append(
                "What learners type crosses the network unencrypted: docs/workshop.md says how to put TLS before it."
            )
        return "\n".join(lines)


def get_ready(image: str = IMAGE, *, say: Say = lambda _line: None) -> Path:
    """Build a seat's image of the course as it is here, and see that the proxy is installed; both need the network.

    Args:
        image: The name that it gets.
        say: Takes one line a stage.

    Returns:
        The proxy's program.

    Raises:
        EngineUnavailable: This is not Linux, not root, or the engine is not on this machine.
        EngineError: The image cannot be built, or the proxy not installed.
    """
    require_host()
    program = proxy.find_or_install()
    build_image(image, say=say)
    return program


def up(wanted: Wanted, *, say: Say = lambda _line: None) -> Opened:
    """Open a workshop, let further learners into the one that is open, or open it again, also at another address.

    Args:
        wanted: What it is to be.
        say: Takes one line a stage.

    Raises:
        EngineUnavailable: This is not Linux, not root, or the engine is not on this machine.
        InputError: The pack, the address or the port cannot be used, or another command is at work on it.
        EngineError: A part of it did not start. Of a new workshop nothing is left then but the logs.
    """
    require_host()
    with alone(wanted.name):
        folder = settings.folder_of(wanted.name)
        if not (folder / "workshop.json").exists():
            return _open(preparing.planned(wanted, folder), wanted, say, fresh=True)
        before = settings.load(folder)
        workshop = preparing.moved(before, wanted)
        is_moved = (workshop.address, workshop.port) != (before.address, before.port)
        _say_what_stays(workshop, wanted, say)
        if services.supervisor_pid(before) is not None:
            if not is_moved and services.answers(before):
                return _let_in(workshop, wanted, say)
            why = f"Moving it to {workshop.url}" if is_moved else "The hub does not answer"
            say(f"{why}: its processes are started anew; seats go on as they are")
        services.stop(before)
        return _open(preparing.planned_again(workshop), wanted, say, fresh=False)


def _open(workshop: Workshop, wanted: Wanted, say: Say, *, fresh: bool) -> Opened:
    program = proxy.find_or_install()
    if not api().images(name=workshop.image):
        build_image(workshop.image, say=say)
    elif is_outdated(workshop.image):
        say("The seats' image is of another state of the course; to renew it: dmhelpers workshop prepare")
    try:
        workshop, made = preparing.prepare(workshop, wanted, say)
        say("Starting the hub")
        services.start(workshop, program)
    except BaseException as error:
        services.stop(workshop)
        if fresh:
            _remove_but_log(workshop, error)
        raise
    _note_told(workshop)
    return Opened(workshop, tuple(made), cards.file_of(workshop))


def down(
    name: str = "workshop", *, save: Path | None = None, discard: bool = False, say: Say = lambda _l: None
) -> int:
    """Close a workshop and remove all that it made on this machine, except the seat's image.

    Nothing is removed before all work is saved: where that fails the workshop is stopped, and `up` opens it again.

    Args:
        name: The workshop's name.
        save: A folder for the learners' work, one archive each.
        discard: Whether their work may go.
        say: Takes one line a stage.

    Returns:
        How many learners' work was saved.

    Raises:
        NotFound: There is no such workshop.
        InputError: There is work, and neither `save` nor `discard` was given, or `save` cannot be written to; nothing
            was done.
        EngineError: The work could not be saved, or something would not end.
    """
    settings.load(settings.folder_of(name))
    with alone(name):
        return _down(settings.load(settings.folder_of(name)), save, discard=discard, say=say)


def _down(workshop: Workshop, save: Path | None, *, discard: bool, say: Say) -> int:
    learners = _with_disks(workshop)
    if learners and save is None and not discard:
        raise InputError(
            f"{len(learners)} learners have work in this workshop, which would go with it.",
            hint="Keep it with --save FOLDER (one archive a learner), or let it go with --discard.",
        )
    if save is not None:
        saving.check_folder(workshop, save, learners)
    services.stop(workshop)
    if save is not None:
        seats.remove_containers(workshop, None)
        saving.save(workshop, save, learners, say)
    _remove(workshop)
    return len(learners) if save is not None else 0


def require_host() -> None:
    """Raise unless a workshop can run here: Linux, root, an engine on this machine, the extra installed."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise EngineUnavailable(
            "A workshop mounts a disk for each learner, which needs Linux and root.",
            hint="Run it with sudo, on the Linux machine that serves the room.",
        )
    if not endpoint().host.startswith("unix://"):
        raise EngineUnavailable(
            "The workshop's hub must stand on the engine's own machine, and this engine is elsewhere.",
            hint="Run it there, with DOCKER_HOST unset.",
        )
    lacking = [one for one in ("jupyterhub", "dockerspawner", "supervisor") if importlib.util.find_spec(one) is None]
    if lacking:
        raise EngineError(
            f"This Python has no {', '.join(lacking)}, which the workshop needs.",
            hint=f"Install them: {sys.executable} -m pip install -c constraints.txt --editable '.[workshop]'",
        )


def _let_in(workshop: Workshop, wanted: Wanted, say: Say) -> Opened:
    settings.save(workshop)
    made = preparing.enrol(workshop, wanted.names)
    people = roster.load(workshop.roster_file)
    if sorted(people) != _told(workshop):
        say("Telling the hub who is new and who is gone; the others' seats go on as they are")
        services.restart_hub(workshop)
        _note_told(workshop)
    gone = {one.login for one in seats.all_seats(workshop)} - set(people)
    seats.remove_containers(workshop, gone)
    return Opened(workshop, tuple(made), cards.file_of(workshop))


def _note_told(workshop: Workshop) -> None:
    """Note whom the hub that runs knows: it reads the roster when it starts."""
    people = sorted(roster.load(workshop.roster_file))
    (workshop.folder / "told").write_text("\n".join(people), encoding="utf-8")


def _told(workshop: Workshop) -> list[str]:
    noted = workshop.folder / "told"
    return noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []


def _say_what_stays(workshop: Workshop, wanted: Wanted, say: Say) -> None:
    asked = (wanted.limits, wanted.idle_after_s, str(wanted.pack.resolve()) if wanted.pack else workshop.pack)
    reserve = workshop.reserve_bytes if wanted.reserve_bytes is None else wanted.reserve_bytes
    if (*asked, reserve) != (workshop.limits, workshop.idle_after_s, workshop.pack, workshop.reserve_bytes):
        say("Limits, pack, --reserve and --idle stay as they were when the workshop was first opened")


def _remove_but_log(workshop: Workshop, error: BaseException) -> None:
    """Remove a workshop that did not open; its logs stay, and the error names where."""
    kept = services.keep_log(workshop)
    _remove(workshop)
    if isinstance(error, DmHelpersError):
        error.hint = error.hint.replace(str(workshop.folder / "log"), str(kept))


def _remove(workshop: Workshop) -> None:
    seats.remove_all(workshop)
    disks.remove_all(workshop)
    before = workshop.folder / "tun_mode"
    if before.exists():
        others = [
            one.parent for one in workshop.folder.parent.glob("*/workshop.json") if one.parent != workshop.folder
        ]
        if others:  # they need it open, and set it back when they are closed
            before.replace(others[0] / before.name)
        else:
            preparing.TUN.chmod(int(before.read_text(encoding="utf-8"), 8))
    shutil.rmtree(workshop.folder)


def _with_disks(workshop: Workshop) -> list[str]:
    found = (one.stem for one in (workshop.folder / "disks").glob("*.img"))
    return sorted(one for one in found if one not in (disks.TEMPLATE, disks.UNFINISHED))


def exists(name: str = "workshop") -> bool:
    """Tell whether a workshop of that name is on this machine, running or not."""
    try:
        settings.load(settings.folder_of(name))
    except NotFound:
        return False
    return True
