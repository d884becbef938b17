"""A fresh code for who lost their card: the old one ends, nobody else's changes."""

from __future__ import annotations

import pytest

from dmhelpers.cli import main
from dmhelpers.workshop import cards
from dmhelpers.workshop.learner import Visitor

pytestmark = [pytest.mark.engine, pytest.mark.private_engine, pytest.mark.one_store]


def test_a_fresh_code_lets_in_and_the_old_one_no_longer(room, capsys):
    """Who asks by their name gets a code that works at once; the old code is refused, the others' work on."""
    lost = Visitor(room.workshop.url, "cid", room.cid.code)
    assert main(["workshop", "card", "--name", room.workshop.name, "Cid"]) == 0
    login, code = capsys.readouterr().out.split()[:2]
    assert (login, lost.log_in()) == ("cid", 403)
    assert Visitor(room.workshop.url, "cid", code).log_in() == 200
    assert Visitor(room.workshop.url, "ben", room.ben.code).log_in() == 200
    assert code in cards.file_of(room.workshop).read_text(encoding="utf-8")
    room.seat_answers(room.cid)


def test_nobody_gets_a_code_who_is_not_on_the_roster(room, capsys):
    """A name that is not on the roster is an error that says who is, and no card is written."""
    before = cards.files_of(room.workshop), room.workshop.roster_file.read_bytes()
    assert main(["workshop", "card", "--name", room.workshop.name, "Zed"]) == 1
    assert "ann, ben, cid" in capsys.readouterr().err
    assert (cards.files_of(room.workshop), room.workshop.roster_file.read_bytes()) == before
