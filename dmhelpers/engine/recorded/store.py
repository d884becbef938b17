"""A recording on disk: a manifest, a log of exchanges for each notebook, and what is large once, by its digest.

It is a folder, which `dmhelpers record` writes, or the same as one file, a zip archive, for carrying it elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dmhelpers.errors import InputError

FORM = 2
_LOG, _MANIFEST = ".jsonl.zst", "manifest.json"
_INLINE_BYTES = 32_000
"""What is smaller stands in its notebook's log, where what it has in common with its neighbours costs nothing."""

_LEVEL, _QUICK_LEVEL, _LARGE_BYTES = 19, 6, 8_000_000
_HINT = "Make one where an engine runs: dmhelpers record"
_PACKED_AT = (2026, 1, 1, 0, 0, 0)
"""The date of each file in a zip archive: the same recording is the same archive, byte for byte."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a recording is of.

    `created` is an ISO date and time in UTC, that of the latest notebook; `notebooks` has for each one when it was
    recorded (``created``) and a digest of its code (``code``).
    """

    created: str
    engine: str
    store: str
    platform: str
    api_version: str
    version: str
    notebooks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    form: int = FORM

    def created_of(self, notebook: str) -> str:
        """Return when a notebook was recorded; where that is not known, when the latest was."""
        return self.notebooks.get(notebook, {}).get("created", self.created)

    def sentence(self, notebook: str = "") -> str:
        """Return what stands on everything that is made from a notebook's recording."""
        return f"recorded on {self.created_of(notebook)[:10]} with Docker Engine {self.engine} ({self.platform})"

    def with_notebook(self, name: str, *, created: str, code: str) -> Manifest:
        """Return this manifest with one more notebook, or one recorded anew."""
        notebooks = {**self.notebooks, name: {"created": created, "code": code}}
        return replace(self, created=max(created, self.created), notebooks=dict(sorted(notebooks.items())))


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question to the engine and its answer; `images` names which image each tag in it meant."""

    kind: str
    request: str
    answer: Any
    duration_s: float = 0.0
    images: Mapping[str, str] | None = None


class Recording:
    """A recording: a folder, which can be written to, or a zip archive of one, which can only be read.

    Args:
        folder: The folder or archive; a folder need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._packed = folder.is_file()

    @property
    def manifest(self) -> Manifest:
        """What it is of.

        Raises:
            InputError: There is no recording, or it has a form that this version cannot read.
        """
        try:
            found = json.loads(self._bytes(_MANIFEST))
            form = found["form"]
            if form == FORM:
                return Manifest(**found)
        except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"There is no recording in {self.folder.name!r}.", hint=_HINT) from error
        raise InputError(
            f"The recording in {self.folder.name!r} has form {form!r}, and this version of the course reads "
            f"form {FORM}.",
            hint=_HINT,
        )

    def write_manifest(self, manifest: Manifest) -> None:
        """Say what it is of."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(manifest), indent=2) + "\n"
        (self.folder / _MANIFEST).write_text(text, encoding="utf-8")

    def notebooks(self) -> tuple[str, ...]:
        """Return the names of the notebooks in it, in their order."""
        return tuple(sorted(one.removesuffix(_LOG) for one in self.files() if one.endswith(_LOG)))

    def files(self) -> tuple[str, ...]:
        """Return the paths of its files, in order."""
        if self._packed:
            with zipfile.ZipFile(self.folder) as archive:
                return tuple(sorted(archive.namelist()))
        found = [*self.folder.glob(_MANIFEST), *self.folder.glob(f"*{_LOG}"), *self.folder.glob("blobs/*.zst")]
        return tuple(sorted(path.relative_to(self.folder).as_posix() for path in found))

    def write(self, notebook: str, exchanges: Iterable[Exchange]) -> None:
        """Keep a notebook's exchanges in place of earlier ones."""
        lines = (json.dumps(asdict(one), ensure_ascii=False, separators=(",", ":")) + "\n" for one in exchanges)
        self._put(self.folder / f"{notebook}{_LOG}", "".join(lines).encode())

    def read(self, notebook: str) -> list[Exchange]:
        """Return a notebook's exchanges, in the order in which they were made.

        Raises:
            InputError: They are damaged, or not all there.
        """
        try:
            text = _unpack(self._bytes(f"{notebook}{_LOG}")).decode()
            return [Exchange(**json.loads(line)) for line in text.split("\n") if line]
        except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
            raise self._damaged(notebook) from error

    def keep(self, data: bytes) -> Any:
        """Return what stands for these bytes in an answer; what is large is written once."""
        if len(data) <= _INLINE_BYTES:
            try:
                return {"text": data.decode()}
            except UnicodeDecodeError:
                return {"base64": base64.b64encode(data).decode()}
        digest = hashlib.sha256(data).hexdigest()[:32]
        path = self.folder / _blob(digest)
        if not path.is_file():
            self._put(path, data)
        return {"blob": digest}

    def bytes_of(self, kept: Mapping[str, str]) -> bytes:
        """Return the bytes that `keep` was given.

        Raises:
            InputError: They are damaged, or not there.
        """
        if "text" in kept:
            return kept["text"].encode()
        if "base64" in kept:
            return base64.b64decode(kept["base64"])
        try:
            data = _unpack(self._bytes(_blob(kept["blob"])))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise self._damaged(kept["blob"]) from error
        if hashlib.sha256(data).hexdigest()[:32] != kept["blob"]:
            raise self._damaged(kept["blob"])
        return data

    def drop_unused(self) -> None:
        """Remove blobs that no notebook's log names any more."""
        logs = [_unpack(self._bytes(f"{name}{_LOG}")).decode() for name in self.notebooks()]
        for path in (self.folder / "blobs").glob("*.zst"):
            if not any(path.stem in log for log in logs):
                path.unlink()

    def clear(self) -> None:
        """Remove what is in it, and nothing else that may lie in its folder."""
        for name in self.files():
            (self.folder / name).unlink()

    def pack(self, file: Path) -> None:
        """Write the whole recording as one file, a zip archive that is the same for the same recording."""
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f"{file.name}.part")
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:  # each of its files is packed already
            for name in self.files():
                archive.writestr(zipfile.ZipInfo(name, _PACKED_AT), self._bytes(name))
        aside.replace(file)

    def _bytes(self, name: str) -> bytes:
        if not self._packed:
            return (self.folder / name).read_bytes()
        with zipfile.ZipFile(self.folder) as archive:
            return archive.read(name)

    def _damaged(self, what: str) -> InputError:
        return InputError(
            f"The recording in {self.folder.name!r} is damaged or not all there: {what}.",
            hint="Get it once more, or make one where an engine runs: dmhelpers record --force",
        )

    def _put(self, path: Path, data: bytes) -> None:
        import zstandard

        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".part")
        level = _LEVEL if len(data) < _LARGE_BYTES else _QUICK_LEVEL  # the best one takes a minute for 50 MB
        aside.write_bytes(zstandard.ZstdCompressor(level=level).compress(data))
        aside.replace(path)


def _blob(digest: str) -> str:
    return f"blobs/{digest}.zst"


def _unpack(data: bytes) -> bytes:
    import zstandard

    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise ValueError("not what was packed") from error
