"""Whether a stream is a plain tar, gzip or zstd, and its unpacked bytes."""

from __future__ import annotations

import gzip
import importlib
import io
from typing import IO, Any, Literal, cast

from dmhelpers.errors import EngineError
from dmhelpers.measure.windows import AsFile, ReadInto, Window, filler

Packing = Literal["plain", "gzip", "zstd"]
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BLOCK_BYTES = 512


def kind_of(head: bytes) -> Packing | None:
    """Return how a tar is packed, by its first 512 bytes; None where it is no tar."""
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_ZSTD):
        return "zstd"
    is_tar = head[257:262] == b"ustar" or (
        len(head) == _BLOCK_BYTES and not any(head)
    )  # zeros: a tar without entries
    return "plain" if is_tar else None


def unpacked(window: Window, kind: Packing | None = None) -> ReadInto:
    """Return what fills a buffer with the unpacked bytes of a stream.

    Args:
        window: The stream, at its first byte.
        kind: How it is packed; looked at for None.

    Raises:
        EngineError: It is zstd, and the package that unpacks it is not installed.
    """
    kind = kind or kind_of(window.peek(_BLOCK_BYTES))
    if kind == "gzip":
        return filler(io.BufferedReader(gzip.GzipFile(fileobj=cast("Any", AsFile(window.readinto)))).readinto)
    if kind == "zstd":
        return filler(_zstd(window).readinto)
    return window.readinto


def _zstd(window: Window) -> Any:
    try:
        zstandard: Any = importlib.import_module("zstandard")
    except ImportError as error:
        raise EngineError(
            "A layer of this image is packed with zstd, which this Python cannot unpack.",
            hint="Install the unpacker with: pip install zstandard",
        ) from error
    reader: IO[bytes] = zstandard.ZstdDecompressor().stream_reader(AsFile(window.readinto), read_across_frames=True)
    return reader
