"""Writing folders of a pack to disk: whole or not at all.

Also a script, for `make setup` on a machine without a network and without the course's environment:
``python -m dmhelpers.engine.pack.unpack PACK FOLDER DESTINATION`` verifies that folder of the pack as it writes it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from dmhelpers.engine.pack.archive import Pack, opened
from dmhelpers.engine.pack.records import Member
from dmhelpers.errors import DmHelpersError, PackError

PACKED = ".zst"


def unpack(
    pack: Pack, folder: str, destination: Path, *, unpacked: Callable[[Iterator[bytes]], Iterator[bytes]]
) -> int:
    """Write a folder of the pack to disk; what stands at `destination` is replaced when all of it is there.

    Args:
        pack: The open pack.
        folder: The folder in it.
        destination: Where its content goes.
        unpacked: Unpacks the pieces of members that are stored packed, those named ``….zst``.

    Returns:
        The bytes written.

    Raises:
        PackError: A member is damaged, or the disk does not take it; nothing is left at `destination` then.
    """
    part = destination.with_name(f"{destination.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        size = sum(_write(pack, one, part, folder, unpacked) for one in pack.manifest.below(folder))
        shutil.rmtree(destination, ignore_errors=True)
        part.replace(destination)
    except OSError as error:
        raise PackError(
            f"The pack's {folder} cannot be written to {str(destination)!r}: {error.strerror or error}.",
            hint="Make room there, or move the course's folders with DMHELPERS_HOME; then try again.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return size


def _write(
    pack: Pack, member: Member, part: Path, folder: str, unpacked: Callable[[Iterator[bytes]], Iterator[bytes]]
) -> int:
    target = part / member.path.removeprefix(f"{folder}/")
    pieces = pack.pieces(member)
    if target.suffix == PACKED:
        target, pieces = target.with_suffix(""), unpacked(pieces)
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with target.open("wb") as handle:
        for piece in pieces:
            size += handle.write(piece)
    return size


def _as_stored(pieces: Iterator[bytes]) -> Iterator[bytes]:
    return pieces


def main(arguments: list[str]) -> int:
    """Unpack one folder; 1 where the pack is not whole."""
    if len(arguments) != 3:
        sys.stderr.write("usage: python -m dmhelpers.engine.pack.unpack PACK FOLDER DESTINATION\n")
        return 2
    file, folder, destination = arguments
    try:
        with opened(Path(file)) as pack:
            unpack(pack, folder, Path(destination), unpacked=_as_stored)
    except DmHelpersError as error:
        sys.stderr.write(f"setup: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
