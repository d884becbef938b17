"""`dmhelpers pack …`: make, verify, load and serve the file that holds everything the course downloads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

DEFAULT = Path("build/course-pack.tar")
Adder = Callable[..., argparse.ArgumentParser]


def add_pack(commands: argparse._SubParsersAction[argparse.ArgumentParser], add: Adder) -> None:
    """Add the command to the parser.

    Args:
        commands: Where it goes.
        add: Adds one command: the place, its name, a summary, and what it runs.
    """
    pack = add(
        commands, "pack", "keep everything that the course downloads in one file, for a room without network", _make
    )
    _add_making(pack)
    verbs = pack.add_subparsers(metavar="make | verify | load | serve")
    _add_making(add(verbs, "make", "make the pack (the same as `dmhelpers pack`)", _make))
    verify = add(verbs, "verify", "compare every byte of a pack with its manifest", _verify)
    load = add(
        verbs, "load", "verify a pack, and put its base images and packages where the course finds them", _load
    )
    serve = add(verbs, "serve", "hand a pack's packages to the engines of a room, until Ctrl-C", _serve)
    for one in (verify, load, serve):
        one.add_argument("file", type=Path, help="the pack")
    mirror = "an address that the engine's containers reach, or off (a mirror is started at the engine's bridge)"
    load.add_argument("--mirror", metavar="URL", help=mirror)
    load.add_argument("--unchecked", action="store_true", help="do not ask the mirror from inside a container")
    serve.add_argument("--address", default="127.0.0.1", help="the address to listen at (127.0.0.1)")
    serve.add_argument("--port", type=int, default=4873, help="the port to listen at (4873)")


def _add_making(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, default=DEFAULT, metavar="FILE", help=f"the pack ({DEFAULT})")
    help_text = "a version of Python to pack wheels for, such as 3.12; may be given again (this Python's)"
    parser.add_argument("--python", action="append", default=[], metavar="VERSION", help=help_text)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _make(arguments: argparse.Namespace) -> int:
    from dmhelpers.course.packing import make

    print(make(arguments.output, pythons=arguments.python, progress=_say))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from dmhelpers.course.packing import contents
    from dmhelpers.engine.pack.archive import opened

    with opened(arguments.file) as pack:
        pack.check(progress=_say)
        print(f"{arguments.file}: whole, {len(pack.manifest.members)} members, pack {pack.pack_id}")
        print(contents(pack.manifest))
    return 0


def _load(arguments: argparse.Namespace) -> int:
    from dmhelpers.engine.pack.loading import load

    print(load(arguments.file, mirror=arguments.mirror, check=not arguments.unchecked, progress=_say))
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from dmhelpers.engine.pack.archive import opened
    from dmhelpers.engine.pack.loading import unpack_packages
    from dmhelpers.engine.pack.mirror import Mirror
    from dmhelpers.errors import PackError

    with opened(arguments.file) as pack:
        pack.check(progress=_say)
        folder = unpack_packages(pack, _say)
    try:
        server = Mirror((arguments.address, arguments.port), folder)
    except OSError as error:
        raise PackError(
            f"No mirror can listen at {arguments.address}:{arguments.port}: {error.strerror or error}.",
            hint="Name another place with --address and --port.",
        ) from error
    with server:
        print(f"Serving at http://{arguments.address}:{arguments.port}; Ctrl-C ends it.", flush=True)
        server.serve_forever()
    return 0
