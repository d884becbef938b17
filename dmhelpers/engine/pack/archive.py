"""The pack as a file: a plain tar archive with its manifest first, written once and read by offset.

Every member is an ordinary file, so `tar` and `sha256sum -c SHA256SUMS` open and check a pack where there is no
Python. Members are sorted by path and carry no times and no accounts: the same content gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from dmhelpers.engine.pack.records import MAKE_ANEW, MANIFEST, SUMS, Manifest, Member, read_manifest
from dmhelpers.errors import PackError

_CHUNK_BYTES = 1 << 20
_MANIFEST_LIMIT_BYTES = 16_000_000

Progress = Callable[[str], None]


def measured(path: str, file: Path) -> Member:
    """Return the member that a file on this machine will be."""
    with file.open("rb") as handle:
        return Member(path, file.stat().st_size, hashlib.file_digest(handle, "sha256").hexdigest())


def write(output: Path, manifest: Manifest, files: Mapping[str, Path]) -> str:
    """Write a pack beside `output` and give it its name when it is whole.

    Args:
        output: The pack's file; one that is there is replaced.
        manifest: What is in it; its members are written in their order.
        files: Path in the pack -> file on this machine.

    Returns:
        The pack's ID: the SHA-256 of its manifest.

    Raises:
        PackError: It cannot be written there.
    """
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    raw = manifest.as_json()
    listed = (Member(MANIFEST, len(raw), hashlib.sha256(raw).hexdigest()), *manifest.members)
    sums = "".join(f"{one.sha256}  {one.path}\n" for one in listed).encode()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as handle, tarfile.open(fileobj=handle, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in ((MANIFEST, raw), (SUMS, sums)):
                tar.addfile(_header(name, len(content)), _Bytes(content))
            for one in manifest.members:
                with files[one.path].open("rb") as source:
                    tar.addfile(_header(one.path, one.size_bytes), source)
        part.replace(output)
    except OSError as error:
        raise PackError(
            f"The pack cannot be written to {str(output)!r}: {error.strerror or error}.",
            hint="Name another place, with about 1 GB free: dmhelpers pack --output FILE",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return listed[0].sha256


class _Bytes:
    """Bytes as the file that tarfile reads from."""

    def __init__(self, content: bytes) -> None:
        self._rest = memoryview(content)

    def read(self, size: int = -1) -> bytes:
        size = len(self._rest) if size < 0 else size
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)


def _header(name: str, size_bytes: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size_bytes, 0o644
    return info


@dataclass(frozen=True, slots=True)
class Pack:
    """An open pack: its manifest, its ID, and where each member's bytes begin in the file."""

    file: Path
    manifest: Manifest
    pack_id: str
    offsets: Mapping[str, int]
    handle: IO[bytes]

    def pieces(self, member: Member) -> Iterator[bytes]:
        """Yield a member's bytes, and hold at its end that they are the right ones.

        Raises:
            PackError: The file is cut short there, or the bytes are others.
        """
        digest, left = hashlib.sha256(), member.size_bytes
        self.handle.seek(self.offsets[member.path])
        while left:
            try:
                piece = self.handle.read(min(left, _CHUNK_BYTES))
            except OSError as error:  # a stick that fails, or was pulled out
                raise damaged(self.file, member.path, f"it cannot be read ({error.strerror})") from error
            if not piece:
                raise damaged(self.file, member.path, "the file ends in it")
            at = self.handle.tell()
            left -= len(piece)
            digest.update(piece)
            yield piece
            self.handle.seek(at)  # whoever took the piece may have read elsewhere
        if digest.hexdigest() != member.sha256:
            raise damaged(self.file, member.path, "its SHA-256 is not the manifest's")

    def read(self, path: str) -> bytes:
        """Return a member's bytes."""
        return b"".join(self.pieces(self.member(path)))

    def member(self, path: str) -> Member:
        """Return a member by its path.

        Raises:
            PackError: There is none of that path.
        """
        for one in self.manifest.members:
            if one.path == path:
                return one
        raise damaged(self.file, path, "the manifest does not list it")

    def check(self, *, progress: Progress) -> None:
        """Read every member and compare it with the manifest.

        Args:
            progress: Told how far it is, at every tenth.

        Raises:
            PackError: Names the first member that is not what the manifest says.
        """
        total, done, told = self.manifest.size_bytes, 0, 0
        for one in self.manifest.members:
            for piece in self.pieces(one):
                done += len(piece)
            if total and done * 10 // total > told:
                told = done * 10 // total
                progress(f"Verified {told * 10} % of {total / 1e6:.0f} MB")


