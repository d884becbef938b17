"""Working copies of the sample projects: what a learner changes is never the original, and never lost."""

from __future__ import annotations

import html
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from dmhelpers.course import sample_files
from dmhelpers.course.sample_info import SampleInfo, checkout, original, sample_info, samples
from dmhelpers.errors import InputError, NameTaken

__all__ = ["Sample", "sample", "sample_info", "samples", "workspace_folder"]

_MANIFESTS = ".samples"
_SAVED = ".saved"


@dataclass(frozen=True, slots=True)
class Sample:
    """A working copy of a sample project; `str` and `os.fspath` give its folder.

    `saved` is the folder that the last `reset` moved a learner's files to, None where it moved none.
    """

    name: str
    path: Path
    saved: Path | None = None

    @property
    def info(self) -> SampleInfo:
        """What the course knows about the project."""
        return sample_info(self.name)

    def files(self) -> str:
        """Return the copy's files as a text tree; generated folders are named but not entered."""
        return sample_files.tree(self.path)

    def reset(self) -> Sample:
        """Make the copy equal to the original again, and keep what the learner made.

        Files that were changed or added are first moved to a dated folder beside the copy,
        ``.saved/<name>-<date>-<time>`` in the workspace.

        Returns:
            The copy; its `saved` says where the moved files are.

        Raises:
            NameTaken: The folder is no longer a copy of the course's.
            InputError: The workspace cannot be written to.
        """
        with _writable(self.path.parent):
            return replace(self, saved=_restore(self.name, self.path))

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.files()}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._headline())}</p><pre>{html.escape(self.files())}</pre>"

    def _headline(self) -> str:
        # Two folders, not the whole path: the same on every machine, so that a notebook's output is.
        told = f"{self.info.title}: a copy to work on, in {self.path.parent.name}/{self.path.name}"
        return told if self.saved is None else f"{told} (your changes are in {_SAVED}/{self.saved.name} beside it)"


def sample(name: str, *, workspace: str | os.PathLike[str] | None = None) -> Sample:
    """Return a working copy of a sample project, made at the first call and used as it is from then on.

    Args:
        name: The project, such as ``"my-api"``; `samples` lists them.
        workspace: The folder for working copies. For None: the environment variable
            `DMHELPERS_WORKSPACE`, else ``workspace`` at the root of the repository, else
            ``workspace`` in the current folder.

    Raises:
        SampleNotFound: There is no such project; close names are offered.
        NameTaken: The workspace has something of that name which is not a copy.
        InputError: The workspace cannot be written to.
    """
    source = original(name)
    folder = workspace_folder(workspace)
    path = folder / name
    with _writable(folder):
        if not _is_copy(name, path):
            _copy(name, source, path)
    return Sample(name, path)


def workspace_folder(workspace: str | os.PathLike[str] | None = None) -> Path:
    """Return the absolute folder for working copies, by the rule in `sample`; it need not exist yet."""
    chosen = workspace if workspace is not None else os.environ.get("DMHELPERS_WORKSPACE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return (checkout() or Path.cwd()) / "workspace"


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"The workspace {str(folder)!r} cannot be used: {error.strerror or error} ({error.filename}).",
            hint="Choose a folder that you may write to: set DMHELPERS_WORKSPACE, or give workspace=…",
        ) from error


def _is_copy(name: str, path: Path) -> bool:
    """Say whether a copy is there. The note of what was copied is written first, so a folder with one is whole."""
    if not os.path.lexists(path):
        return False
    if _manifest(path).is_file() and path.is_dir() and not path.is_symlink():
        return True
    raise NameTaken(
        f"{str(path)!r} exists, and the course did not make it; it stays as it is.",
        hint="Give it another name, or choose another folder for working copies: "
        f'dm.sample("{name}", workspace="another-folder")',
    )


def _copy(name: str, source: Path, path: Path) -> None:
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".copying-{name}-", dir=folder, ignore_cleanup_errors=True) as scratch:
        made = Path(scratch) / name
        sample_files.copy(source, made)
        sample_files.write_manifest(_manifest(path), sample_files.digests(source))
        try:
            made.rename(path)
        except OSError:
            # Another process was quicker; its copy is as good.
            if not _is_copy(name, path):
                raise


def _restore(name: str, path: Path) -> Path | None:
    source = original(name)
    if not _is_copy(name, path):
        _copy(name, source, path)
        return None
    shipped = sample_files.digests(source)
    noted = sample_files.read_manifest(_manifest(path))
    present = sample_files.digests(path, everything=True)
    own = [one for one, digest in present.items() if digest not in (noted.get(one), shipped.get(one))]
    saved = _free_folder(path.parent / _SAVED, name) if own else None
    for one in own:
        assert saved is not None  # noqa: S101  there is a folder when there is a file for it
        sample_files.move(path / one, saved / one)
    for one in present.keys() - shipped.keys() - set(own):
        with suppress(FileNotFoundError):
            (path / one).unlink()
    sample_files.remove_empty_folders(path)
    sample_files.copy(source, path)
    sample_files.write_manifest(_manifest(path), shipped)
    return saved


def _manifest(path: Path) -> Path:
    # Beside the copy, not in it: what is in it lands in the build context.
    return path.parent / _MANIFESTS / f"{path.name}.json"


def _free_folder(parent: Path, name: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    stamp = f"{name}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    for number in range(1, 1000):
        made = parent / (stamp if number == 1 else f"{stamp}-{number}")
        with suppress(FileExistsError):
            made.mkdir()
            return made
    raise FileExistsError(17, "too many saved folders of one second", str(parent / stamp))
