"""`dmhelpers workshop …`: the commands, and what they print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dmhelpers.workshop.preparing import Wanted

Adder = Callable[..., argparse.ArgumentParser]
_GB = 1_000_000_000


def add_workshop(commands: argparse._SubParsersAction[argparse.ArgumentParser], add: Adder) -> None:
    """Add the command to the parser.

    Args:
        commands: Where it goes.
        add: Adds one command: the place, its name, a summary, and what it runs.
    """
    workshop = add(commands, "workshop", "serve the course to a room: a seat and an engine for each learner", None)
    verbs = workshop.add_subparsers(metavar="prepare | check | up | status | card | down", required=True)
    ready = add(verbs, "prepare", "while there is a network: build a seat's image, install the proxy", _prepare)
    ready.add_argument("--image", default="", help="the name that the image gets (dmhelpers-learner:latest)")
    up = add(verbs, "up", "open the workshop, or let further learners into it", _up)
    up.add_argument("--roster", type=Path, required=True, help="a text file with one name a line")
    up.add_argument("--address", help="where learners reach this machine (127.0.0.1, or as it was)")
    up.add_argument("--port", type=int, help="the port; 0 for any that is free (8000, or as it was)")
    up.add_argument(
        "--url", default="", help="what learners open, where a web server stands before it; for the cards"
    )
    up.add_argument(
        "--idle", type=int, default=3600, metavar="S", help="stop a seat after this long unused; 0: never (3600)"
    )
    _add_seat(up)
    status = add(verbs, "status", "say who has a seat, and what it uses", _status)
    card = add(verbs, "card", "give somebody a fresh code, such as who lost their card", _card)
    card.add_argument("person", metavar="LOGIN", help="their login, or their name as the roster has it")
    check = add(verbs, "check", "rehearse: N learners at once run notebook 05, in a workshop of their own", _check)
    check.add_argument("--learners", type=int, required=True, metavar="N", help="how many")
    check.add_argument(
        "--drill", action="store_true", help="break an engine, a disk, the proxy, the hub and the network meanwhile"
    )
    _add_seat(check)
    down = add(verbs, "down", "close the workshop and remove all that it made, but the seat's image", _down)
    down.add_argument("--save", type=Path, metavar="FOLDER", help="keep the learners' work there, one archive each")
    down.add_argument("--discard", action="store_true", help="let the learners' work go")
    for one in (status, card, down):
        one.add_argument("--name", default="workshop", help="which workshop (workshop)")


def _add_seat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pack", type=Path, metavar="FILE", help="a pack, or an archive of `docker save`, for every seat"
    )
    parser.add_argument("--memory", type=float, default=1.5, metavar="GB", help="memory of a seat (1.5)")
    parser.add_argument("--cpus", type=float, default=1.0, metavar="N", help="processors of a seat (1)")
    parser.add_argument("--disk", type=float, default=7.0, metavar="GB", help="disk of a seat (7)")
    parser.add_argument(
        "--processes", type=int, default=512, metavar="N", help="processes and threads of a seat (512)"
    )
    parser.add_argument(
        "--reserve", type=float, metavar="GB", help="free disk below which all seats pause (what the kernel needs)"
    )
    parser.add_argument("--image", default="", help="the image of a seat; built if the engine has none of that name")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _prepare(arguments: argparse.Namespace) -> int:
    from dmhelpers.workshop import control
    from dmhelpers.workshop.image import IMAGE

    image = arguments.image or IMAGE
    program = control.get_ready(image, say=_say)
    print(f"Ready, also without a network: {image} for the seats, {program} before the hub.")
    return 0


def _up(arguments: argparse.Namespace) -> int:
    from dmhelpers.workshop import control, roster

    names = roster.read_names(arguments.roster)
    print(control.up(_wanted(arguments, names=names), say=_say))
    return 0


def _wanted(arguments: argparse.Namespace, *, names: tuple[str, ...]) -> Wanted:
    from dmhelpers.errors import InputError
    from dmhelpers.workshop.image import IMAGE
    from dmhelpers.workshop.preparing import Wanted
    from dmhelpers.workshop.settings import Limits

    if min(arguments.memory, arguments.cpus, arguments.disk, arguments.processes) <= 0:
        raise InputError("A seat with nothing of something cannot start.", hint="Give limits above 0.")
    limits = Limits(
        memory_bytes=int(arguments.memory * _GB),
        cpus=arguments.cpus,
        processes=arguments.processes,
        disk_bytes=int(arguments.disk * _GB),
    )
    more = {name: getattr(arguments, name) for name in ("address", "port", "url") if hasattr(arguments, name)}
    if arguments.reserve is not None:
        more["reserve_bytes"] = int(arguments.reserve * _GB)
    if hasattr(arguments, "idle"):
        more["idle_after_s"] = arguments.idle
    return Wanted(names=names, pack=arguments.pack, limits=limits, image=arguments.image or IMAGE, **more)


def _status(arguments: argparse.Namespace) -> int:
    from dmhelpers.workshop import status

    print(status.table(arguments.name))
    return 0


def _card(arguments: argparse.Namespace) -> int:
    from dmhelpers.workshop import cards, settings
    from dmhelpers.workshop.alone import alone

    workshop = settings.load(settings.folder_of(arguments.name))
    with alone(arguments.name):
        made = cards.renew(workshop, arguments.person)
    print(f"{made.login}  {made.code}\nTheir card, to print and to delete: {cards.file_of(workshop)}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from dmhelpers.workshop import rehearsal

    wanted = _wanted(arguments, names=())
    found = rehearsal.rehearse(arguments.learners, wanted, drill=arguments.drill, say=_say)
    print(found)
    return 0 if found.ok else 1


def _down(arguments: argparse.Namespace) -> int:
    from dmhelpers.workshop import control

    saved = control.down(arguments.name, save=arguments.save, discard=arguments.discard, say=_say)
    print(f"The workshop is closed; nothing of it is left{f', and the work of {saved} is saved' if saved else ''}.")
    return 0
