"""Where a workshop's cards stand until they are printed: the one place with codes in plain text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dmhelpers.workshop.roster import Card
from dmhelpers.workshop.settings import Workshop
from dmhelpers.workshop.view.cards import cards as page


def file_of(workshop: Workshop) -> Path:
    """Return where a workshop's cards stand until you delete them."""
    return workshop.folder / "cards.html"


def write(workshop: Workshop, cards: Iterable[Card]) -> None:
    """Write the cards as a page to print, readable by their owner only."""
    path = file_of(workshop)
    path.touch(mode=0o600)
    path.write_text(page(tuple(cards), url=workshop.url), encoding="utf-8")
