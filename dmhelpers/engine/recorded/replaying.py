"""Answering from a recording: each question by the next exchange of its form, from where the last build stands."""

from __future__ import annotations

import atexit
import bisect
import shutil
import tempfile
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

from dmhelpers.engine.recorded import cells, requests
from dmhelpers.engine.recorded.store import Exchange, Recording
from dmhelpers.errors import NotRecorded

STEERING = ("build", "create")
"""Kinds of exchange that change what stands on the engine: what is asked next is answered from after them."""

NOT_ASKED = "This was not asked when the course was "
"""How the words of a `NotRecorded` begin."""

BANNER = "Recorded mode: no engine runs here."


class Player:
    """Plays a recording.

    Args:
        recording: What to play.
        notebook: The notebook that asks, by its path or name; found out by its builds where it is ``""``.
    """

    def __init__(self, recording: Recording, notebook: str = "") -> None:
        self.recording = recording
        self.manifest = recording.manifest
        self.passed_s = 0.0
        self.asked = 0
        self.tags: dict[str, str] = {}
        self._lock = threading.RLock()
        self._known: dict[str, _Track] = {}
        self._state: Path | None = None
        self._done: list[tuple[str, str]] = []
        self._built: set[str] = set()
        self._cell: str | None = None
        self.notebook = Path(notebook).stem
        names = recording.notebooks()
        self._named = next((one for one in names if one == self.notebook), None)
        self._current = self._named or (names[0] if names else "")

    @property
    def created(self) -> str:
        """When the notebook that asks was recorded: an ISO date and time in UTC."""
        return self.manifest.created_of(self._current)

    @property
    def sentence(self) -> str:
        """What stands on everything that comes from it."""
        return self.manifest.sentence(self._current)

    @property
    def banner(self) -> str:
        """What is said once, before anything else."""
        return f"{BANNER} What you see was {self.sentence}; nothing is measured on this machine."

    @property
    def state_folder(self) -> Path:
        """A folder for this process's own state, which goes at its end."""
        if self._state is None:
            self._state = Path(tempfile.mkdtemp(prefix="dmhelpers-recorded-"))
            atexit.register(shutil.rmtree, self._state, ignore_errors=True)
        return self._state

    def answer(self, kind: str, request: str, *, asked: str = "") -> Any:
        """Return what the engine answered to this.

        Args:
            kind: What sort of question it is.
            request: The question, in the form that `requests` gives it.
            asked: The question as a person would put it, for the error.

        Raises:
            NotRecorded: Nobody asked this when the recording was made.
        """
        with self._lock:
            found = self._find(kind, request)
            if found is None:
                raise not_recorded(asked or f"{kind} {request}", self)
            self.asked += 1
            self.passed_s += found.duration_s
            return found.answer

    def document(self, name: str) -> bytes | None:
        """Return what was read of an image or layer, by the name of its document; None where nothing was."""
        with self._lock:
            for notebook in dict.fromkeys((self._current, *self.recording.notebooks())):
                found = self._track(notebook).at.get(("document", name))
                if found:
                    self.asked += 1
                    answer = self._track(notebook).exchanges[found[0]].answer
                    return self.recording.bytes_of(answer)
        return None

    def _find(self, kind: str, request: str) -> Exchange | None:
        if self._named is None:
            self._follow(cells.current())
        found = self._take(self._current, kind, request)
        if found is None and self._named is None:
            for one in self.recording.notebooks():
                if one != self._current and (kind, request) in self._track(one).at:
                    self._switch(one)
                    found = self._take(one, kind, request)
                    break
        if found is not None and kind in STEERING:
            self._done.append((kind, request))
        if found is not None and kind == "build":
            self._built.update(requests.tags_of(request))
        return found

    def is_unbuilt(self, image: str) -> bool:
        """Return whether an image is one that the notebook builds, and has not built so far.

        A learner who leaves an exercise open has no such image, whatever the solution had at this place.
        """
        name = requests.full_name(image)
        with self._lock:
            return name not in self._built and bool(self._current) and name in self._track(self._current).made

    def _follow(self, cell: str | None) -> None:
        """Go to the notebook that this cell stands in, if it stands in another one."""
        if cell is None or cell == self._cell:
            return
        self._cell = cell
        holding = [one for one in self.recording.notebooks() if ("cell", cell) in self._track(one).at]
        if holding and self._current not in holding:
            self._switch(holding[0])

    def _take(self, notebook: str, kind: str, request: str) -> Exchange | None:
        return self._track(notebook).take(kind, request, self.tags) if notebook else None

    def _switch(self, notebook: str) -> None:
        """Go on in another notebook's log, after the builds that both have."""
        self._current = notebook
        self.tags.clear()
        for kind, request in self._done:
            self._track(notebook).take(kind, request, {})

    def _track(self, notebook: str) -> _Track:
        if notebook not in self._known:
            self._known[notebook] = _Track(self.recording.read(notebook))
        return self._known[notebook]


class _Track:
    """One notebook's exchanges, and how far each question has come."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self.exchanges = exchanges
        self.at: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, one in enumerate(exchanges):
            self.at[one.kind, one.request].append(number)
        self.at.default_factory = None
        builds = (one.request for one in exchanges if one.kind == "build")
        self.made = {name for request in builds for name in requests.tags_of(request)}
        self._floor = -1
        self._next: dict[tuple[str, str], int] = {}

    def take(self, kind: str, request: str, tags: dict[str, str]) -> Exchange | None:
        key = (kind, request)
        fitting = [one for one in self.at.get(key, ()) if self._fits(one, tags)]
        if not fitting:
            return None
        following = bisect.bisect_left(fitting, self._next.get(key, self._floor + 1))
        chosen = fitting[min(following, len(fitting) - 1)]
        if kind in STEERING:
            # What is asked after a build, even one that was done before, is answered from there on.
            self._floor = chosen
            self._next.clear()
        self._next[key] = chosen + 1
        return self.exchanges[chosen]

    def _fits(self, number: int, tags: dict[str, str]) -> bool:
        meant = self.exchanges[number].images or {}
        return all(tags.get(name, image_id) == image_id for name, image_id in meant.items())


def not_recorded(asked: str, player: Player) -> NotRecorded:
    """Return the error for what is not in the recording."""
    what = asked if len(asked) <= 200 else f"{asked[:199]}…"
    return NotRecorded(
        f"{NOT_ASKED}{player.sentence}: {what}",
        hint="Run it on an engine (unset DMHELPERS_ENGINE, then: dmhelpers doctor), or record it there with: "
        "dmhelpers record",
    )
