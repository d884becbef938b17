"""What a learner guessed and finished, in one plain file of the workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmhelpers.course import kept
from dmhelpers.course.samples import workspace_folder
from dmhelpers.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FILE = "progress.json"


@dataclass(frozen=True, slots=True)
class Record:
    """How far one exercise is: whether a check ever said done, how many were made, and when (None: not known)."""

    done: bool = False
    tries: int = 0
    first_try: datetime | None = None
    done_at: datetime | None = None


def progress() -> pd.DataFrame:
    """Return how far you are: one row an exercise, in the order of the course, then one a puzzle that was tried.

    Returns:
        Columns ``exercise`` (str, its number, or the puzzle's name), ``notebook`` (str, ``"puzzle"`` for those),
        ``done`` (bool: a check has said so once) and ``tries`` (int64: how often it was checked). It is kept in
        ``progress.json`` in the workspace.
    """
    from dmhelpers.course.checks import exercises
    from dmhelpers.show import tables

    known = records()
    rows = [(one.number, one.notebook, known.get(one.number, Record())) for one in exercises()]
    rows += [(name, "puzzle", record) for name, record in sorted(puzzle_records().items())]
    return tables.columns(
        {
            "exercise": [name for name, _, _ in rows],
            "notebook": [where for _, where, _ in rows],
            "done": [record.done for _, _, record in rows],
            "tries": [record.tries for _, _, record in rows],
        },
        integers=("tries",),
        asked=False,
    )


def records() -> dict[str, Record]:
    """Return how far each exercise is that was ever checked, by its number."""
    return _records("exercises")


def puzzle_records() -> dict[str, Record]:
    """Return how far each puzzle is that was ever tried, by its name, such as ``"parsons two-stages"``."""
    return _records("puzzles")


def note_check(number: str, *, done: bool) -> Record:
    """Count a check of an exercise. What was done once stays done, even when its image is gone later.

    Raises:
        InputError: The workspace cannot be written to.
    """
    return _note("exercises", number, done=done)


def note_puzzle(name: str, *, done: bool) -> Record:
    """Count a try at a puzzle, as `note_check` does for exercises.

    Raises:
        InputError: The workspace cannot be written to.
    """
    return _note("puzzles", name, done=done)


def note_opened(notebook: str) -> None:
    """Keep that a notebook was opened now, in place of when it was before.

    Raises:
        InputError: The workspace cannot be written to.
    """
    with _updating() as content:
        content["opened"] = {**_part(content, "opened"), notebook: _now()}


def opened() -> dict[str, datetime]:
    """Return when each notebook was last opened, by its name; only a workshop keeps that."""
    found = {name: _moment(raw) for name, raw in _part(_read(progress_file()), "opened").items()}
    return {name: when for name, when in found.items() if when is not None}


def guesses(name: str) -> dict[str, Any]:
    """Return what was guessed under that name: plain JSON values, empty where nothing was."""
    found = _read(progress_file())["guesses"].get(name)
    return found if isinstance(found, dict) else {}


def note_guesses(name: str, values: dict[str, Any]) -> None:
    """Keep the guesses of that name in place of older ones.

    Raises:
        InputError: The workspace cannot be written to.
    """
    with _updating() as content:
        content["guesses"][name] = values


def progress_file() -> Path:
    """Return where it is kept; the file need not exist yet."""
    return workspace_folder() / FILE


def _records(part: str) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for name, raw in _part(_read(progress_file()), part).items():
        if isinstance(raw, dict):
            found[name] = _record(raw)
    return found


def _note(part: str, name: str, *, done: bool) -> Record:
    with _updating() as content:
        known = _part(content, part)
        raw = known.get(name)
        old = raw if isinstance(raw, dict) else {}
        times = {"first_try": old.get("first_try", "" if old else _now())}
        if done or old.get("done"):
            times["done_at"] = old.get("done_at", "" if old.get("done") else _now())
        entry = {"done": bool(old.get("done")) or done, "tries": _whole(old.get("tries")) + 1}
        entry |= {key: when for key, when in times.items() if when}
        content[part] = {**known, name: entry}
    return _record(entry)


def _record(raw: dict[str, Any]) -> Record:
    when = (_moment(raw.get(key)) for key in ("first_try", "done_at"))
    return Record(bool(raw.get("done")), _whole(raw.get("tries")), *when)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def _part(content: dict[str, Any], part: str) -> dict[str, Any]:
    found = content.get(part)
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    content = found if isinstance(found, dict) else {}
    for part in ("exercises", "guesses"):
        if not isinstance(content.get(part), dict):
            content[part] = {}
    return content


@contextmanager
def _updating() -> Iterator[dict[str, Any]]:
    path = progress_file()
    try:
        with kept.exclusively(path):
            content = _read(path)
            yield content
            kept.write(path, content)
    except OSError as error:
        raise InputError(
            f"Your progress cannot be kept in {str(path)!r}: {error.strerror or error}.",
            hint="Choose a workspace that you may write to: set DMHELPERS_WORKSPACE.",
        ) from error


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
