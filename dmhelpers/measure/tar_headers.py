"""One header of a tar archive: ustar, with what PAX and GNU tar add for long names, large sizes and sparse files.

Sources: POSIX.1-2024, "pax" (ustar and extended headers); the GNU tar manual, "Basic Tar Format" and
"Storing Sparse Files".
"""

from __future__ import annotations

from typing import NamedTuple

BLOCK_BYTES = 512
ZEROS = bytes(BLOCK_BYTES)
PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK = ord("x"), ord("g"), ord("L"), ord("K")
EXTENSIONS = frozenset({PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK})
HARD_LINK, SYMLINK, DIRECTORY, OLD_SPARSE = ord("1"), ord("2"), ord("5"), ord("S")
REGULAR = frozenset(b"0\0" + b"7")
NO_CONTENT = frozenset(b"123456")
EXTENSION_LIMIT_BYTES = 1_000_000
"""A real extended header holds a path and a few attributes; a larger one is an attack on the reader's memory."""
_LARGEST = 1 << 50
_KEYWORDS = frozenset(
    {"path", "linkpath", "size", "uid", "gid", "GNU.sparse.name", "GNU.sparse.realsize", "GNU.sparse.size"}
)


class Damaged(ValueError):
    """An archive is not what it should be; the text says why, without a full stop."""


class Header(NamedTuple):
    """What one header says; `stored_bytes` follow it, the file has `size_bytes`: they differ if it is sparse."""

    name: str
    type: int
    stored_bytes: int
    size_bytes: int
    link_target: str
    mode: int
    uid: int
    gid: int
    more_sparse: bool


def parse(block: bytes, told: dict[str, str]) -> Header:
    """Read one header.

    Args:
        block: Its 512 bytes; not all zero.
        told: What extended headers before it said about this entry, by PAX keyword.

    Raises:
        Damaged: It is no tar header.
    """
    if block[257:262] != b"ustar" and not _sums_up(block):
        raise Damaged("what should be a tar header is none")
    kind = block[156]
    stored = number(block[124:136])
    name = text(block[:100])
    if block[345] and block[257:263] == b"ustar\0":
        name = f"{text(block[345:500])}/{name}"
    link_target = text(block[157:257]) if kind in (HARD_LINK, SYMLINK) else ""
    mode, uid, gid = number(block[100:108]) & 0o7777, number(block[108:116]), number(block[116:124])
    size, more = stored, False
    if kind == OLD_SPARSE:
        size, more = number(block[483:495]), bool(block[482])
    if told:
        name = told.get("GNU.sparse.name") or told.get("path", name)
        link_target = told.get("linkpath", link_target)
        stored = whole(told.get("size"), stored)
        real = told.get("GNU.sparse.realsize") or told.get("GNU.sparse.size")
        size = whole(real, size if kind == OLD_SPARSE else stored)
        uid, gid = whole(told.get("uid"), uid), whole(told.get("gid"), gid)
    if kind in NO_CONTENT:
        stored = size = 0
    if kind == ord("\0") and name.endswith("/"):
        kind = DIRECTORY
    return Header(name, kind, stored, size, link_target, mode, uid, gid, more)


def pax_records(data: bytes) -> dict[str, str]:
    """Return what an extended header says, by keyword; only what is read here.

    Raises:
        Damaged: Its records do not add up.
    """
    records: dict[str, str] = {}
    start = 0
    while start < len(data) and data[start]:
        length, space, _ = data[start : start + 20].partition(b" ")
        if not space or not length.isdigit() or not len(length) + 1 < int(length) <= len(data) - start:
            raise Damaged("an extended header does not add up")
        keyword, _, value = data[start + len(length) + 1 : start + int(length) - 1].partition(b"=")
        name = keyword.decode("utf-8", "replace")
        if name in _KEYWORDS:
            records[name] = value.decode("utf-8", "surrogateescape")
        start += int(length)
    return records


def number(field: bytes) -> int:
    """Return a number field: octal digits, or base 256 where its first bit is set.

    Raises:
        Damaged: It is neither, or is negative or larger than any file.
    """
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
    else:
        digits = field.partition(b"\0")[0].strip()
        try:
            value = int(digits, 8) if digits else 0
        except ValueError as error:
            raise Damaged("a number in a tar header is none") from error
    return _sane(value)


def whole(told: str | None, otherwise: int) -> int:
    """Return what a PAX record gives as a whole number; `otherwise` without one.

    Raises:
        Damaged: It is none.
    """
    if told is None:
        return otherwise
    if not told.isascii() or not told.isdigit() or len(told) > 20:
        raise Damaged("a number in an extended header is none")
    return _sane(int(told))


def text(field: bytes) -> str:
    """Return a text field up to its NUL; bytes that are no UTF-8 come through as lone surrogates."""
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def absolute(name: str) -> str:
    """Return an entry's name as an absolute path without ``.``, ``..`` and double slashes.

    Raises:
        Damaged: It climbs out of the root.
    """
    path = "/" + name.strip("/")
    if "/." not in path and "//" not in path:
        return path
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise Damaged(f"the path {name[:80]!r} climbs out of the root")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _sane(value: int) -> int:
    if not 0 <= value <= _LARGEST:
        raise Damaged("a number in a tar header is larger than any file")
    return value


def _sums_up(block: bytes) -> bool:
    try:
        return sum(block) - sum(block[148:156]) + 8 * ord(" ") == number(block[148:156])
    except Damaged:
        return False