@contextmanager
def opened(file: Path) -> Iterator[Pack]:
    """Open a pack: read its manifest, and hold that the archive has its members and no others, whole.

    This reads headers only, so it is quick; `Pack.check` reads the contents.

    Raises:
        PackError: There is no such file, it is no pack, it is cut short, or its members are not the manifest's.
    """
    try:
        handle = file.open("rb")
    except OSError as error:
        raise PackError(
            f"The pack {str(file)!r} cannot be read: {error.strerror or error}.", hint="Name the file of a pack."
        ) from error
    with handle:
        yield _read_index(file, handle)


def _read_index(file: Path, handle: IO[bytes]) -> Pack:
    length = handle.seek(0, os.SEEK_END)
    handle.seek(0)
    try:
        with tarfile.open(fileobj=handle, mode="r:") as tar:
            found = iter(tar)
            raw = _begins_with(tar, next(found, None), MANIFEST, file)
            sums = _begins_with(tar, next(found, None), SUMS, file)
            manifest, pack_id = _manifest(file, raw, sums)
            offsets = _offsets(file, length, manifest, found)
    except (tarfile.TarError, OSError) as error:
        raise PackError(
            f"{str(file)!r} is not a pack, or its beginning is damaged: {error}.", hint=MAKE_ANEW
        ) from error
    return Pack(file, manifest, pack_id, offsets, handle)


def _begins_with(tar: tarfile.TarFile, info: tarfile.TarInfo | None, name: str, file: Path) -> bytes:
    if info is None or info.name != name or not info.isreg() or info.size > _MANIFEST_LIMIT_BYTES:
        raise PackError(f"{str(file)!r} is not a pack: it does not begin with {MANIFEST} and {SUMS}.", hint=MAKE_ANEW)
    source = tar.extractfile(info)
    raw = source.read() if source else b""
    if len(raw) != info.size:
        raise damaged(file, name, "the file ends in it")
    return raw


def _manifest(file: Path, raw: bytes, sums: bytes) -> tuple[Manifest, str]:
    pack_id = hashlib.sha256(raw).hexdigest()
    first = sums.partition(b"\n")[0].decode("ascii", "replace")
    if first != f"{pack_id}  {MANIFEST}":
        raise damaged(file, MANIFEST, f"its SHA-256 is not the one in {SUMS}")
    manifest = read_manifest(raw)
    wanted = "".join(f"{one.sha256}  {one.path}\n" for one in manifest.members)
    if sums.partition(b"\n")[2] != wanted.encode():
        raise damaged(file, SUMS, f"it does not agree with {MANIFEST}")
    return manifest, pack_id


def _offsets(file: Path, length: int, manifest: Manifest, found: Iterable[tarfile.TarInfo]) -> dict[str, int]:
    offsets: dict[str, int] = {}
    rest = iter(found)
    for one in manifest.members:
        _require_inside(file, one.path)
        try:
            info = next(rest, None)
        except tarfile.TarError as error:
            raise damaged(file, one.path, f"its header cannot be read ({error})") from error
        if info is None:
            raise damaged(file, one.path, "the file ends before it")
        if info.name != one.path or not info.isreg() or info.size != one.size_bytes:
            raise damaged(file, one.path, f"the archive has {info.name!r} of {info.size} bytes in its place")
        if info.offset_data + info.size > length:
            raise damaged(file, one.path, "the file ends in it")
        offsets[one.path] = info.offset_data
    extra = next(rest, None)
    if extra is not None:
        raise damaged(file, extra.name, "the manifest does not list it")
    return offsets


def _require_inside(file: Path, path: str) -> None:
    """Refuse a path that would leave the folder it is unpacked into."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or "\\" in path or not parts or str(PurePosixPath(path)) != path:
        raise damaged(file, path, "its path leads elsewhere")


def damaged(file: Path, member: str, reason: str) -> PackError:
    """Return the error about a member that is not what it should be."""
    return PackError(f"The pack {file.name} is damaged: {member}: {reason}. Nothing was loaded.", hint=MAKE_ANEW)
