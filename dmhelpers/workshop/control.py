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
from dmhelpers.errors import EngineError, EngineUnavailable, InputError, NotFound
from dmhelpers.workshop import cards, disks, preparing, proxy, roster, saving, seats, services, settings
from dmhelpers.workshop.image import build_image
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
        lines = [f"The workshop is open at {self.workshop.url}"]
        if self.cards:
            lines.append(f"{len(self.cards)} cards to print, then to delete: {self.cards_file}")
        if self.workshop.address not in ("127.0.0.1", "localhost", "::1"):
            lines.append(
                "What learners type crosses the network unencrypted: docs/workshop.md says how to put TLS before it."
            )
        return "\n".join(lines)


def up(wanted: Wanted, *, say: Say = lambda _line: None) -> Opened:
    """Open a workshop, or let further learners into the one that is open.

    Args:
        wanted: What it is to be.
        say: Takes one line a stage.

    Raises:
        EngineUnavailable: This is not Linux, not root, or the engine is not on this machine.
        InputError: The pack or the port cannot be used.
        EngineError: A part of it did not start; nothing of it is left then.
    """
    require_host()
    folder = settings.folder_of(wanted.name)
    fresh = not (folder / "workshop.json").exists()
    if not fresh and services.supervisor_pid(settings.load(folder)) is not None:
        return _let_in(settings.load(folder), wanted, say)
    program = proxy.find_or_install()
    if not api().images(name=wanted.image):
        build_image(wanted.image, say=say)
    workshop = preparing.planned(wanted, folder) if fresh else _stopped(settings.load(folder), wanted, say)
    try:
        workshop, made = preparing.prepare(workshop, wanted, say)
        say("Starting the hub")
        services.start(workshop, program)
    except BaseException:
        services.stop(workshop)
        if fresh:
            _remove(workshop)
        raise
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
    workshop = settings.load(settings.folder_of(name))
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


def _stopped(workshop: Workshop, wanted: Wanted, say: Say) -> Workshop:
    """Return the settings of a workshop that is to be started again, with nothing left running of it."""
    _say_what_stays(workshop, wanted, say)
    services.stop(workshop)
    return preparing.planned_again(workshop)


def _let_in(workshop: Workshop, wanted: Wanted, say: Say) -> Opened:
    _say_what_stays(workshop, wanted, say)
    before = set(roster.load(workshop.roster_file))
    made = preparing.enrol(workshop, wanted.names)
    gone = before - set(roster.load(workshop.roster_file))
    if made or gone:
        say("Telling the hub who is new and who is gone; the others' seats go on as they are")
        services.restart_hub(workshop)
        seats.remove_containers(workshop, gone)
    return Opened(workshop, tuple(made), cards.file_of(workshop))


def _say_what_stays(workshop: Workshop, wanted: Wanted, say: Say) -> None:
    asked = (wanted.limits, wanted.idle_after_s, str(wanted.pack.resolve()) if wanted.pack else workshop.pack)
    if asked != (workshop.limits, workshop.idle_after_s, workshop.pack):
        say("Limits, pack and --idle stay as they were when the workshop was first opened")


def _remove(workshop: Workshop) -> None:
    seats.remove_all(workshop)
    disks.remove_all(workshop)
    before = workshop.folder / "tun_mode"
    if before.exists():
        preparing.TUN.chmod(int(before.read_text(encoding="utf-8"), 8))
    shutil.rmtree(workshop.folder)


def _with_disks(workshop: Workshop) -> list[str]:
    found = (one.stem for one in (workshop.folder / "disks").glob("*.img"))
    return sorted(one for one in found if one != disks.TEMPLATE)


def exists(name: str = "workshop") -> bool:
    """Tell whether a workshop of that name is on this machine, running or not."""
    try:
        settings.load(settings.folder_of(name))
    except NotFound:
        return False
    return True
