"""Large images on the engine for as long as a benchmark needs them: many small files, or few large ones."""

from __future__ import annotations

import io
import random
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dmhelpers.engine import ledger
from dmhelpers.engine.cleanup import suppress_gone
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE_LABELS

_BLOCK_BYTES = 1_000_000
_FILES_A_FOLDER = 100


@contextmanager
def imported(what: str, *, files: int, file_bytes: int) -> Iterator[str]:
    """Give the name of an image of one layer with so many files of that size; it is removed at the end.

    Args:
        what: A word for its name.
        files: How many; a hundred in a folder.
        file_bytes: The size of each.
    """
    name = f"bench-{secrets.token_hex(3)}/{what}"
    client: Any = api()
    labels = [f"LABEL {key}={value}" for key, value in COURSE_LABELS.items()]
    with engine_answers():
        client.import_image_from_stream(
            _Stream(_tar(files, file_bytes)), repository=name, tag="latest", changes=labels
        )
        image_id = client.inspect_image(name)["Id"]
    ledger.record(engine_info().engine_id, "image", [image_id])
    try:
        yield f"{name}:latest"
    finally:
        with engine_answers(), suppress_gone():
            client.remove_image(name, force=True)
        ledger.forget(engine_info().engine_id, "image", [image_id])


def _tar(files: int, file_bytes: int) -> Iterator[bytes]:
    noise = random.Random(1).randbytes(_BLOCK_BYTES)  # noqa: S311  only to be no repetition that a disk would pack
    for number in range(files):
        member = tarfile.TarInfo(f"srv/{number // _FILES_A_FOLDER:05d}/file-{number:06d}.txt")
        member.size = file_bytes
        yield member.tobuf(tarfile.USTAR_FORMAT)
        for start in range(0, file_bytes, _BLOCK_BYTES):
            yield noise[: min(_BLOCK_BYTES, file_bytes - start)]
        yield bytes(-file_bytes % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


class _Stream(io.RawIOBase):
    """What comes from an iterator, as a file that is sent while it is made."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        limit = size if size > 0 else _BLOCK_BYTES
        waiting = [self._rest] if self._rest else []
        total = len(self._rest)
        while total < limit and (piece := next(self._pieces, None)) is not None:
            waiting.append(piece)
            total += len(piece)
        data = b"".join(waiting)
        self._rest = data[limit:]
        return data[:limit]
