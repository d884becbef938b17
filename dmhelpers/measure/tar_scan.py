"""A layer's tar read by its headers: one pass, and of the files' content only what is wanted.

Whiteouts are those of the OCI image specification ("Image Layer Filesystem Changeset"): `.wh.name` deletes a path of
older layers, `.wh..wh..opq` hides all that they have in its directory.
"""

from __future__ import annotations

from typing import Protocol

from dmhelpers.measure import tar_headers as tar
from dmhelpers.measure.entries import Entries, EntryType, FileEntry
from dmhelpers.measure.tar_headers import Damaged, Header
from dmhelpers.measure.tar_runs import read_run
from dmhelpers.measure.wanted import (
    ELF,
    FILE_LIMIT_BYTES,
    GO_MAGIC,
    GO_NOTES_BYTES,
    TOTAL_LIMIT_BYTES,
    Wanted,
    go_notes,
)
from dmhelpers.measure.windows import BUFFER_BYTES, Window

ENTRY_LIMIT = 4_000_000
PATH_LIMIT_CHARS = 10_000
NAMES_LIMIT_CHARS = 500_000_000
"""More entries, longer paths and more names than any image has: what goes beyond attacks the reader's memory."""

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_TYPES: dict[int, EntryType] = {tar.DIRECTORY: "directory", ord("3"): "other", ord("4"): "other", ord("6"): "other"}
_SCAN_OVERLAP = len(GO_MAGIC) + 40


class Source(Protocol):
    """Where a layer's headers and contents come from."""

    def run(self, entries: Entries, wanted: Wanted) -> None:
        """Add the plain entries that come next, as many as there are at hand."""

    def block(self) -> bytes:
        """Return the next 512 bytes of headers; ``b""`` at the end."""

    def extension(self, size_bytes: int) -> bytes:
        """Return the content of an extended header."""

    def skip(self, header: Header) -> None:
        """Pass over a file's content."""

    def head(self, header: Header, count: int) -> bytes:
        """Return the first bytes of a file's content; `rest` or `notes` must follow."""

    def rest(self, header: Header, *, kept: bool) -> bytes | None:
        """Pass over the content, and return all of it where it is to be kept."""

    def notes(self, header: Header) -> bytes | None:
        """Pass over a program's content, and return the Go notes in it."""


class Streamed:
    """A layer's tar as a stream.

    Args:
        window: The stream, at the tar's first byte.
        end: Where in the stream the tar ends at the latest; None where the stream ends with it.
        inside: Whether the files' contents are in the stream; False where only what pads them is.
    """

    def __init__(self, window: Window, end: int | None = None, *, inside: bool = True) -> None:
        self._window = window
        self._end = end
        self._inside = inside

    def run(self, entries: Entries, wanted: Wanted) -> None:
        """Add the plain entries that come next, as long as there are any."""
        buffer, start, limit = self._window.buffered()
        while True:
            if self._end is not None:
                limit = min(limit, start + self._end - self._window.position)
            used = read_run(buffer, start, limit, entries, wanted, inside=self._inside) - start
            self._window.skip(used)
            if used == 0 or limit - start - used >= tar.BLOCK_BYTES * 2:
                return
            self._window.top_up()
            buffer, start, limit = self._window.buffered()

    def block(self) -> bytes:
        """Return the next 512 bytes; ``b""`` at the end."""
        if self._end is not None and self._window.position >= self._end:
            return b""
        if self._end is None and not self._window.peek(1):
            return b""
        return self._window.take(tar.BLOCK_BYTES)

    def extension(self, size_bytes: int) -> bytes:
        """Return an extended header's content."""
        self._hold(size_bytes)
        data = self._window.take(size_bytes)
        self._window.skip(-size_bytes % tar.BLOCK_BYTES)
        return data

    def skip(self, header: Header) -> None:
        """Pass over a file's content."""
        stored = header.stored_bytes
        self._hold(stored)
        self._window.skip(stored + (-stored % tar.BLOCK_BYTES))

    def head(self, header: Header, count: int) -> bytes:
        """Return the first bytes of a file's content."""
        self._hold(header.stored_bytes)
        return self._window.peek(min(count, header.stored_bytes))

    def rest(self, header: Header, *, kept: bool) -> bytes | None:
        """Pass over the content, and return all of it where it is to be kept."""
        stored = header.stored_bytes
        if not kept:
            self.skip(header)
            return None
        data = self._window.take(stored)
        self._window.skip(-stored % tar.BLOCK_BYTES)
        return data

    def notes(self, header: Header) -> bytes | None:
        """Pass over a program's content, and return the Go notes in it."""
        left, carried, found = header.stored_bytes, b"", None
        while left > 0:
            piece = carried + self._window.take(min(left, BUFFER_BYTES))
            left -= len(piece) - len(carried)
            if found is None:
                found = go_notes(piece)
                carried = piece[-_SCAN_OVERLAP:] if found is None else b""
            elif len(found) < GO_NOTES_BYTES:
                found = (found + piece)[:GO_NOTES_BYTES]
        self._window.skip(-header.stored_bytes % tar.BLOCK_BYTES)
        return found

    def _hold(self, size_bytes: int) -> None:
        if self._end is not None and self._window.position + size_bytes > self._end:
            raise Damaged("a file is larger than the layer that it is in")


