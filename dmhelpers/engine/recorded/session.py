"""Whether this process records an engine's answers, answers from a recording, or, as a rule, neither."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dmhelpers.engine.recorded.recording import Recorder
    from dmhelpers.engine.recorded.replaying import Player

MODE = "DMHELPERS_ENGINE"
FOLDER = "DMHELPERS_RECORDING"
RECORD = "DMHELPERS_RECORD"
"""The environment variable with which `dmhelpers record` tells a notebook's kernel where to keep the answers."""

NOTEBOOK = "DMHELPERS_NOTEBOOK"

_PLACES = ("build/recordings", "dmhelpers-recording.zip", "recordings")
"""Where a recording is looked for: a person's own before the one that comes with the course."""


_announced: list[Player] = []


def player() -> Player | None:
    """Return what answers in the engine's place; None where the engine itself is asked.

    Raises:
        InputError: `DMHELPERS_ENGINE` is set to something that means nothing; or there is no recording.
    """
    mode = os.environ.get(MODE, "")
    if not mode:
        return None
    if mode != "recorded":
        from dmhelpers.errors import InputError

        raise InputError(
            f"{MODE} is {mode!r}, which means nothing.",
            hint=f"Set {MODE}=recorded to read the course without an engine, or unset it to use yours.",
        )
    made = _player(os.environ.get(FOLDER, ""))
    _announce(made)
    return made


def recorder(*, anyhow: bool = False) -> Recorder | None:
    """Return what keeps the answers; None where nothing is recorded, or nothing at this moment.

    Args:
        anyhow: Whether the question is to be kept even inside of another one: the course asks some things once
            and remembers the answer.
    """
    folder = os.environ.get(RECORD)
    if not folder or os.environ.get(MODE) == "recorded":
        return None
    found = _recorder(folder, os.environ.get(NOTEBOOK, "notebook"), os.getpid())
    return None if found.paused and not anyhow else found


def exchange(kind: str, request: Any, ask: Callable[[], Any]) -> Any:
    """Ask the engine by `ask`, or the recording; the answer is plain JSON.

    Args:
        kind: What sort of question it is.
        request: The question, as plain JSON.
        ask: Asks the engine; what it asks on the way is not recorded by itself.

    Raises:
        NotRecorded: In recorded mode, nobody asked this when the recording was made.
    """
    from dmhelpers.engine.recorded.requests import as_text

    replay = player()
    if replay is not None:
        return replay.answer(kind, as_text(request))
    keep = recorder()
    if keep is None:
        return ask()
    begun = time.monotonic()
    with paused():
        answer = ask()
    keep.note(kind, as_text(request), answer, time.monotonic() - begun)
    return answer


@contextmanager
def paused() -> Iterator[None]:
    """Record nothing inside the block."""
    keep = recorder()
    if keep is None:
        yield
        return
    keep.paused = True
    try:
        yield
    finally:
        keep.paused = False


def clock_s() -> float:
    """Return a clock's seconds; in recorded mode only what the engine took then makes time pass."""
    replay = player()
    return time.monotonic() if replay is None else replay.passed_s


def forget() -> None:
    """Begin anew: with the environment as it is now."""
    _player.cache_clear()
    _announced.clear()
    _recorder.cache_clear()


def recording_folder() -> Path:
    """Return the recording's folder.

    That is `DMHELPERS_RECORDING`, a folder or a zip archive, else one of `_PLACES` in this folder, in one above
    it, or in the course's own.
    """
    named = os.environ.get(FOLDER)
    if named:
        return Path(named).expanduser().absolute()
    here = Path.cwd()
    course = Path(__file__).resolve().parents[3]
    near = [one / place for one in (here, *here.parents, course) for place in _PLACES]
    found = (one for one in near if one.is_file() or (one / "manifest.json").is_file())
    return next(found, here / _PLACES[-1])


@functools.lru_cache(maxsize=1)
def _player(_: str) -> Player:
    from dmhelpers.engine.recorded.replaying import Player
    from dmhelpers.engine.recorded.store import Recording

    return Player(Recording(recording_folder()), os.environ.get(NOTEBOOK) or os.environ.get("JPY_SESSION_NAME", ""))


def _announce(made: Player) -> None:
    """Say once, above the first thing that comes from the recording, what it is of."""
    if any(one is made for one in _announced):
        return
    _announced.append(made)
    from dmhelpers.engine.recorded import cell_marks

    print(made.banner)  # noqa: T201  a notebook's cell shows it
    cell_marks.watch()


@functools.lru_cache(maxsize=1)
def _recorder(folder: str, notebook: str, process_id: int) -> Recorder:  # noqa: ARG001  a fork records nothing
    from dmhelpers.engine.recorded.recording import Recorder
    from dmhelpers.engine.recorded.store import Recording

    return Recorder(Recording(Path(folder)), notebook)
