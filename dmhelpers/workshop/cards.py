"""Where a workshop's cards stand until they are printed: the one place with codes in plain text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dmhelpers.errors import InputError
from dmhelpers.workshop import roster
from dmhelpers.workshop.roster import Card
from dmhelpers.workshop.settings import Workshop
from dmhelpers.workshop.view.cards import cards as page


def files_of(workshop: Workshop) -> tuple[Path, ...]:
    """Return the files of cards that were not deleted yet: one for each `up` that made some, oldest first."""
    return tuple(sorted(workshop.folder.glob("cards-*.html")))


def file_of(workshop: Workshop) -> Path:
    """Return the newest file of cards, or where the first will be."""
    return files_of(workshop)[-1] if files_of(workshop) else workshop.folder / "cards-01.html"


def write(workshop: Workshop, cards: Iterable[Card]) -> Path:
    """Write the cards as a page to print, readable by their owner only, and return it; earlier ones stay."""
    before = files_of(workshop)
    number = int(before[-1].stem.removeprefix("cards-")) + 1 if before else 1
    path = workshop.folder / f"cards-{number:02d}.html"
    path.touch(mode=0o600)
    path.write_text(page(tuple(cards), url=workshop.shown_url), encoding="utf-8")
    return path


def renew(workshop: Workshop, person: str) -> Card:
    """Give somebody a fresh code in place of the one they had, and write their card; their work stays as it is.

    Args:
        workshop: The workshop.
        person: Their login, or their name as the roster has it.

    Raises:
        InputError: Nobody of that name is on the roster; nothing was changed.
    """
    people = roster.load(workshop.roster_file)
    login = roster.login_of(person)
    if login not in people:
        raise InputError(
            f"Nobody on the roster is called {person!r}.",
            hint=f"On it are: {', '.join(people)}. Who is new goes into the file that `workshop up --roster` reads.",
        )
    [fresh], [card] = roster.enrol([people[login].name], instructor=people[login].instructor)
    roster.save(workshop.roster_file, {**people, login: fresh}.values())
    write(workshop, [card])
    return card