class Scan:
    """One layer's entries as they are read; `budget` bounds over all layers what is kept of contents.

    Args:
        wanted: Whose content is kept.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.budget_bytes = TOTAL_LIMIT_BYTES
        self.entries_left = ENTRY_LIMIT
        self.names_left = NAMES_LIMIT_CHARS

    def layer(self, source: Source) -> tuple[Entries, list[str], list[str]]:
        """Read one layer.

        Returns:
            Its entries, the paths that it deletes, and the directories whose older content it hides.

        Raises:
            Damaged: It is not a layer's tar, or one made to do harm.
        """
        entries, begun = Entries(), self.entries_left
        whiteouts: list[str] = []
        opaque: list[str] = []
        told: dict[str, str] = {}
        always: dict[str, str] = {}
        while True:
            if not told and not always:
                source.run(entries, self.wanted)
            self.entries_left = begun - len(entries) - len(whiteouts)
            if self.entries_left < 0:
                raise Damaged(f"it has more than {ENTRY_LIMIT:,} entries")
            block = source.block()
            if not block or block == tar.ZEROS:
                return entries, whiteouts, opaque
            header = tar.parse(block, {**always, **told})
            if header.type in tar.EXTENSIONS:
                (always if header.type == tar.PAX_GLOBAL else told).update(self.told_by(source, header))
                continue
            told = {}
            self._pass_sparse_map(source, header)
            path = tar.absolute(header.name)
            folder, _, name = path.rpartition("/")
            if not name.startswith(_WHITEOUT):
                entry = self._entry(source, header, path)
                if path != "/":
                    entries.add(entry)
                continue
            source.skip(header)
            if name == _OPAQUE:
                opaque.append(folder or "/")
            elif not name.startswith(_WHITEOUT * 2):  # the others of that form are aufs' own notes
                whiteouts.append(f"{folder}/{name.removeprefix(_WHITEOUT)}")

    def told_by(self, source: Source, header: Header) -> dict[str, str]:
        """Return what an extended header says of the entry that follows, by PAX keyword.

        Raises:
            Damaged: It is larger than any real one, or does not add up.
        """
        if header.stored_bytes > tar.EXTENSION_LIMIT_BYTES:
            raise Damaged(f"an extended header of {header.stored_bytes} bytes is larger than any name")
        data = source.extension(header.stored_bytes)
        if header.type == tar.LONG_NAME:
            return {"path": tar.text(data)}
        if header.type == tar.LONG_LINK:
            return {"linkpath": tar.text(data)}
        return tar.pax_records(data)

    def _pass_sparse_map(self, source: Source, header: Header) -> None:
        more = header.more_sparse
        while more:
            block = source.block()
            if len(block) < tar.BLOCK_BYTES:
                raise Damaged("it ends in the middle")
            more = bool(block[504])

    def _entry(self, source: Source, header: Header, path: str) -> FileEntry:
        self.names_left -= len(path) + len(header.link_target)
        if len(path) > PATH_LIMIT_CHARS or self.names_left < 0:
            raise Damaged(f"a path of {len(path):,} characters is longer than any, or there are too many long ones")
        rights = (header.mode, header.uid, header.gid)
        if header.type in tar.NO_CONTENT:
            return self._without_content(header, path, rights)
        head, content = b"", None
        kept = self.wanted.matches(path) and header.size_bytes == header.stored_bytes <= self._room()
        if kept or header.mode & 0o111:
            head = source.head(header, 4)
        if kept:
            content = source.rest(header, kept=True)
        elif head == ELF and self.wanted.go_notes:
            content = source.notes(header)
        else:
            source.skip(header)
        self.budget_bytes -= len(content or b"")
        return FileEntry(path, header.size_bytes, "file", 0, "", head, content, *rights)

    def _without_content(self, header: Header, path: str, rights: tuple[int, int, int]) -> FileEntry:
        if header.type == tar.HARD_LINK:
            return FileEntry(path, 0, "hard link", 0, tar.absolute(header.link_target), b"", None, *rights)
        if header.type == tar.SYMLINK:
            length = len(header.link_target.encode("utf-8", "surrogateescape"))
            return FileEntry(path, length, "symlink", 0, header.link_target, b"", None, *rights)
        return FileEntry(path, 0, _TYPES[header.type], 0, "", b"", None, *rights)

    def _room(self) -> int:
        return min(FILE_LIMIT_BYTES, self.budget_bytes)
