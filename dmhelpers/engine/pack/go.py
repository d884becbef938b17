"""Go's modules in a pack: what the samples' go.sum files name, as the file tree that Go reads from a proxy."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

from dmhelpers.engine.bases.records import BaseImage
from dmhelpers.engine.bases.tree import Tree, text_entry, write_tar
from dmhelpers.engine.pack.archive import Progress
from dmhelpers.engine.pack.fetching import fetched
from dmhelpers.errors import PackError

FOLDER = "go"
_DOWNLOADED = "/go/pkg/mod/cache/download"
_PROXY_FILES = (".info", ".mod", ".zip", "/list")
_PASSED_ON = ("GOPROXY", "GOSUMDB", "GOFLAGS", "GONOSUMDB", "GOPRIVATE")
"""This machine's own settings for Go's downloads, where it has any."""


def modules(sums: Iterable[Path]) -> tuple[str, ...]:
    """Return the modules that these go.sum files name, as ``module@version``, sorted.

    Raises:
        PackError: A line of one is not what Go writes.
    """
    found: set[str] = set()
    for file in sums:
        for line in file.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words and (len(words) != 3 or not words[2].startswith("h1:")):
                raise PackError(f"{str(file)!r} has a line that is none of Go's: {line!r}.", hint="Run: go mod tidy")
            if words:
                found.add(f"{words[0]}@{words[1].removesuffix('/go.mod')}")
    return tuple(sorted(found))


def collect(sums: Iterable[Path], base: BaseImage, work: Path, *, progress: Progress) -> dict[str, Path]:
    """Let Go download the modules of these go.sum files in a container, which checks them by their own sums.

    Args:
        sums: go.sum files, each beside its go.mod.
        base: A base image with Go, on the engine.
        work: An empty folder for the files.
        progress: Told before it starts.

    Returns:
        The files by their path in the pack.

    Raises:
        PackError: Go could not get one of them.
    """
    needing = [file.parent for file in sums if modules([file])]
    if not needing:
        return {}
    progress(f"Downloading Go modules in {base.name}")
    tree: Tree = {}
    for number, project in enumerate(needing):
        for name in ("go.mod", "go.sum"):
            tree[f"/fetch/{number}/{name}"] = text_entry((project / name).read_bytes())
    put = io.BytesIO()
    write_tar(tree, put, mtime=0)
    script = "\n".join(f"cd /fetch/{number} && go mod download" for number in range(len(needing)))
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with fetched(base, script, _DOWNLOADED, environment=environment, put=put.getvalue()) as tar:
        return _keep(tar, work)


def _keep(tar: tarfile.TarFile, work: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for info in tar:
        path = info.name.partition("/")[2]
        source = tar.extractfile(info) if info.isreg() else None
        if source is not None and path.endswith(_PROXY_FILES) and "/@v/" in path:
            files[f"{FOLDER}/{path}"] = work / str(len(files))
            files[f"{FOLDER}/{path}"].write_bytes(source.read())
    return files
