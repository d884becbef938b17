"""A recording on disk: a manifest, a log of exchanges for each notebook, and what is large once, by its digest."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dmhelpers.errors import InputError

FORM = 1
_INLINE_BYTES = 400
_LEVEL, _QUICK_LEVEL, _LARGE_BYTES = 19, 6, 4_000_000
_HINT = "Make one where an engine runs: dmhelpers record"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a recording is of; `created` is an ISO date and time in UTC, `course` a digest of the solutions."""

    created: str
    engine: str
    store: str
    platform: str
    api_version: str
    version: str
    course: str
    form: int = FORM

    @property
    def sentence(self) -> str:
        """What stands on everything that is made from it."""
        return f"recorded on {self.created[:10]} with Docker Engine {self.engine} ({self.platform})"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question to the engine and its answer; `images` names which image each tag in it meant."""

    kind: str
    request: str
    answer: Any
    duration_s: float = 0.0
    images: Mapping[str, str] | None = None


class Recording:
    """A recording's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def manifest(self) -> Manifest:
        """What it is of.

        Raises:
            InputError: There is no recording, or it has a form that this version cannot read.
        """
        path = self.folder / "manifest.json"
        try:
            found = Manifest(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"There is no recording in {self.folder.name!r}.", hint=_HINT) from error
        if found.form != FORM:
            raise InputError(f"The recording in {self.folder.name!r} is of another form.", hint=_HINT)
        return found

    def write_manifest(self, manifest: Manifest) -> None:
        """Say what it is of."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(manifest), indent=2) + "\n"
        (self.folder / "manifest.json").write_text(text, encoding="utf-8")

    def notebooks(self) -> tuple[str, ...]:
        """Return the names of the notebooks in it, in their order."""
        return tuple(sorted(path.name.removesuffix(".jsonl.zst") for path in self.folder.glob("*.jsonl.zst")))

    def write(self, notebook: str, exchanges: Iterable[Exchange]) -> None:
        """Keep a notebook's exchanges in place of earlier ones."""
        lines = (json.dumps(asdict(one), ensure_ascii=False, separators=(",", ":")) + "\n" for one in exchanges)
        self._put(self.folder / f"{notebook}.jsonl.zst", "".join(lines).encode())

    def read(self, notebook: str) -> list[Exchange]:
        """Return a notebook's exchanges, in the order in which they were made."""
        text = _unpack((self.folder / f"{notebook}.jsonl.zst").read_bytes()).decode()
        return [Exchange(**json.loads(line)) for line in text.split("\n") if line]

    def keep(self, data: bytes) -> Any:
        """Return what stands for these bytes in an answer; what is large is written once."""
        if len(data) <= _INLINE_BYTES:
            try:
                return {"text": data.decode()}
            except UnicodeDecodeError:
                return {"base64": base64.b64encode(data).decode()}
        digest = hashlib.sha256(data).hexdigest()[:32]
        path = self._blob(digest)
        if not path.is_file():
            self._put(path, data)
        return {"blob": digest}

    def bytes_of(self, kept: Mapping[str, str]) -> bytes:
        """Return the bytes that `keep` was given."""
        if "text" in kept:
            return kept["text"].encode()
        if "base64" in kept:
            return base64.b64decode(kept["base64"])
        return _unpack(self._blob(kept["blob"]).read_bytes())

    def drop_unused(self) -> None:
        """Remove blobs that no notebook's log names any more."""
        logs = [_unpack(path.read_bytes()).decode() for path in self.folder.glob("*.jsonl.zst")]
        for path in (self.folder / "blobs").glob("*.zst"):
            if not any(path.stem in log for log in logs):
                path.unlink()

    def _blob(self, digest: str) -> Path:
        return self.folder / "blobs" / f"{digest}.zst"

    def _put(self, path: Path, data: bytes) -> None:
        import zstandard

        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".part")
        level = _LEVEL if len(data) < _LARGE_BYTES else _QUICK_LEVEL  # the best one takes a minute for 50 MB
        aside.write_bytes(zstandard.ZstdCompressor(level=level).compress(data))
        aside.replace(path)


def _unpack(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompress(data)
