"""What a learner guessed and finished, in one plain file of the workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmhelpers.course import kept
from dmhelpers.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FILE = "progress.json"


@dataclass(frozen=True, slots=True)
class Record:
    """How far one exercise is: whether a check ever said done, and how many checks were made."""

    done: bool = False
    tries: int = 0


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
    return kept.file(FILE)


def _records(part: str) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for name, raw in _part(_read(progress_file()), part).items():
        if isinstance(raw, dict):
            found[name] = Record(bool(raw.get("done")), _whole(raw.get("tries")))
    return found


def _note(part: str, name: str, *, done: bool) -> Record:
    with _updating() as content:
        known = _part(content, part)
        raw = known.get(name)
        old = raw if isinstance(raw, dict) else {}
        new = Record(bool(old.get("done")) or done, _whole(old.get("tries")) + 1)
        content[part] = {**known, name: {"done": new.done, "tries": new.tries}}
    return new


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
