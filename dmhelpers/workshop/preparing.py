"""What must be there before a workshop's hub starts: its settings, network, roster, tokens, and the first disk."""

from __future__ import annotations

import secrets
import socket
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from dmhelpers.engine.client import endpoint
from dmhelpers.errors import EngineError, InputError
from dmhelpers.workshop import cards, guard, kernel_limits, packs, roster, seats, settings, template
from dmhelpers.workshop.image import IMAGE
from dmhelpers.workshop.settings import Limits, Workshop

Say = Callable[[str], None]
LEAST_IDLE_S = 30
"""More than the 10 s that may pass until the hub knows that a seat is in use."""
TUN = Path("/dev/net/tun")
_TUN_MODE = 0o666
_LOOPBACK = "127.0.0.1"
_PORT = 8000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `up` was asked for.

    Args:
        names: The learners' names.
        pack: A pack, or an archive of `docker save`; None for none.
        address: The address of this machine to listen at; None for the loopback, or for what it was before.
        port: Its port, 0 for any that is free; None for 8000, or for what it was before.
        url: The address that learners open, where something stands before the workshop; ``""`` where nothing does.
        limits: What one learner may use.
        idle_after_s: Seconds without use after which a seat is stopped; 0 for never.
        name: The workshop's name.
        image: The image of a seat; built if the engine has none of that name.
        reserve_bytes: How much of this machine's disk stays free; None for what its kernel may hold unwritten.
    """

    names: tuple[str, ...]
    pack: Path | None = None
    address: str | None = None
    port: int | None = None
    url: str = ""
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
    address = wanted.address or _LOOPBACK
    port = _place(address, _PORT if wanted.port is None else wanted.port)
    _require_url(wanted.url, address)
    if wanted.idle_after_s < 0 or 0 < wanted.idle_after_s < LEAST_IDLE_S:
        raise InputError(
            f"A seat cannot be stopped after {wanted.idle_after_s} s without use: who uses one is known every 10 s.",
            hint=f"Give --idle {LEAST_IDLE_S} or more, or 0 for never.",
        )
    return Workshop(
        name=wanted.name,
        folder=folder,
        image=wanted.image,
        address=address,
        port=port,
        hub_address="",
        hub_port=0,
        proxy_port=free_port(_LOOPBACK),
        view_port=0,
        mirror_port=0,
        engine_host=endpoint().host,
        pack=_pack(wanted.pack),
        limits=wanted.limits,
        idle_after_s=wanted.idle_after_s,
        reserve_bytes=guard.reserve_bytes() if wanted.reserve_bytes is None else wanted.reserve_bytes,
        outside=wanted.url.rstrip("/"),
    )


def moved(workshop: Workshop, wanted: Wanted) -> Workshop:
    """Return a workshop's settings with the address, port and URL that are wanted now; what is not said stays.

    Raises:
        InputError: They cannot be used.
    """
    address = wanted.address or workshop.address
    port = workshop.port if wanted.port is None else wanted.port
    if (address, port) != (workshop.address, workshop.port):
        port = _place(address, port)
    outside = wanted.url.rstrip("/") or workshop.outside
    _require_url(outside, address)
    return replace(workshop, address=address, port=port, outside=outside)


def planned_again(workshop: Workshop) -> Workshop:
    """Return the settings of a workshop that stopped, such as by a restart of the machine, to be started again.

    Raises:
        InputError: Its port, which learners know, is taken, or its address is this machine's no more.
    """
    try:
        free_port(workshop.address)
    except OSError as error:
        raise InputError(
            f"{workshop.address}, where learners expect the workshop, is not an address of this machine now.",
            hint="Give it the address again, or give the workshop the new one with --address, and tell the room.",
        ) from error
    if not _is_free(workshop.address, workshop.port):
        raise InputError(
            f"Port {workshop.port} of {workshop.address}, where learners expect the workshop, is in use.",
            hint=f"End what listens there (ss -ltnp 'sport = :{workshop.port}'), then run this again.",
        )
    return replace(workshop, proxy_port=free_port(_LOOPBACK))


def prepare(workshop: Workshop, wanted: Wanted, say: Say) -> tuple[Workshop, list[roster.Card]]:
    """Make what must be there before the hub starts, and write the settings that it reads.

    Returns:
        The settings with the addresses that were found, and the cards of those who are new.
    """
    workshop.folder.mkdir(parents=True, exist_ok=True)
    workshop.folder.chmod(0o700)
    if told := guard.outlook(workshop, len(wanted.names)):
        say(told)
    for told in kernel_limits.shortages(len(wanted.names)):
        say(told)
    _open_tun(workshop)
    gateway = seats.make_network(workshop.network, workshop.name)
    workshop = _with_ports(workshop, gateway, say)
    for name in ("proxy_token", "culler_token"):
        token = workshop.folder / name
        if not token.exists():
            token.touch(mode=0o600)
            token.write_text(secrets.token_hex(32), encoding="utf-8")
    settings.save(workshop)
    made = enrol(workshop, wanted.names)
    template.make(workshop, say)
    return workshop, made


def _with_ports(workshop: Workshop, gateway: str, say: Say) -> Workshop:
    """Return the settings with the ports that seats know; those of before, so that seats which run stay of use."""
    before = (workshop.hub_port, workshop.view_port)
    hub_port, view_port = (one if one and _is_free(gateway, one) else free_port(gateway) for one in before)
    if all(before) and (hub_port, view_port) != before:
        say("Something else took a port that the seats know: they are started anew, with all work")
        seats.remove_containers(workshop, None)
    # The learners' images know the mirror by its port, so this one stays whatever comes.
    mirror_port = workshop.mirror_port or (free_port(gateway) if packs.has_packages(workshop.pack) else 0)
    return replace(workshop, hub_address=gateway, hub_port=hub_port, view_port=view_port, mirror_port=mirror_port)


def enrol(workshop: Workshop, names: Sequence[str]) -> list[roster.Card]:
    """Write the roster: who was on it keeps their code, who is not in `names` is off it, who is new gets a card."""
    people, made = roster.renewed(roster.load(workshop.roster_file), names)
    # The cards first: a code that stands on no card is nobody's, and the next `up` would make none for them.
    written = cards.write(workshop, made) if made else None
    try:
        roster.save(workshop.roster_file, people)
    except BaseException:
        if written:
            written.unlink()
        raise
    return made


def _place(address: str, port: int) -> int:
    """Return a port that can be listened at: this one, or any that is free for 0.

    Raises:
        InputError: It is in use, or the address is not this machine's.
    """
    if _is_free(address, port):
        return port or free_port(address)
    raise InputError(
        f"Port {port} of {address} is in use, or is not this machine's.",
        hint="Choose another with --port, and --address for where learners reach this machine.",
    )


def _require_url(url: str, address: str) -> None:
    """Raise where the cards would name no address that a learner can open."""
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/")):
        raise InputError(
            f"{url!r} is no address that a learner could open.", hint="Give --url such as https://course.example.org"
        )
    if not url and address in ("", "0.0.0.0"):  # noqa: S104  compared, not bound
        raise InputError(
            "A workshop that listens on all addresses has none that could stand on the cards.",
            hint="Say what learners open with --url, such as http://192.0.2.10:8000, or give one --address.",
        )


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
