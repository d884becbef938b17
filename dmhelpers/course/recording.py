"""`dmhelpers record`: run the solutions on a real engine and keep its answers for recorded mode."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dmhelpers.course.notebooks import Shelf, read, source
from dmhelpers.engine.recorded import session
from dmhelpers.engine.recorded.store import Manifest, Recording
from dmhelpers.errors import InputError

FOLDER = Path("build/recordings")
BASES = ("node:20-alpine", "golang:1.22-alpine")


def record(
    where: Shelf, numbers: Sequence[str], *, output: Path = FOLDER, force: bool = False, say: Callable[[str], None]
) -> int:
    """Run solutions on the engine and write a recording of its answers.

    Args:
        where: The notebooks.
        numbers: Which of them, by number; all for none.
        output: The recording's folder.
        force: Write over a recording of another version of the course.
        say: Called with a sentence for each notebook.

    Returns:
        0 when all ran, else 1; a notebook that failed is left out of the recording.

    Raises:
        InputError: There is a recording of another version of the course, or recorded mode is on.
        EngineUnavailable: No engine answers.
    """
    from dmhelpers.engine import bases

    if session.player() is not None:
        raise InputError("Recorded mode has no engine to record.", hint="Unset DMHELPERS_ENGINE, then record again.")
    recording = Recording(output.absolute())
    made = _manifest(where)
    _require_same_course(recording, made, force=force)
    bases.ensure_many(BASES, progress=say)  # in the person's own ledger, not in one that goes with the recording
    recording.write_manifest(made)
    failed = [name for name in where.written(numbers) if not _record_one(where, name, recording, say)]
    recording.drop_unused()
    return 1 if failed else 0


def course_digest(where: Shelf) -> str:
    """Return a digest of the code of all solutions: a recording answers what they ask."""
    made = hashlib.sha256()
    for name in where.written():
        cells = [source(one) for one in read(where.solution(name))["cells"] if one["cell_type"] == "code"]
        made.update("\n\f".join([name, *cells]).encode())
    return made.hexdigest()[:16]


def _manifest(where: Shelf) -> Manifest:
    import dmhelpers
    from dmhelpers.engine.client import api
    from dmhelpers.engine.info import engine_info

    engine = engine_info()
    return Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        engine=engine.version,
        store=engine.store,
        platform=engine.platform,
        api_version=str(api().api_version),
        version=dmhelpers.__version__,
        course=course_digest(where),
    )


def _require_same_course(recording: Recording, made: Manifest, *, force: bool) -> None:
    if not (recording.folder / "manifest.json").is_file() or force:
        return
    there = recording.manifest
    if (there.course, there.version, there.engine) != (made.course, made.version, made.engine):
        raise InputError(
            f"{recording.folder.name!r} holds a recording of another version of the course or engine, "
            f"{there.sentence}.",
            hint="Give another folder with --output DIR, or write over it with --force.",
        )


def _record_one(where: Shelf, name: str, recording: Recording, say: Callable[[str], None]) -> bool:
    from dmhelpers.course.notebook_run import run
    from dmhelpers.engine.places import STATE
    from dmhelpers.units import seconds

    with tempfile.TemporaryDirectory(prefix="dmhelpers-record-") as scratch:
        aside = Recording(Path(scratch) / "recording")
        state = Path(scratch) / "state"
        environment = {session.RECORD: str(aside.folder), session.NOTEBOOK: name, STATE: str(state)}
        try:
            done = run(where.solution(name), environment=environment)
        finally:
            _tidy(environment)
        if done.failures or not aside.notebooks():
            why = done.failures[0].error.strip().splitlines()[-1] if done.failures else "its kernel kept nothing"
            say(f"{name}: failed after {seconds(done.duration_s)} and is not in the recording: {why}")
            return False
        shutil.copytree(aside.folder, recording.folder, dirs_exist_ok=True)
    say(f"{name}: recorded in {seconds(done.duration_s)}")
    return True


def _tidy(environment: dict[str, str]) -> None:
    """Remove what a notebook left that failed before its own clean-up: it stands in that notebook's ledger."""
    import os

    from dmhelpers.engine.cleanup import cleanup
    from dmhelpers.engine.places import STATE

    before = os.environ.get(STATE)
    os.environ[STATE] = environment[STATE]
    try:
        cleanup()
    finally:
        os.environ.pop(STATE)
        if before is not None:
            os.environ[STATE] = before
