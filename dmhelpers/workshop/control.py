"""`dmhelpers workshop up|status|down`: everything that a workshop needs on this machine, and nothing left of it after."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import stat
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dmhelpers.engine.client import api, endpoint
from dmhelpers.errors import EngineError, EngineUnavailable, InputError, NotFound
from dmhelpers.workshop import cards, disks, packs, proxy, roster, seats, services, settings
from dmhelpers.workshop.image import IMAGE, build_image
from dmhelpers.workshop.settings import Limits, Workshop

Say = Callable[[str], None]
INSTRUCTOR = "instructor"
_TUN = Path("/dev/net/tun")
_TUN_MODE = 0o666


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `up` was asked for.

    Args:
        names: The learners' names.
        pack: An archive of `docker save`, or a folder with one; None for none.
        address: The address that learners reach the workshop at.
        port: Its port; 0 for any that is free.
        limits: What one learner may use.
        idle_after_s: Seconds without use after which a seat is stopped; 0 for never.
        name: The workshop's name.
        image: The image of a seat; built if the engine has none of that name.
    """

    names: tuple[str, ...]
    pack: Path | None = None
    address: str = "127.0.0.1"
    port: int = 8000
    limits: Limits = Limits()
    idle_after_s: int = 3600
    name: str = "workshop"
    image: str = IMAGE


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
            lines.append("What learners type crosses the network unencrypted: docs/workshop.md says how to put TLS before it.")
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
    workshop = _workshop(wanted, folder) if fresh else _again(settings.load(folder))
    try:
        made = _prepare(workshop, wanted, say)
        say("Starting the hub")
        services.start(workshop, program)
    except BaseException:
        services.stop(workshop)
        if fresh:
            _remove(workshop)
        raise
    return Opened(workshop, tuple(made), cards.file_of(workshop))


def down(name: str = "workshop", *, save: Path | None = None, discard: bool = False, say: Say = lambda _l: None) -> int:
    """Close a workshop and remove all that it made on this machine, except the seat's image.

    Args:
        name: The workshop's name.
        save: A folder for the learners' work, one archive each.
        discard: Whether their work may go.
        say: Takes one line a stage.

    Returns:
        How many learners' work was saved.

    Raises:
        NotFound: There is no such workshop.
        InputError: There is work, and neither `save` nor `discard` was given; nothing was done.
        EngineError: Something would not end.
    """
    workshop = settings.load(settings.folder_of(name))
    learners = _with_disks(workshop)
    if learners and save is None and not discard:
        raise InputError(
            f"{len(learners)} learners have work in this workshop, which would go with it.",
            hint="Keep it with --save FOLDER (one archive a learner), or let it go with --discard.",
        )
    services.stop(workshop)
    if save is not None:
        _stop_seats(workshop)
        for login in learners:
            say(f"Saving {login}")
            _save_work(workshop, login, save)
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
            hint=f"Install them: {sys.executable} -m pip install --constraint constraints.txt --editable '.[workshop]'",
        )


def _workshop(wanted: Wanted, folder: Path) -> Workshop:
    port = wanted.port or free_port(wanted.address)
    if not _is_free(wanted.address, port):
        raise InputError(
            f"Port {port} of {wanted.address} is in use, or is not this machine's.",
            hint="Choose another with --port, and --address for where learners reach this machine.",
        )
    return Workshop(
        name=wanted.name,
        folder=folder,
        image=wanted.image,
        address=wanted.address,
        port=port,
        hub_address="",
        hub_port=0,
        proxy_port=free_port("127.0.0.1"),
        view_port=0,
        mirror_port=0,
        engine_host=endpoint().host,
        pack=_pack(wanted.pack),
        limits=wanted.limits,
        idle_after_s=wanted.idle_after_s,
    )


def _again(workshop: Workshop) -> Workshop:
    """Return the settings of a workshop that stopped, such as by a restart of the machine, to be started again."""
    return replace(workshop, proxy_port=free_port("127.0.0.1"))


