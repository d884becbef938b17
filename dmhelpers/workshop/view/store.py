"""What was reported, one row a learner, in a file that survives restarts and cannot grow beyond the roster."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from dmhelpers.errors import InputError
from dmhelpers.workshop.view.reports import Check, Report

_TABLE = """
CREATE TABLE IF NOT EXISTS learners (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    seen_at REAL NOT NULL,
    report TEXT NOT NULL
)"""


@dataclass(frozen=True, slots=True)
class Learner:
    """A learner's row: the number that stands for them, their name at the hub, their last report and when it came."""

    number: int
    name: str
    seen_at: float
    report: Report

    @property
    def label(self) -> str:
        """What the instructor sees: the name only where the learner shares it."""
        return self.name if self.report.shares_name else f"Learner {self.number}"


class Store:
    """The learners' rows in one SQLite file, readable by its owner only.

    A number is given at the first report and belongs to nobody else afterwards; it says nothing about the roster.
    The rows are read from the file once; this is the one process that writes to it.

    Args:
        path: The file; it and its folder are made where they are not there.

    Raises:
        InputError: The file cannot be made, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._rows = sqlite3.connect(path, timeout=5, isolation_level=None)
            for setting in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON"):
                self._rows.execute(f"PRAGMA {setting}")
            self._rows.execute(_TABLE)
            found = self._rows.execute("SELECT number, name, seen_at, report FROM learners ORDER BY number")
            self._learners = {name: Learner(at, name, seen_at, _report(text)) for at, name, seen_at, text in found}
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"The learners' progress cannot be kept in {str(path)!r}: {error}.",
                hint="Give --state a folder that this process may write to; a damaged file may be moved away.",
            ) from error

    def put(self, name: str, report: Report, *, now: float) -> Learner:
        """Put a report in the place of this learner's older one, and return the row."""
        known, raw = self._learners.get(name), json.dumps(asdict(report))
        if known:  # an upsert would use up a number each time
            self._rows.execute("UPDATE learners SET seen_at = ?, report = ? WHERE name = ?", (now, raw, name))
            number = known.number
        else:
            insert = "INSERT INTO learners (seen_at, report, name) VALUES (?, ?, ?)"
            number = int(self._rows.execute(insert, (now, raw, name)).lastrowid or 0)
        self._learners[name] = Learner(number, name, now, report)
        return self._learners[name]

    def remove(self, name: str) -> None:
        """Forget a learner."""
        self._rows.execute("DELETE FROM learners WHERE name = ?", (name,))
        self._learners.pop(name, None)
        self._leave_no_trace()

    def clear(self) -> None:
        """Forget all learners; the next one is number 1 again."""
        self._rows.execute("DELETE FROM learners")
        self._rows.execute("DELETE FROM sqlite_sequence")
        self._learners.clear()
        self._leave_no_trace()

    def learners(self) -> tuple[Learner, ...]:
        """Return every learner that ever reported, by number; the same object until they report again."""
        return tuple(self._learners.values())

    def _leave_no_trace(self) -> None:
        # Older versions of a row stand in the write-ahead log until it is worked in and cut.
        self._rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _report(text: str) -> Report:
    raw = json.loads(text)
    return Report(raw["shares_name"], raw["opened"], {name: Check(**one) for name, one in raw["checks"].items()})
