"""The learners' work as archives, written when a workshop is closed: whole under their names, or not there."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dmhelpers.errors import DmHelpersError, EngineError, InputError
from dmhelpers.workshop import disks
from dmhelpers.workshop.settings import Workshop
from dmhelpers.workshop.trees import NO_ROOM, LeftOut, write_tree

Say = Callable[[str], None]

# A learner can choose bytes that take level 9 hours a disk; at level 1 none are much slower than random ones.
_GZIP_LEVEL = 1


def check_folder(workshop: Workshop, folder: Path, learners: Sequence[str]) -> None:
    """Make the folder for the archives, and see that archives can be put there.

    Raises:
        InputError: They cannot, or an archive of another workshop would be written over.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".dmhelpers").touch()
        (folder / ".dmhelpers").unlink()
    except OSError as error:
        raise InputError(
            f"The learners' work cannot be saved in {str(folder)!r}: {error.strerror or error}.",
            hint="Give --save a folder that can be written to. Nothing was done: the workshop is as it was.",
        ) from error
    ours = _written(workshop)
    taken = [one for one in learners if _archive(folder, one).exists() and str(_archive(folder, one)) not in ours]
    if taken:
        raise InputError(
            f"{str(folder)!r} has archives that this workshop did not write: {', '.join(taken)}.",
            hint="Give --save another folder. Nothing was done: the workshop is as it was.",
        )


def save(workshop: Workshop, folder: Path, learners: Sequence[str], say: Say) -> None:
    """Write each learner's ``course`` folder into an archive ``LOGIN.tar.gz``; their seats must have ended.

    Files, folders, symbolic and hard links are kept, with modes, owners and times; a sparse file's holes as zeros.
    Devices, FIFOs and sockets are left out; so is what takes no room on the disk and would add more to the archive
    than the disk's size: files that are mostly holes, very deep folders, names beyond one for each 4,096 bytes. What
    is left out is said, and listed in the archive as ``LOGIN-left-out.txt``, beside the folder ``LOGIN``; an archive
    without that file has everything.

    Raises:
        EngineError: It names whose work could not be saved, and why. The archives of all others are there; the disks
            and the workshop still are, too.
    """
    failed: dict[str, Exception] = {}
    for login in learners:
        say(f"Saving {login}")
        try:
            _save_one(workshop, folder, login, say)
        except (DmHelpersError, OSError, subprocess.SubprocessError) as error:
            failed[login] = error
    if failed:
        raise _not_saved(folder, failed) from next(iter(failed.values()))


def _save_one(workshop: Workshop, folder: Path, login: str, say: Say) -> None:
    home, archive = disks.mount(workshop, login), _archive(folder, login)
    fresh = archive.with_name(f"{archive.name}.new")
    try:
        left_out = _write(fresh, home / "course", login, workshop.limits.disk_bytes)
        _note(workshop, archive)
        fresh.replace(archive)
    finally:
        fresh.unlink(missing_ok=True)
    if left_out.count:
        say(f"Not all of {login}'s work is as it was, see {login}-left-out.txt in the archive: {left_out}")


def _not_saved(folder: Path, failed: Mapping[str, Exception]) -> EngineError:
    lines = [
        f"The work of {one} could not be saved in {str(folder)!r}: {_why(error)}." for one, error in failed.items()
    ]
    full = any(isinstance(one, OSError) and one.errno in NO_ROOM for one in failed.values())
    cure = "Make room, or choose another folder" if full else "Mend what is named here"
    return EngineError(
        "\n".join(lines),
        hint=f"Nothing is lost, and the others' archives are there. {cure}, and run this again;"
        " open the workshop as it was with `dmhelpers workshop up --roster FILE`;"
        " or close it without this work with `dmhelpers workshop down --discard`.",
    )


def _why(error: Exception) -> str:
    said = error.message if isinstance(error, DmHelpersError) else getattr(error, "strerror", None) or str(error)
    return " ".join(said.split()).removesuffix(".")


def _archive(folder: Path, login: str) -> Path:
    return folder.resolve() / f"{login}.tar.gz"


def _write(path: Path, course: Path, login: str, disk_bytes: int) -> LeftOut:
    """Write an archive, and wait until it is on the disk: what it holds is removed next."""
    with path.open("wb") as file:
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=_GZIP_LEVEL) as packed:
            left_out = write_tree(packed.write, course, login, disk_bytes)
        file.flush()
        os.fsync(file.fileno())
    return left_out


def _written(workshop: Workshop) -> frozenset[str]:
    """Return the archives that this workshop wrote, or was about to, when it was closed before and not to the end."""
    noted = workshop.folder / "saved"
    return frozenset(noted.read_text(encoding="utf-8").splitlines()) if noted.exists() else frozenset()


def _note(workshop: Workshop, archive: Path) -> None:
    with (workshop.folder / "saved").open("a", encoding="utf-8") as noted:
        noted.write(f"{archive}\n")
