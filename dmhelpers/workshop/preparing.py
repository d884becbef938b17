"""What must be there before a workshop's hub starts: its settings, network, roster, tokens, and the first disk."""

from __future__ import annotations

import secrets
import socket
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dmhelpers.engine.client import endpoint
from dmhelpers.errors import EngineError, InputError
from dmhelpers.workshop import cards, guard, packs, roster, seats, settings
from dmhelpers.workshop.image import IMAGE
from dmhelpers.workshop.settings import Limits, Workshop

Say = Callable[[str], None]
INSTRUCTOR = "instructor"
LEAST_IDLE_S = 15
"""More than the 10 s that may pass until the hub knows that a seat is in use."""
TUN = Path("/dev/net/tun")
_TUN_MODE = 0o666


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `up` was asked for.

    Args:
        names: The learners' names.
        pack: A pack, or an archive of `docker save`; None for none.
        address: The address that learners reach the workshop at.
        port: Its port; 0 for any that is free.
        limits: What one learner may use.
        idle_after_s: Seconds without use after which a seat is stopped; 0 for never.
        name: The workshop's name.
        image: The image of a seat; built if the engine has none of that name.
        reserve_bytes: How much of this machine's disk stays free; None for what its kernel may hold unwritten.
    """

    names: tuple[str, ...]
    pack: Path | None = None
    address: str = "127.0.0.1"
    port: int = 8000
    limits: Limits = field(default_factory=Limits)
    idle_after_s: int = 3600
    name: str = "workshop"
    image: str = IMAGE
    reserve_bytes: int | None = None


def planned(wanted: Wanted, folder: Path) -> Workshop:
    """Return the settings of a new workshop; the addresses of its hub are found when its network is made.

    Raises:
        InputError: The pack, the port or the time unused cannot be used.
    """
    port = wanted.port or free_port(wanted.address)
    if not _is_free(wanted.address, port):
        raise InputError(
            f"Port {port} of {wanted.address} is in use, or is not this machine's.",
            hint="Choose another with --port, and --address for where learners reach this machine.",
        )
    if wanted.idle_after_s < 0 or 0 < wanted.idle_after_s < LEAST_IDLE_S:
        raise InputError(
            f"A seat cannot be stopped after {wanted.idle_after_s} s without use: who uses one is known every 10 s.",
            hint=f"Give --idle {LEAST_IDLE_S} or more, or 0 for never.",
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
        reserve_bytes=guard.reserve_bytes() if wanted.reserve_bytes is None else wanted.reserve_bytes,
    )


def planned_again(workshop: Workshop) -> Workshop:
    """Return the settings of a workshop that stopped, such as by a restart of the machine, to be started again.

    Raises:
        InputError: Its port, which learners know, is taken.
    """
    if not _is_free(workshop.address, workshop.port):
        raise InputError(
            f"Port {workshop.port} of {workshop.address}, where learners expect the workshop, is in use.",
            hint=f"End what listens there (ss -ltnp 'sport = :{workshop.port}'), then run this again.",
        )
    return replace(workshop, proxy_port=free_port("127.0.0.1"))


def prepare(workshop: Workshop, wanted: Wanted, say: Say) -> tuple[Workshop, list[roster.Card]]:
    """Make what must be there before the hub starts, and write the settings that it reads.

    Returns:
        The settings with the addresses that were found, and the cards of those who are new.
    """
    workshop.folder.mkdir(parents=True, exist_ok=True)
    workshop.folder.chmod(0o700)
    if told := guard.outlook(workshop, len(wanted.names)):
        say(told)
    _open_tun(workshop)
    gateway = seats.make_network(workshop.network, workshop.name)
    # The learners' images know the mirror by its port, so that it stays the same when the workshop is started again.
    mirror_port = workshop.mirror_port or (free_port(gateway) if packs.has_packages(workshop.pack) else 0)
    workshop = replace(
        workshop,
        hub_address=gateway,
        hub_port=free_port(gateway),
        view_port=free_port(gateway),
        mirror_port=mirror_port,
    )
    for name in ("proxy_token", "culler_token"):
        token = workshop.folder / name
        if not token.exists():
            token.touch(mode=0o600)
            token.write_text(secrets.token_hex(32), encoding="utf-8")
    settings.save(workshop)
    made = enrol(workshop, wanted.names)
    seats.make_template(workshop, say)
    return workshop, made


def enrol(workshop: Workshop, names: Sequence[str]) -> list[roster.Card]:
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
        mode = stat.S_IMODE(TUN.stat().st_mode)
    except OSError as error:
        raise EngineError(
            "This kernel has no /dev/net/tun, which the learners' engines need for their network.",
            hint="Load it: modprobe tun",
        ) from error
    if mode != _TUN_MODE:
        (workshop.folder / "tun_mode").write_text(f"{mode:o}", encoding="utf-8")
        TUN.chmod(_TUN_MODE)


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
