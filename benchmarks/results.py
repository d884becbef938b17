"""What a benchmark found: its rows, their JSON file and their plain table."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dmhelpers.engine.info import engine_info
from dmhelpers.errors import DmHelpersError

RESULTS = Path(__file__).resolve().parents[1] / "build" / "bench"
EngineFacts = dict[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """The subject against one peer. `ratio` and `difference_s` are medians over the rounds' pairs, not of medians."""

    case: str
    subject: str
    median_s: float
    peer: str
    peer_median_s: float
    ratio: float
    difference_s: float
    rounds: int
    requests: int | None = None
    peer_requests: int | None = None
    target: str | None = None
    met: bool | None = None


def report(rows: Sequence[Row], *, rounds: int, engine: EngineFacts | None, notes: Sequence[str]) -> dict[str, Any]:
    """Return what goes into the JSON file.

    Args:
        rows: What came of the benchmark.
        rounds: The rounds that were asked for.
        engine: Version, buildx, store and platform of the engine; None where there is none.
        notes: What a reader of the figures should know.
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "platform": f"{platform.system().lower()}/{platform.machine()}",
        "python": platform.python_version(),
        "engine": engine,
        "notes": list(notes),
        "rows": [asdict(one) for one in rows],
    }


def write(name: str, content: Mapping[str, Any], *, folder: Path | None = None) -> Path:
    """Write a benchmark's JSON file and return its path.

    Args:
        name: The benchmark's name.
        content: What `report` returned.
        folder: Where it goes; build/bench of this project for None.
    """
    path = (folder or RESULTS) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a plain table; columns that would be empty throughout are left out."""
    titles = ["case", "subject", "median", "requests", "peer", "median", "requests"]
    titles += ["difference", "ratio", "target", "met"]
    cells = [
        [
            row.case,
            row.subject,
            _milliseconds(row.median_s),
            _count(row.requests),
            row.peer,
            _milliseconds(row.peer_median_s),
            _count(row.peer_requests),
            _milliseconds(row.difference_s),
            f"{row.ratio:#.3g}",
            row.target or "",
            "" if row.met is None else "yes" if row.met else "no",
        ]
        for row in rows
    ]
    used = [index for index in range(len(titles)) if any(line[index] for line in cells)]
    lines = [[line[index] for index in used] for line in [titles, *cells]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(used))]
    numeric = [titles[index] in {"median", "requests", "difference", "ratio"} for index in used]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(_line(line, widths, numeric) for line in lines)


def _line(line: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    shown = [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(line, widths, numeric, strict=True)
    ]
    return "  ".join(shown).rstrip()


def _milliseconds(duration_s: float) -> str:
    return f"{duration_s * 1000:,.1f} ms"


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def engine_facts() -> EngineFacts | None:
    """Return version, buildx, image store and platform of the engine, None where there is none."""
    try:
        engine = engine_info()
    except DmHelpersError:
        return None
    return {
        "version": engine.version,
        "buildx": engine.buildx_version,
        "store": engine.store,
        "platform": engine.platform,
    }
