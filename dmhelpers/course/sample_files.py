"""The files of a sample project: copying, comparing and drawing them as a tree."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from dmhelpers.course.sample_info import METADATA

_GENERATED = frozenset({".git", ".ipynb_checkpoints", "__pycache__", "dist", "node_modules"})
_NOT_COPIED = frozenset({METADATA, ".DS_Store"})


def digests(folder: Path, *, everything: bool = False) -> dict[str, str]:
    """Return the SHA-256 of each file under a folder, by its path within it with forward slashes.

    Args:
        folder: Where to look.
        everything: Whether generated folders and the course's metadata count too.
    """
    return {one: _digest(folder / one) for one in _paths(folder, everything=everything)}


def copy(source: Path, target: Path) -> None:
    """Copy a sample project's files into a folder, over what is there; executable bits are kept.

    Each file appears at once and whole. Files in `target` that `source` lacks stay.
    """
    target.mkdir(exist_ok=True)
    for one in _paths(source, everything=False):
        (target / one).parent.mkdir(parents=True, exist_ok=True)
        _copy_file(source / one, target / one)


def move(source: Path, target: Path) -> None:
    """Move one file or link, making the folders that it needs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def remove_empty_folders(folder: Path) -> None:
    """Remove the folders below a folder that hold no file."""
    for root, _, _ in os.walk(folder, topdown=False):
        here = Path(root)
        if here != folder and not any(here.iterdir()):
            here.rmdir()


def write_manifest(path: Path, files: Mapping[str, str]) -> None:
    """Write down what was copied: each file's digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, (json.dumps(files, indent=2, sort_keys=True) + "\n").encode(), mode=0o644)


def read_manifest(path: Path) -> dict[str, str]:
    """Return what `write_manifest` wrote; nothing where it cannot be read, so that every file counts as changed."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def tree(folder: Path) -> str:
    """Return a folder's files as a text tree: files first, then folders, each by name."""
    return "\n".join([f"{folder.name}/", *_branches(folder, "")])


def _branches(folder: Path, indent: str) -> Iterator[str]:
    entries = sorted(folder.iterdir(), key=lambda one: (_is_folder(one), one.name)) if folder.is_dir() else []
    for number, entry in enumerate(entries, start=1):
        last = number == len(entries)
        name = entry.name + ("/" if _is_folder(entry) else "")
        closed = _is_folder(entry) and entry.name in _GENERATED
        yield f"{indent}{'└── ' if last else '├── '}{name}{' …' if closed else ''}"
        if _is_folder(entry) and not closed:
            yield from _branches(entry, indent + ("    " if last else "│   "))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _paths(folder: Path, *, everything: bool) -> list[str]:
    found: list[str] = []
    for root, folders, names in os.walk(folder):
        here = Path(root)
        # A link to a folder is one entry, not the way to files elsewhere.
        links = [one for one in folders if (here / one).is_symlink()]
        left_out = set(links) if everything else {*links, *_GENERATED}
        folders[:] = [one for one in folders if one not in left_out]
        names = [one for one in (*names, *links) if everything or one not in _NOT_COPIED]
        found += [PurePosixPath((here / one).relative_to(folder)).as_posix() for one in names]
    return sorted(found)


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if not path.is_file():
        return "neither file nor link"
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _copy_file(source: Path, target: Path) -> None:
    # Not the original's own mode: an installed one may be read-only, a copy is there to be changed.
    executable = source.stat().st_mode & 0o111
    _write(target, source.read_bytes(), mode=0o755 if executable else 0o644)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
