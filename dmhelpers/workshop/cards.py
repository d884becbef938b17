"""Where a workshop's cards stand until they are printed: the one place with codes in plain text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dmhelpers.workshop.roster import Card
from dmhelpers.workshop.settings import Workshop
from dmhelpers.workshop.view.cards import cards as page


def files_of(workshop: Workshop) -> tuple[Path, ...]:
    """Return the files of cards that were not deleted yet: one for each `up` that made some, oldest first."""
    return tuple(sorted(workshop.folder.glob("cards-*.html")))


def file_of(workshop: Workshop) -> Path:
    """Return the newest file of cards, or where the first will be."""
    return files_of(workshop)[-1] if files_of(workshop) else workshop.folder / "cards-01.html"


def write(workshop: Workshop, cards: Iterable[Card]) -> None:
    """Write the cards as a page to print, readable by their owner only; those written before stay as they are."""
    before = files_of(workshop)
    number = int(before[-1].stem.removeprefix("cards-")) + 1 if before else 1
    path = workshop.folder / f"cards-{number:02d}.html"
    path.touch(mode=0o600)
    path.write_text(page(tuple(cards), url=workshop.url), encoding="utf-8")
