"""Bytes in passing: chunks as a file, a checksum while reading, and layers unpacked on the way."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, cast

from dmhelpers.errors import EngineError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class Hashing:
    """A readable stream that takes the SHA-256 of what passes through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Read on, as a file does."""
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    def finish(self) -> str:
        """Read to the end and return the digest of everything: ``"sha256:…"``."""
        while self.read(CHUNK_BYTES):
            pass
        return f"sha256:{self._hash.hexdigest()}"


class _Chunks(io.RawIOBase):
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(view), len(self._rest))
        view[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def as_file(chunks: Iterable[bytes]) -> io.BufferedReader:
    """Return a file to read from, made of the chunks that come."""
    return io.BufferedReader(_Chunks(chunks), CHUNK_BYTES)


def unpacked_layer(blob: IO[bytes]) -> IO[bytes] | None:
    """Return the layer's tar in this blob, whether plain, gzip or zstd; None where it is something else.

    Args:
        blob: A buffered reader at its first byte.

    Raises:
        EngineError: It is zstd, and the package that unpacks it is not installed.
    """
    head = cast("io.BufferedReader", blob).peek(512)[:512]
    if head.startswith(_GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=blob))
    if head.startswith(_ZSTD):
        return _unpack_zstd(blob)
    is_tar = head[257:262] == b"ustar" or (len(head) == 512 and not any(head))  # zeros: a tar without entries
    return blob if is_tar else None


def _unpack_zstd(stream: IO[bytes]) -> IO[bytes]:
    try:
        zstandard: Any = importlib.import_module("zstandard")
    except ImportError as error:
        raise EngineError(
            "A layer of this image is packed with zstd, which this Python cannot unpack.",
            hint="Install the unpacker with: pip install zstandard",
        ) from error
    reader: IO[bytes] = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    return reader
