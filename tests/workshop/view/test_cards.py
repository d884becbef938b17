"""The learners' cards: one each, whole, and readable without a network."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dmhelpers.workshop.view.cards import cards


@dataclass(frozen=True)
class Seat:
    """A learner as the roster gives one."""

    name: str
    login: str
    code: str


def test_one_card_each_in_order_and_eight_a_sheet():
    """Every learner has one card with address, name and code; nine learners fill a sheet and begin another."""
    page = cards([Seat(f"Name {at}", f"name-{at}", f"code-{at}x") for at in range(9)], url="http://10.0.0.1:8000/")
    assert re.findall(r"<h2>(.*?)</h2>", page) == [f"Name {at}" for at in range(9)]
    assert re.findall(r'<dd class="code">(.*?)</dd>', page) == [f"code-{at}x" for at in range(9)]
    assert [sheet.count("<article") for sheet in page.split('<section class="sheet">')[1:]] == [8, 1]
    assert page.count("http://10.0.0.1:8000/</dd>") == 9
    assert "Network" not in page


def test_cards_load_nothing_and_take_names_as_text():
    """There is no script and no address to load from, and a name that is markup is printed as it is written."""
    page = cards([Seat("<script>x</script>", "a&b", "<code>")], url="http://<host>", title="<b>", network="Room & 1")
    assert not re.search(r"<script|<link(?! rel=\"icon\")|@import|url\(|src=", page)
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "Room &amp; 1" in page


def test_no_learners_make_no_sheet():
    """An empty roster gives a page without a card."""
    assert "<section" not in cards([], url="http://x")
