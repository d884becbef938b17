"""What Go writes into every program that it links: its own version, and the modules that the program is made of.

The form is that of Go 1.18 and newer, as the package debug/buildinfo of Go's standard library reads it: a header of
32 bytes, then two strings with their length before them. Older programs hold two pointers instead: they say nothing
here.
"""

from __future__ import annotations

from collections.abc import Iterator

from dmhelpers.measure.wanted import GO_MAGIC

_HEADER_BYTES = 32
_FLAGS = 15
_INLINE = 2
_FRAME_BYTES = 16
_LONGEST_VARINT = 10


def read_modules(content: bytes) -> tuple[tuple[str, str], ...]:
    """Return the modules of a Go program, each with its version; first ``("stdlib", "1.22.10")`` for Go itself.

    Args:
        content: The program, or what of it begins with the build information.

    Returns:
        Names and versions in the program's own order: the main module first (its version is ``"(devel)"`` where it
        was built from a folder), then what it depends on; one that was replaced has the name and version of what
        stands in its place (of a folder only the version). Empty for what is no Go program, or one of before Go 1.18.
    """
    start = content.find(GO_MAGIC)
    while start >= 0:
        found = _strings(content, start)
        if found is not None:
            version, modules = found
            return (("stdlib", version.removeprefix("go")), *_modules(modules))
        start = content.find(GO_MAGIC, start + 1)
    return ()


def _strings(content: bytes, start: int) -> tuple[str, str] | None:
    """Return the version and the list of modules that stand at a header; None if there is none of that form."""
    if len(content) < start + _HEADER_BYTES or not content[start + _FLAGS] & _INLINE:
        return None
    version, place = _string(content, start + _HEADER_BYTES)
    modules, _ = _string(content, place)
    if not version.startswith((b"go", b"devel")) or not version.isascii():
        return None
    # The list stands between two marks of 16 bytes, and its last line ends before the second.
    framed = len(modules) > 2 * _FRAME_BYTES and modules[-_FRAME_BYTES - 1 :][:1] == b"\n"
    inner = modules[_FRAME_BYTES:-_FRAME_BYTES] if framed else b""
    return version.decode().split(" ")[0], inner.decode("utf-8", "replace")


def _string(content: bytes, place: int) -> tuple[bytes, int]:
    """Return the string at a place, and where it ends; empty where it would go beyond the content."""
    length = shift = 0
    for _ in range(_LONGEST_VARINT):
        if place >= len(content):
            return b"", place
        byte = content[place]
        place += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            end = place + length
            return (content[place:end], end) if end <= len(content) else (b"", len(content))
    return b"", len(content)


def _modules(text: str) -> Iterator[tuple[str, str]]:
    waiting: tuple[str, str] | None = None
    for line in text.splitlines():
        word, *fields = line.split("\t")
        if word not in {"mod", "dep", "=>"} or not fields or not fields[0]:
            continue
        if word != "=>" and waiting is not None:
            yield waiting
        # A module that a folder stands in for keeps its name: the folder's says nothing outside the build.
        name = waiting[0] if word == "=>" and waiting and fields[0].startswith((".", "/")) else fields[0]
        waiting = (name, fields[1] if len(fields) > 1 else "")
    if waiting is not None:
        yield waiting
