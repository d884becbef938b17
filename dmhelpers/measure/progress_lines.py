"""A build's progress as plain lines: one when a step starts, one when it ends."""

from __future__ import annotations

from collections.abc import Callable

from dmhelpers.measure.events import Event, Vertex, VertexChanged
from dmhelpers.units import seconds

_BEGUN = "…"
_ENDED = ("done", "cached", "failed")


class LinePrinter:
    """A listener that prints a line a step.

    Args:
        say: What is called with each line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        """Print the line that this event is worth, if any."""
        if isinstance(event, VertexChanged) and not event.vertex.name.startswith("[internal]"):
            vertex = event.vertex
            said, state = self._said.get(vertex.digest, ""), _state(vertex)
            # A step that starts is worth a line if it may take a while; one that ended has been told.
            if state and state != said and said not in _ENDED and (state != _BEGUN or "RUN " in vertex.name):
                self._said[vertex.digest] = state
                self._print(vertex, state)

    def _print(self, vertex: Vertex, state: str) -> None:
        took = f" {seconds(vertex.duration_s)}" if state == "done" else ""
        name = vertex.name if len(vertex.name) <= 90 else vertex.name[:89] + "…"
        self._say(f"  {state + took:<12} {name}")


def _state(vertex: Vertex) -> str:
    if vertex.cached:
        return "cached"
    if vertex.error:
        return "failed"
    if vertex.done:
        return "done"
    return _BEGUN if vertex.started else ""
