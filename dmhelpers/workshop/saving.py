"""The learners' work as archives, written when a workshop is closed: whole under their names, or not there."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from dmhelpers.errors import EngineError, InputError
from dmhelpers.workshop import disks
from dmhelpers.workshop.settings import Workshop

Say = Callable[[str], None]


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

    Raises:
        EngineError: One could not be written. Those before it are there; the disks and the workshop still are, too.
    """
    for login in learners:
        say(f"Saving {login}")
        home, archive = disks.mount(workshop, login), _archive(folder, login)
        fresh = archive.with_name(f"{archive.name}.new")
        try:
            _write(fresh, home / "course", login)
            _note(workshop, archive)
            fresh.replace(archive)
        except OSError as error:
            raise EngineError(
                f"The work of {login} could not be saved in {str(folder)!r}: {error.strerror or error}.",
                hint="Nothing is lost. Make room, or choose another folder, and run this again;"
                " or open the workshop as it was with `dmhelpers workshop up`.",
            ) from error
        finally:
            fresh.unlink(missing_ok=True)


def _archive(folder: Path, login: str) -> Path:
    return folder.resolve() / f"{login}.tar.gz"


def _write(path: Path, course: Path, login: str) -> None:
    """Write an archive, and wait until it is on the disk: what it holds is removed next."""
    with path.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            if course.is_dir() and not course.is_symlink():
                archive.add(course, arcname=login)
        file.flush()
        os.fsync(file.fileno())


def _written(workshop: Workshop) -> frozenset[str]:
    """Return the archives that this workshop wrote, or was about to, when it was closed before and not to the end."""
    noted = workshop.folder / "saved"
    return frozenset(noted.read_text(encoding="utf-8").splitlines()) if noted.exists() else frozenset()


def _note(workshop: Workshop, archive: Path) -> None:
    with (workshop.folder / "saved").open("a", encoding="utf-8") as noted:
        noted.write(f"{archive}\n")
