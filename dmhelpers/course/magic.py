"""`%%dockerfile`: a cell that is a Dockerfile, written to a working copy and built."""

from __future__ import annotations

import argparse
import html
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dmhelpers.course.samples import sample, samples, workspace_folder
from dmhelpers.errors import InputError, ProjectNotFound, near_matches

if TYPE_CHECKING:
    from dmhelpers.show.builds import Build

USAGE = "%%dockerfile PROJECT [--file NAME] [--target STAGE] [--tag TAG] [--no-build] [--new] [--quiet]"
_PLACEHOLDER = re.compile(r"""(?:^|[\s="',\[])(?:\.\.\.|…)(?=$|[\s"',\]])""")
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence in place of a build: the file was only written, or the cell is not finished."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.text)}</p>"


def register(shell: Any) -> None:
    """Give an IPython shell the cell magic `%%dockerfile`; names in it are looked up among the shell's variables."""

    def dockerfile(line: str, cell: str) -> Build | Notice:
        return write_and_build(line, cell, shell.user_ns)

    dockerfile.__doc__ = write_and_build.__doc__
    shell.register_magic_function(dockerfile, magic_kind="cell", magic_name="dockerfile")


def write_and_build(line: str, cell: str, names: Mapping[str, Any]) -> Build | Notice:
    """Write the cell to a project as its Dockerfile, build it, and return the same `Build` as `dm.build`.

    ``%%dockerfile PROJECT [--file NAME] [--target STAGE] [--tag TAG] [--no-build] [--new] [--quiet]``

    PROJECT is a variable that holds a sample or a path, the name of a sample, or that of a folder of the
    workspace; ``--new`` makes that folder, empty, if it is not there. Options: ``--file`` names the file
    (Dockerfile), ``--target`` the stage and ``--tag`` the image; ``--no-build`` only writes; ``--quiet`` shows
    no progress. A cell without an instruction, or with a ``...`` left in it, is not finished: it is neither
    written nor built, and says so.

    Args:
        line: What follows ``%%dockerfile``.
        cell: The rest of the cell.
        names: The variables of the notebook.

    Raises:
        InputError: The line cannot be read, or the file would lie outside the project.
        ProjectNotFound: There is no such project.
        DmHelpersError: The build failed, as `dm.build` says it.
    """
    options = _options(line)
    unfinished = _unfinished(cell)
    if unfinished:
        return Notice(unfinished)
    folder = _folder(options.project, names, new=options.new)
    path = _file(folder, options.file)
    path.write_text(cell if cell.endswith("\n") else cell + "\n", encoding="utf-8", newline="\n")
    if options.no_build:
        return Notice(f"Written: {folder.name}/{options.file}. Nothing was built.")
    from dmhelpers.show.builds import build

    return build(
        folder,
        tag=options.tag,
        target=options.target,
        file=options.file,
        progress="quiet" if options.quiet else "auto",
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"%%dockerfile: {message}.", hint=f"Write it like: {USAGE}")


def _options(line: str) -> argparse.Namespace:
    parser = _Parser(prog="%%dockerfile", add_help=False, allow_abbrev=False)
    parser.add_argument("project", metavar="PROJECT")
    parser.add_argument("--file", default="Dockerfile")
    parser.add_argument("--target")
    parser.add_argument("--tag")
    for name in ("--no-build", "--new", "--quiet"):
        parser.add_argument(name, action="store_true")
    try:
        words = shlex.split(line)
    except ValueError as error:
        parser.error(str(error))
    return parser.parse_args(words)


def _unfinished(cell: str) -> str:
    written = [
        (number, text)
        for number, text in enumerate(cell.splitlines(), start=1)
        if text.strip() and not text.lstrip().startswith("#")
    ]
    if not written:
        return "Not finished yet: the cell has no instruction, so nothing was written or built."
    left = [str(number) for number, text in written if _PLACEHOLDER.search(text)]
    if left:
        lines = f"line {left[0]}" if len(left) == 1 else f"lines {', '.join(left)}"
        have = "has a placeholder" if len(left) == 1 else "have placeholders"
        return f"Not finished yet: {lines} of the Dockerfile still {have}. Nothing was written or built."
    return ""


def _folder(project: str, names: Mapping[str, Any], *, new: bool) -> Path:
    value = names.get(project)
    if isinstance(value, str | os.PathLike):
        return _existing(Path(value).expanduser().absolute(), project)
    if project in samples():
        return sample(project).path
    if not _PLAIN_NAME.fullmatch(project):
        return _existing(Path(project).expanduser().absolute(), project)
    folder = workspace_folder() / project
    if new:
        folder.mkdir(parents=True, exist_ok=True)
    if folder.is_dir():
        return folder
    known = [one for one, held in names.items() if isinstance(held, os.PathLike) and not one.startswith("_")]
    raise ProjectNotFound(
        f"{project!r} is neither a variable with a project, nor a sample, nor a folder of the workspace.",
        hint=f"{near_matches(project, [*known, *samples()])} To begin an empty project: %%dockerfile {project} --new",
    )


def _existing(folder: Path, project: str) -> Path:
    if folder.is_dir():
        return folder
    raise ProjectNotFound(
        f"{project!r} stands for {str(folder)!r}, and there is no such folder.",
        hint='Give a project folder, or a sample: project = dm.sample("my-api")',
    )


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if Path(name).is_absolute() or not path.resolve().is_relative_to(folder.resolve()) or path.is_dir():
        raise InputError(
            f"--file {name!r} is not a file inside the project {folder.name!r}.",
            hint="Give a name such as Dockerfile.single",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