def _prepare(workshop: Workshop, wanted: Wanted, say: Say) -> list[roster.Card]:
    """Make what must be there before the hub starts, and write the settings that it reads."""
    workshop.folder.mkdir(parents=True, exist_ok=True)
    workshop.folder.chmod(0o700)
    _open_tun(workshop)
    gateway = seats.make_network(workshop.network, workshop.name)
    object.__setattr__(workshop, "hub_address", gateway)
    object.__setattr__(workshop, "hub_port", free_port(gateway))
    object.__setattr__(workshop, "view_port", free_port(gateway))
    if packs.has_packages(workshop.pack) and not workshop.mirror_port:
        # The learners' images know it by this port, so that it stays the same when the workshop is started again.
        object.__setattr__(workshop, "mirror_port", free_port(gateway))
    for name in ("proxy_token", "culler_token"):
        token = workshop.folder / name
        if not token.exists():
            token.touch(mode=0o600)
            token.write_text(secrets.token_hex(32), encoding="utf-8")
    settings.save(workshop)
    made = _enrol(workshop, wanted.names)
    seats.make_template(workshop, say)
    return made


def _let_in(workshop: Workshop, wanted: Wanted, say: Say) -> Opened:
    made = _enrol(workshop, wanted.names)
    if made:
        say("Telling the hub of those who are new; seats go on as they are")
        services.restart_hub(workshop)
    return Opened(workshop, tuple(made), cards.file_of(workshop))


def _enrol(workshop: Workshop, names: Sequence[str]) -> list[roster.Card]:
    """Write the roster: who was on it keeps their code, who is not in `names` is off it, who is new gets a card."""
    known = roster.load(workshop.roster_file)
    wanted = {roster.login_of(one): one for one in names}
    kept = [one for one in known.values() if one.login in wanted or one.instructor]
    learners, made = roster.enrol(name for login, name in wanted.items() if login not in known)
    if not any(one.instructor for one in kept):
        instructors, card = roster.enrol([INSTRUCTOR], instructor=True)
        learners, made = learners + instructors, made + card
    roster.save(workshop.roster_file, kept + learners)
    if made:
        cards.write(workshop, made)
    return made


def _pack(pack: Path | None) -> str:
    if pack is None:
        return ""
    if not pack.is_file():
        raise InputError(f"There is no pack at {str(pack)!r}.", hint="Make one with: dmhelpers pack")
    if not pack.stat().st_mode & stat.S_IROTH:
        raise InputError(f"Learners may not read the pack {str(pack)!r}.", hint=f"Let them: chmod a+r {str(pack)!r}")
    return str(pack.resolve())


def _open_tun(workshop: Workshop) -> None:
    """Let everybody open the tun device, as udev does; what its mode was is written down."""
    try:
        mode = stat.S_IMODE(_TUN.stat().st_mode)
    except OSError as error:
        raise EngineError(
            "This kernel has no /dev/net/tun, which the learners' engines need for their network.",
            hint="Load it: modprobe tun",
        ) from error
    if mode != _TUN_MODE:
        (workshop.folder / "tun_mode").write_text(f"{mode:o}", encoding="utf-8")
        _TUN.chmod(_TUN_MODE)


def _remove(workshop: Workshop) -> None:
    seats.remove_all(workshop)
    disks.remove_all(workshop)
    before = workshop.folder / "tun_mode"
    if before.exists():
        _TUN.chmod(int(before.read_text(encoding="utf-8"), 8))
    shutil.rmtree(workshop.folder)


def _stop_seats(workshop: Workshop) -> None:
    seats.remove_all(workshop)


def _with_disks(workshop: Workshop) -> list[str]:
    found = (one.stem for one in (workshop.folder / "disks").glob("*.img"))
    return sorted(one for one in found if one != disks.TEMPLATE)


def _save_work(workshop: Workshop, login: str, save: Path) -> None:
    save.mkdir(parents=True, exist_ok=True)
    home = disks.mount(workshop, login)
    fresh = save / f"{login}.tar.gz.new"
    with tarfile.open(fresh, "w:gz") as archive:
        if (home / "course").is_dir():
            archive.add(home / "course", arcname=login)
    fresh.replace(save / f"{login}.tar.gz")


def free_port(address: str) -> int:
    """Return a port of this machine's address that nothing listens on."""
    with socket.socket() as listener:
        listener.bind((address, 0))
        return int(listener.getsockname()[1])


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except (OSError, OverflowError):
            return False
    return True


def exists(name: str = "workshop") -> bool:
    """Tell whether a workshop of that name is on this machine, running or not."""
    try:
        settings.load(settings.folder_of(name))
    except NotFound:
        return False
    return True
