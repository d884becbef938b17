"""A place in a picture, for the pictures that are laid out here: the stage graph and the treemap."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place in a picture, in pixels from the top left corner of both."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Where it ends."""
        return self.y + self.height

    @property
    def area(self) -> float:
        """Its area."""
        return self.width * self.height

    def overlaps(self, other: Rectangle) -> bool:
        """Return whether the two have more than an edge in common."""
        across = self.x < other.right and other.x < self.right
        return across and self.y < other.bottom and other.y < self.bottom
