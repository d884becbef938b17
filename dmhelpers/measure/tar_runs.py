"""The plain entries of a tar, many at a time: one ustar header, a short name, nothing that is wanted of its content.

Nearly all entries of nearly all layers are like that. Everything else is left to the general reader in `tar_scan`,
which is several times as slow and knows all the rest; a test holds that both say the same.
"""

from __future__ import annotations

import struct

from dmhelpers.measure.entries import Entries
from dmhelpers.measure.tar_headers import BLOCK_BYTES
from dmhelpers.measure.wanted import ELF, Wanted

# name; mode, uid and gid; size; type; "ustar"; first byte of the name's prefix
_PLAIN = struct.Struct("100s 24s 11sx 20x c 100x 5s 83x c 166x")
_NUL = b"\0"
_LETTERS = {b"0": "f", b"5": "d"}
_ODD_FIRST = (b"", b"/", b".")


def read_run(
    buffer: bytes | bytearray, start: int, limit: int, entries: Entries, wanted: Wanted, *, inside: bool
) -> int:
    """Add the plain entries that follow each other in a buffer.

    Args:
        buffer: A part of a tar.
        start: Where a header begins.
        limit: Where the part ends.
        entries: What the entries are added to.
        wanted: Whose content is wanted: those are left out.
        inside: Whether the files' contents are in the buffer, or left out of it.

    Returns:
        Where the first header stands that is not of a plain entry, or of one that is not wholly in the buffer.
    """
    unpack, known = _PLAIN.unpack_from, dict[bytes, tuple[int, tuple[int, int] | None]]()
    add_path, add_size, add_type = entries.paths.append, entries.sizes.append, entries.types.append
    add_mode, suffixes, prefixes = entries.modes.append, wanted.suffixes, wanted.prefixes
    while start + BLOCK_BYTES <= limit:
        name, rights, size, kind, magic, prefix = unpack(buffer, start)
        letter = _LETTERS.get(kind)
        if letter is None or magic != b"ustar" or prefix != _NUL:
            break
        try:
            stored = int(size, 8) if kind == b"0" else 0
            told = known.get(rights)
            if told is None:
                told = known[rights] = _rights(rights)
        except ValueError:
            break
        mode, owner = told
        end = start + BLOCK_BYTES + ((stored + 511 & -512) if inside else -stored % BLOCK_BYTES)
        raw = name.rstrip(b"/\0")
        if end > limit or stored < 0 or _NUL in raw or raw[:1] in _ODD_FIRST or b"/." in raw or b"//" in raw:
            break
        if letter == "f":
            if raw.endswith(suffixes) or (prefixes and raw.startswith(prefixes)):
                break
            if stored and mode & 0o111:
                head = bytes(buffer[start + BLOCK_BYTES : start + BLOCK_BYTES + min(4, stored)])
                if not inside or (head == ELF and wanted.go_notes):
                    break
                entries.heads[len(entries.paths)] = head
        if owner is not None:
            entries.owners[len(entries.paths)] = owner
        add_path("/" + raw.decode("utf-8", "surrogateescape"))
        add_size(stored)
        add_type(letter)
        add_mode(mode)
        start = end
    return start


def _rights(fields: bytes) -> tuple[int, tuple[int, int] | None]:
    """Return mode, and owner and group where they are not both root, from the three fields of a header."""
    mode, uid, gid = (int(fields[start : start + 7], 8) for start in (0, 8, 16))
    return mode & 0o7777, (uid, gid) if uid or gid else None
