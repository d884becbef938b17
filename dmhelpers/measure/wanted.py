"""What a look into an image keeps of its files' content: small files by name, and Go's notes in programs."""

from __future__ import annotations

import fnmatch
import functools
import mmap
import re
from collections.abc import Iterable

GO_BUILD_INFO = "go build info"
"""Among the patterns, this asks for the notes that the Go linker leaves in a program (`debug/buildinfo`)."""
GO_MAGIC = b"\xff Go buildinf:"
GO_NOTES_BYTES = 64_000
ELF = b"\x7fELF"
FILE_LIMIT_BYTES = 8_000_000
TOTAL_LIMIT_BYTES = 64_000_000
"""Lock files and package databases are smaller; what goes beyond is not kept, so that memory stays bounded."""

_PLAIN = re.compile(r"[*?\[]")


class Wanted:
    """Says, quickly and for many paths, whether a file's content is wanted.

    Args:
        patterns: Globs of absolute paths, where `*` also matches `/`; or `GO_BUILD_INFO`.

    Attributes:
        suffixes: What names in a tar end with, if they may be wanted.
        prefixes: What others that may be wanted begin with, as a tar has them: without a slash before them.
        go_notes: Whether the notes in programs that Go made are wanted.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.patterns = tuple(dict.fromkeys(patterns))
        self.go_notes = GO_BUILD_INFO in self.patterns
        by_name: dict[str, list[str]] = {}
        rest = []
        for one in self.patterns:
            name = one.rpartition("/")[2]
            if one == GO_BUILD_INFO:
                continue
            if name and not _PLAIN.search(name):
                by_name.setdefault(name, []).append(one)
            else:
                rest.append(one)
        self._by_name = {name: _compiled(tuple(several)) for name, several in by_name.items()}
        self._rest = _compiled(tuple(rest)) if rest else None
        self.suffixes = tuple(name.encode() for name in by_name)
        self.prefixes = tuple(_PLAIN.split(one, maxsplit=1)[0].lstrip("/").encode() for one in rest)

    def matches(self, path: str) -> bool:
        """Say whether a file's whole content is wanted."""
        found = self._by_name.get(path[path.rfind("/") + 1 :])
        if found is not None and found.match(path):
            return True
        return self._rest is not None and self._rest.match(path) is not None


def go_notes(data: bytes | mmap.mmap) -> bytes | None:
    """Return Go's notes from a program's bytes, from their magic on; None where there are none here."""
    start = data.find(GO_MAGIC)
    while start >= 0:
        # Programs that read such notes hold the magic as a constant too; behind the real one stands inline text.
        if data[start + 15 : start + 16] == b"\x02" and data[start + 33 : start + 35] in (b"go", b"de"):
            return data[start : start + GO_NOTES_BYTES]
        start = data.find(GO_MAGIC, start + 1)
    return None


@functools.lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(one) for one in patterns))
