"""BuildKit's progress events (`--progress=rawjson`): a stream of JSON values, merged by vertex.

buildx 0.13 indents each value over many lines, later ones print one a line; after a failure plain
text follows. A vertex is reported several times as it starts, ends or turns out to be cached.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

LOG_LIMIT_CHARS = 2_000_000
"""How much of a build's output is kept; what is older is dropped, and the log says so."""


@dataclass(slots=True)
class Vertex:
    """One vertex of the build graph as last reported."""

    digest: str
    name: str = ""
    cached: bool = False
    error: str = ""
    intervals: dict[datetime, datetime | None] = field(default_factory=dict)

    @property
    def started(self) -> datetime | None:
        """When it began first; None if it never did."""
        return min(self.intervals, default=None)

    @property
    def done(self) -> bool:
        """Whether it began and every run of it ended."""
        return bool(self.intervals) and all(self.intervals.values())

    @property
    def duration_s(self) -> float:
        """The seconds it worked, over all its runs."""
        return sum((end - begin).total_seconds() for begin, end in self.intervals.items() if end)


@dataclass(frozen=True, slots=True)
class VertexChanged:
    """A vertex started, ended, failed or was found in the cache."""

    vertex: Vertex


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line, or a piece of one, that a running step printed."""

    digest: str
    text: str


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """Progress inside a vertex: bytes sent or fetched; `total` is 0 where unknown.

    `part` tells several of one vertex apart: the layers that it fetches, say.
    """

    digest: str
    name: str
    current: int
    total: int
    part: str = ""


Event = VertexChanged | LogLine | StatusChanged
Listener = Callable[[Event], None]


def decode(lines: Iterable[bytes]) -> Iterator[dict[str, Any] | str]:
    """Yield each JSON value of the stream as a dict, and each line of plain text as a string."""
    pending: list[bytes] = []
    for line in lines:
        bare = line.rstrip(b"\r\n")
        if pending:
            pending.append(bare)
            if bare == b"}":
                yield _value(b"\n".join(pending))
                pending = []
        elif bare == b"{":
            pending = [bare]
        else:
            yield _value(bare) if bare.startswith(b"{") else bare.decode("utf-8", "replace")
    yield from (line.decode("utf-8", "replace") for line in pending)


class Progress:
    """What a build reported so far: vertexes by digest in the order they appeared, log, warnings, plain text."""

    def __init__(self, listener: Listener | None = None) -> None:
        self.vertexes: dict[str, Vertex] = {}
        self.warnings: list[str] = []
        self.text: list[str] = []
        self._log: list[tuple[str, str]] = []
        self._log_chars = 0
        self._dropped = False
        self._listener = listener or (lambda _: None)

    def feed(self, value: dict[str, Any] | str) -> None:
        """Take in one value of `decode`."""
        if isinstance(value, str):
            self.text.append(value)
            return
        for raw in value.get("vertexes") or ():
            self._vertex(raw)
        for raw in value.get("logs") or ():
            self._take_log(raw["vertex"], base64.b64decode(raw.get("data") or b"").decode("utf-8", "replace"))
        for raw in value.get("statuses") or ():
            name = raw.get("name") or raw.get("id", "")
            current, total = raw.get("current", 0), raw.get("total", 0)
            self._listener(StatusChanged(raw["vertex"], name, current, total, raw.get("id", "")))
        for raw in value.get("warnings") or ():
            self.warnings.append(_warning(raw))

    def log_of(self, digest: str) -> str:
        """Return what one vertex printed, as far as it was kept."""
        return "".join(text for owner, text in self._log if owner == digest)

    def log(self) -> str:
        """Return all that was printed, each step under its name, and the plain text after it."""
        parts = ["[earlier output was dropped]\n"] if self._dropped else []
        owner = ""
        for digest, text in self._log:
            if digest != owner:
                owner = digest
                vertex = self.vertexes.get(digest)
                parts.append(f"{_line_end(parts)}{vertex.name if vertex else digest}\n")
            parts.append(text)
        errors = [f"ERROR {one.name}: {one.error}\n" for one in self.vertexes.values() if one.error]
        return "".join([*parts, _line_end(parts), *errors, *(f"{line}\n" for line in self.text)])

    def _vertex(self, raw: dict[str, Any]) -> None:
        vertex = self.vertexes.setdefault(raw["digest"], Vertex(raw["digest"]))
        vertex.name = raw.get("name") or vertex.name
        vertex.cached = vertex.cached or bool(raw.get("cached"))
        vertex.error = raw.get("error") or vertex.error
        started, completed = moment(raw.get("started")), moment(raw.get("completed"))
        if started:
            vertex.intervals[started] = completed or vertex.intervals.get(started)
        self._listener(VertexChanged(vertex))

    def _take_log(self, digest: str, text: str) -> None:
        self._log.append((digest, text))
        self._log_chars += len(text)
        if self._log_chars > 2 * LOG_LIMIT_CHARS:
            self._drop_oldest()
        self._listener(LogLine(digest, text))

    def _drop_oldest(self) -> None:
        self._dropped = True
        first = 0
        while self._log_chars > LOG_LIMIT_CHARS:
            self._log_chars -= len(self._log[first][1])
            first += 1
        del self._log[:first]


def moment(text: str | None) -> datetime | None:
    """Return an RFC 3339 time with its nanoseconds cut to microseconds; None for None or Go's zero time."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text)


def _value(raw: bytes) -> dict[str, Any] | str:
    try:
        found = json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
    return found if isinstance(found, dict) else raw.decode("utf-8", "replace")


def _warning(raw: dict[str, Any]) -> str:
    text = base64.b64decode(raw.get("short") or b"").decode("utf-8", "replace")
    lines = [one["start"]["line"] for one in raw.get("range") or () if one.get("start", {}).get("line")]
    return f"line {lines[0]}: {text.removesuffix(f' (line {lines[0]})')}" if lines else text


def _line_end(parts: list[str]) -> str:
    return "" if not parts or parts[-1].endswith("\n") else "\n"
