"""When the view of a build is shown: at most six times a second, on a thread of its own, however much it prints."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from dmhelpers.errors import DmHelpersError
from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.events import Event
from dmhelpers.measure.records import BuildRecord, Stage
from dmhelpers.show.live.model import LOG_LINES, LiveBuild
from dmhelpers.show.live.picture import to_html
from dmhelpers.show.live.words import to_text

PERIOD_S = 1 / 6
"""The shortest time between two pictures."""

IDLE_S = 1.0
"""After which time the seconds of a running step move on though nothing happened."""

Bundle = dict[str, str]


class Handle(Protocol):
    """What IPython's `display(…, display_id=True)` returns."""

    def update(self, obj: Any, **kwargs: Any) -> None:
        """Show something else in its place."""


class LiveView:
    """Shows a build while it runs. Give `listen` and `say` to what builds, and end it with `watching`.

    Nothing is shown before the first event, so a build that is refused leaves only its error.

    Args:
        plan: Reads the Dockerfile and returns it with the target; called once, when there is something to show.
        title: The image's name.
        show: Shows a bundle and returns its handle; IPython's display for None.
    """

    def __init__(
        self,
        plan: Callable[[], tuple[Dockerfile, Stage]],
        *,
        title: str,
        show: Callable[[Bundle], Handle] | None = None,
    ) -> None:
        self._plan, self._title, self._show = plan, title, show or _display
        self._model: LiveBuild | None = None
        self._handle: Handle | None = None
        self._shown: Bundle = {}
        self._news, self._over = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def listen(self, event: Event) -> None:
        """Take in one event of the build."""
        (self._model or self._started())(event)
        if not self._news.is_set():  # setting it takes a lock, and a step may print thousands of lines a second
            self._news.set()

    def say(self, sentence: str) -> None:
        """Take in a sentence about what is not a step."""
        self._started().say(sentence)
        self._news.set()

    @contextmanager
    def watching(self) -> Iterator[Callable[[BuildRecord], None]]:
        """Leave the view in its final state when the block ends: built, failed or cancelled.

        Gives a function to call with the record of a build that ended well.
        """
        try:
            yield self._succeed
        except DmHelpersError as error:
            if self._model is not None:
                self._model.fail(error)
            raise
        except BaseException:
            if self._model is not None:
                self._model.cancel()
            raise
        finally:
            self._stop()

    def _succeed(self, record: BuildRecord) -> None:
        self._started().succeed(record)

    def _started(self) -> LiveBuild:
        if self._model is None:
            dockerfile, target = self._plan()
            self._model = LiveBuild(dockerfile, target, title=self._title)
            self._shown = _bundle(self._model, log_rows=LOG_LINES)
            self._handle = self._show(self._shown)
            # The kernel finds the cell that an output belongs to in the context.
            run = contextvars.copy_context().run
            self._thread = threading.Thread(target=run, args=(self._keep_showing,), daemon=True)
            self._thread.start()
        return self._model

    def _keep_showing(self) -> None:
        while not self._over.wait(PERIOD_S):
            self._news.wait(IDLE_S - PERIOD_S)
            self._news.clear()
            if not self._over.is_set():
                self._draw(log_rows=LOG_LINES)

    def _stop(self) -> None:
        self._over.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()
            self._draw(log_rows=0)

    def _draw(self, *, log_rows: int) -> None:
        if self._model is None or self._handle is None:
            return
        bundle = _bundle(self._model, log_rows=log_rows)
        if bundle != self._shown:
            self._shown = bundle
            self._handle.update(bundle, raw=True)


def _bundle(model: LiveBuild, *, log_rows: int) -> Bundle:
    view = model.view()
    return {"text/html": to_html(view, log_rows=log_rows), "text/plain": to_text(view)}


def _display(bundle: Bundle) -> Handle:
    from IPython.display import display

    handle: Handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
    return handle
