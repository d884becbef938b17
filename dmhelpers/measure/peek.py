"""Single files and folders of an image, read through a container that is never started.

Much cheaper than reading the whole image where only a folder of it matters. The engine puts files of its
own into a container (`/etc/hosts`, `/dev`, `/.dockerenv`): for the exact list of a whole image, see saved.py.
"""

from __future__ import annotations

import functools
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, cast

from dmhelpers.engine import recorded
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.created import unstarted
from dmhelpers.engine.streams import as_file
from dmhelpers.errors import EngineRefused
from dmhelpers.measure.images import image_id_of


def files_under(image: str, folder: str) -> Mapping[str, int]:
    """Return the files and links below a folder of an image: absolute path to bytes; empty where there is none.

    Args:
        image: The image's name or ID.
        folder: An absolute path in it.

    Raises:
        ImageNotFound: The engine has no such image.
    """
    return _files_under(image_id_of(image), folder.rstrip("/") or "/")


def file_content(image: str, path: str) -> bytes | None:
    """Return a file's content, through links; None where the image has no file there.

    Raises:
        ImageNotFound: The engine has no such image.
    """
    seen = set()
    while path not in seen:
        seen.add(path)
        with _archive(image, path) as archive:
            member = archive.next() if archive is not None else None
            if archive is None or member is None:
                return None
            if not member.issym():
                read = archive.extractfile(member) if member.isfile() else None
                return read.read() if read is not None else None
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
    return None


@functools.lru_cache(maxsize=32)
def _files_under(image_id: str, folder: str) -> Mapping[str, int]:
    # The engine answers with all the files' contents, of which nothing is wanted here: a recording keeps what is.
    found: Mapping[str, int] = recorded.exchange("files", [image_id, folder], lambda: _listed(image_id, folder))
    return found


def _listed(image_id: str, folder: str) -> Mapping[str, int]:
    parent = posixpath.dirname(folder)
    with _archive(image_id, folder) as archive:
        if archive is None:
            return {}
        # Names in the archive begin with the folder's own name; the root's with "/".
        return {
            posixpath.normpath(posixpath.join("/", parent, member.name.lstrip("/"))): member.size
            for member in archive
            if not member.isdir()
        }


@contextmanager
def _archive(image: str, path: str) -> Iterator[tarfile.TarFile | None]:
    import docker.errors

    with unstarted(image) as container_id, engine_answers():
        try:
            with engine_answers():
                chunks, _ = api().get_archive(container_id, path)
        except (docker.errors.NotFound, EngineRefused):  # refused: links that lead in a circle
            yield None
            return
        with tarfile.open(fileobj=cast("IO[bytes]", as_file(chunks)), mode="r|") as archive:
            yield archive
