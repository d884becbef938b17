"""The cards that learners are handed: a page to print, which is the one place where codes stand in plain text."""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path

from dmhelpers.workshop.roster import Card
from dmhelpers.workshop.settings import Workshop

_STYLE = """
body { font: 12pt sans-serif; margin: 1cm; display: grid; grid-template-columns: 1fr 1fr; gap: 5mm }
div { border: 1px dashed #555; padding: 5mm; break-inside: avoid }
b { font: 14pt monospace }
"""


def file_of(workshop: Workshop) -> Path:
    """Return where a workshop's cards stand until you delete them."""
    return workshop.folder / "cards.html"


def write(workshop: Workshop, cards: Iterable[Card]) -> None:
    """Write the cards as a page to print, two beside each other, readable by their owner only."""
    path = file_of(workshop)
    path.touch(mode=0o600)
    path.write_text(page(workshop.url, cards), encoding="utf-8")


def page(url: str, cards: Iterable[Card]) -> str:
    """Return the page with a card for each."""
    inner = "\n".join(
        f"<div><p>{html.escape(one.name)}</p><p>Open {html.escape(url)}</p>"
        f"<p>Name: <b>{html.escape(one.login)}</b></p><p>Code: <b>{html.escape(one.code)}</b></p></div>"
        for one in cards
    )
    head = f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Workshop cards</title><style>{_STYLE}</style>'
    return f"{head}\n<body>\n{inner}\n</body></html>\n"
