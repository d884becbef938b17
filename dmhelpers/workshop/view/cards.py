"""The cards that learners find at their seats: address, name, code, on A4 with cut marks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Protocol

COLUMNS, ROWS = 2, 4
_LEFT_MM, _TOP_MM, _WIDTH_MM, _HEIGHT_MM = 15.0, 16.5, 90.0, 66.0
_MARK_MM, _GAP_MM = 5.0, 2.0


class Entry(Protocol):
    """What a card says of a learner: who it is for, what they type, and their code."""

    @property
    def name(self) -> str:
        """The name as the roster has it."""

    @property
    def login(self) -> str:
        """The name that is typed."""

    @property
    def code(self) -> str:
        """The code, in plain text."""


def cards(entries: Iterable[Entry], *, url: str, title: str = "Docker multi-stage builds", network: str = "") -> str:
    """Return a page of HTML with a card for each learner, eight on a sheet of A4, in the order given.

    It loads nothing, so it prints the same from a stick. It holds codes in plain text: keep it where only you can
    read it, and delete it when the cards are cut.

    Args:
        entries: The learners.
        url: The address that they open.
        title: The workshop's name.
        network: What the room's wireless network is called; left out where empty.
    """
    made = [_card(one, url, title, network) for one in entries]
    each = COLUMNS * ROWS
    sheets = "\n".join(
        f'<section class="sheet">{_marks()}{"".join(made[at : at + each])}</section>'
        for at in range(0, len(made), each)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Cards: {html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<p class="screen">Print on A4, at 100 %, without the browser's headers; cut along the marks. The codes stand here in
plain text: delete this file afterwards.</p>
{sheets}
</body>
</html>
"""


def _card(entry: Entry, url: str, title: str, network: str) -> str:
    rows: Sequence[tuple[str, str]] = [
        ("Network", network),
        ("Open", url),
        ("Name", entry.login),
        ("Code", entry.code),
    ]
    lines = "".join(
        f'<dt>{label}</dt><dd class="{label.lower()}">{html.escape(value)}</dd>' for label, value in rows if value
    )
    return f"""
<article class="card">
<h2>{html.escape(entry.name)}</h2>
<p>{html.escape(title)}</p>
<dl>{lines}</dl>
<p class="small">Your place is yours alone: you cannot break anything. The instructor sees which checks you passed,
without your name unless you say so: <code>dm.sharing()</code>. Stuck? Show the card's back.</p>
</article>"""


def _marks() -> str:
    """Return the cut marks: short lines outside the cards, where each cut begins and ends, in millimetres."""
    right, bottom = _LEFT_MM + COLUMNS * _WIDTH_MM, _TOP_MM + ROWS * _HEIGHT_MM
    lines = []
    for at in (_LEFT_MM + column * _WIDTH_MM for column in range(COLUMNS + 1)):
        lines += [(at, begin, at, begin + _MARK_MM) for begin in (_TOP_MM - _GAP_MM - _MARK_MM, bottom + _GAP_MM)]
    for at in (_TOP_MM + row * _HEIGHT_MM for row in range(ROWS + 1)):
        lines += [(begin, at, begin + _MARK_MM, at) for begin in (_LEFT_MM - _GAP_MM - _MARK_MM, right + _GAP_MM)]
    drawn = "".join(f'<path d="M{a:g} {b:g}L{c:g} {d:g}"/>' for a, b, c, d in lines)
    return f'<svg class="marks" viewBox="0 0 210 297" aria-hidden="true">{drawn}</svg>'


_STYLE = f"""
@page {{ size: A4; margin: 0; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; color: #000; background: #fff; font: 10pt/1.3 system-ui, sans-serif; }}
.screen {{ margin: 5mm; max-width: 200mm; }}
.sheet {{ position: relative; width: 210mm; height: 297mm; padding: {_TOP_MM}mm {_LEFT_MM}mm; overflow: hidden;
  display: grid; grid-template: repeat({ROWS}, {_HEIGHT_MM}mm) / repeat({COLUMNS}, {_WIDTH_MM}mm);
  break-after: page; }}
.sheet:last-child {{ break-after: auto; }}
.marks {{ position: absolute; inset: 0; width: 210mm; height: 297mm; stroke: #000; stroke-width: 0.2; fill: none; }}
.card {{ padding: 3.5mm 5mm; overflow: hidden; display: flex; flex-direction: column; }}
h2 {{ margin: 0; font-size: 12pt; line-height: 1.1; overflow-wrap: anywhere; overflow: hidden; flex-shrink: 0;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; }}
p {{ margin: 0; font-size: 9pt; }}
dl {{ margin: 1.5mm 0 auto; display: grid; grid-template-columns: max-content 1fr; gap: .5mm 3mm;
  align-items: baseline; }}
dd {{ margin: 0; font: 700 10pt/1.15 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }}
dd.code {{ font-size: 13pt; }}
.card .small {{ font-size: 7pt; margin-top: 1mm; }}
@media screen {{ .sheet {{ margin: 5mm; outline: 1px solid #bbb; }} }}
@media print {{ .screen {{ display: none; }} }}
"""
