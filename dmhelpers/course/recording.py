"""`dmhelpers record`: run the solutions on a real engine and keep its answers for recorded mode."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dmhelpers.course.notebook_run import Run, run
from dmhelpers.course.notebooks import Shelf, read, source
from dmhelpers.course.sample_info import checkout
from dmhelpers.engine.recorded import session
from dmhelpers.engine.recorded.replaying import NOT_ASKED
from dmhelpers.engine.recorded.store import Manifest, Recording
from dmhelpers.errors import InputError

FOLDER = Path("build/recordings")
COMES_WITH = "recordings"
"""The folder of the recording that comes with the course, in its checkout."""

CELL_LIMIT_S = 1800
"""Seconds that one cell may take: what is recorded once may take long on a busy machine."""

BASES = ("node:20-alpine", "golang:1.22-alpine")


def record(
    where: Shelf, numbers: Sequence[str], *, output: Path = FOLDER, force: bool = False, say: Callable[[str], None]
) -> int:
    """Run solutions on the engine and write a recording of its answers; each is played back before it is kept.

    Args:
        where: The notebooks.
        numbers: Which of them, by number; for none those that the recording lacks, has of another version, or
            cannot play.
        output: The recording's folder.
        force: Record all of them, over a recording of another engine or version of the course too.
        say: Called with a sentence for each notebook.

    Returns:
        0 when all ran, else 1; a notebook that failed is left as it was in the recording.

    Raises:
        InputError: There is a recording of another engine or version of the course, or recorded mode is on.
        EngineUnavailable: No engine answers.
    """
    from dmhelpers.engine import bases

    if session.player() is not None:
        raise InputError("Recorded mode has no engine to record.", hint="Unset DMHELPERS_ENGINE, then record again.")
    recording = Recording(output.absolute())
    made = _manifest()
    kept = _kept(recording, made, force=force)
    names = where.written(numbers) if numbers or force else _wanting(where, recording, kept, say)
    if names:
        bases.ensure_many(BASES, progress=say)  # in the person's own ledger, not in one that goes with the recording
    recording.write_manifest(kept)
    failed = [name for name in names if not _record_one(where, name, recording, say)]
    recording.drop_unused()
    return 1 if failed else 0


def code_digest(notebook: Path) -> str:
    """Return a digest of a notebook's code: a recording answers what it asks. Outputs and words do not count."""
    cells = [source(one) for one in read(notebook)["cells"] if one["cell_type"] == "code"]
    return hashlib.sha256("\n\f".join(cells).encode()).hexdigest()[:16]


def stale(where: Shelf, manifest: Manifest) -> tuple[str, ...]:
    """Return the names of the solutions that a recording lacks, or has of another version."""
    kept = {name: one.get("code") for name, one in manifest.notebooks.items()}
    return tuple(name for name in where.written() if kept.get(name) != code_digest(where.solution(name)))


def what_is_stale() -> str:
    """Return, in recorded mode, a sentence on the notebooks that the recording does not fit; ``""`` where all do."""
    replay = session.player()
    root = checkout()
    if replay is None or root is None:
        return ""
    where = Shelf(root / "notebooks")
    names = stale(where, replay.manifest)
    if replay.notebook in where.written():
        names = tuple(one for one in names if one == replay.notebook)
    if not names:
        return ""
    numbers = ", ".join(name[:2] for name in names)
    return (
        f"The recording is of another version of notebook {numbers}: some of what they ask will not be in it. "
        "Record it anew where an engine runs: dmhelpers record"
    )


