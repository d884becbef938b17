"""Keeping an engine's answers, in order, without what is nobody else's business."""

from __future__ import annotations

import atexit
import threading
from datetime import UTC, datetime
from typing import Any

from dmhelpers.engine.recorded import cells
from dmhelpers.engine.recorded.privacy import Hider
from dmhelpers.engine.recorded.store import Exchange, Recording


class Recorder:
    """Records one notebook's exchanges; they are written when this process ends.

    Args:
        recording: Where to.
        notebook: The notebook's name.
    """

    def __init__(self, recording: Recording, notebook: str) -> None:
        self.recording = recording
        self.notebook = notebook
        self.paused = False
        self.begun = datetime.now(UTC)
        self.tags: dict[str, str] = {}
        self.hider = Hider.of_this_machine()
        self._exchanges: list[Exchange] = []
        self._documents: set[str] = set()
        self._cell: str | None = None
        self._lock = threading.Lock()
        atexit.register(self.write)

    def note(
        self, kind: str, request: str, answer: Any, duration_s: float, images: dict[str, str] | None = None
    ) -> None:
        """Keep one exchange; `answer` is plain JSON."""
        hidden = self.hider.hide_json(answer)
        made = Exchange(kind, self.hider.hide(request), hidden, round(duration_s, 3), images)
        cell = cells.current()
        with self._lock:
            if cell is not None and cell != self._cell:
                self._cell = cell
                self._exchanges.append(Exchange("cell", cell, None))
            self._exchanges.append(made)

    def keep(self, data: bytes) -> Any:
        """Return what stands for these bytes in an answer."""
        return self.recording.keep(self.hider.hide_bytes(data))

    def keep_document(self, name: str, data: bytes) -> None:
        """Keep what was read of an image or layer, once."""
        with self._lock:
            if name in self._documents:
                return
            self._documents.add(name)
        self.note("document", name, self.keep(data), 0.0)

    def write(self) -> None:
        """Write what was recorded so far."""
        with self._lock:
            self.recording.write(self.notebook, self._exchanges)