def _manifest() -> Manifest:
    import dmhelpers
    from dmhelpers.engine.client import api
    from dmhelpers.engine.info import engine_info

    engine = engine_info()
    return Manifest(
        created=_now(),
        engine=engine.version,
        store=engine.store,
        platform=engine.platform,
        api_version=str(api().api_version),
        version=dmhelpers.__version__,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _kept(recording: Recording, made: Manifest, *, force: bool) -> Manifest:
    """Return the manifest to go on with: the recording's own where it is of this engine and version.

    Else, with `force`, the recording is emptied: none is of two engines.
    """
    if not (recording.folder / "manifest.json").is_file():
        return made
    try:
        there = recording.manifest
    except InputError:
        if not force:
            raise
    else:
        if replace(there, created="", notebooks={}) == replace(made, created="", notebooks={}):
            return there
        if not force:
            raise InputError(
                f"{recording.folder.name!r} holds a recording of another version of the course or engine, "
                f"{there.sentence()}.",
                hint="Give another folder with --output DIR, or record all of it anew with --force.",
            )
    recording.clear()
    return made


def _wanting(where: Shelf, recording: Recording, kept: Manifest, say: Callable[[str], None]) -> tuple[str, ...]:
    old = set(stale(where, kept))
    names = []
    for name in where.written():
        why = "not recorded in this version" if name in old else _unplayable(where, name, recording)
        say(f"{name}: {why or 'recorded already'}")
        names += [name] if why else []
    return tuple(names)


def replayed(notebook: Path, name: str, recording: Path) -> Run:
    """Run a notebook in recorded mode, in a fresh kernel that reaches neither an engine nor a `docker` command.

    Args:
        notebook: The notebook.
        name: Under which name it was recorded.
        recording: The recording's folder or archive.
    """
    with tempfile.TemporaryDirectory(prefix="dmhelpers-replay-") as nothing:
        environment = {session.MODE: "recorded", session.FOLDER: str(recording.absolute()), session.NOTEBOOK: name}
        environment |= {"DOCKER_HOST": "unix:///nonexistent", "PATH": nothing, "DMHELPERS_HOME": nothing}
        return run(notebook, go_on=True, environment=environment)


def _unplayable(where: Shelf, name: str, recording: Recording) -> str:
    """Return why a notebook cannot be played from a recording, ``""`` where it can."""
    done = replayed(where.solution(name), name, recording.folder)
    if done.failures:
        return f"cannot be played: {_last_line(done.failures[0].error)}"
    # A cell that catches the course's errors and tells them does not fail of one.
    unasked = [one["id"] for one in done.notebook["cells"] if NOT_ASKED in json.dumps(one.get("outputs", ()))]
    return f"cannot be played: cell {unasked[0]} asks what was not asked before" if unasked else ""


def _last_line(error: str) -> str:
    plain = re.sub("\x1b\\[[0-9;]*m", "", error).strip().splitlines()
    return next((one for one in plain if re.match(r"[A-Z]\w+: ", one)), plain[-1] if plain else "")


def _record_one(where: Shelf, name: str, recording: Recording, say: Callable[[str], None]) -> bool:
    from dmhelpers.engine.places import STATE
    from dmhelpers.units import seconds

    with tempfile.TemporaryDirectory(prefix="dmhelpers-record-") as scratch:
        aside = Recording(Path(scratch) / "recording")
        state = Path(scratch) / "state"
        environment = {session.RECORD: str(aside.folder), session.NOTEBOOK: name, STATE: str(state)}
        try:
            done = run(where.solution(name), environment=environment, cell_limit_s=CELL_LIMIT_S)
        finally:
            _tidy(environment)
        why = _last_line(done.failures[0].error) if done.failures else ""
        why = why or ("" if aside.notebooks() else "its kernel kept nothing")
        if not why:
            aside.write_manifest(recording.manifest)
            why = _unplayable(where, name, aside)
        if why:
            say(f"{name}: failed after {seconds(done.duration_s)} and is not recorded: {why}")
            return False
        (aside.folder / "manifest.json").unlink()
        shutil.copytree(aside.folder, recording.folder, dirs_exist_ok=True)
    code = code_digest(where.solution(name))
    recording.write_manifest(recording.manifest.with_notebook(name, created=_now(), code=code))
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
