"""What an open page is told: what changed since, and nothing where nothing did."""

from __future__ import annotations

import re

import pytest

from dmhelpers.workshop.view.board import Board
from dmhelpers.workshop.view.grid import Limits
from dmhelpers.workshop.view.reports import Check, Report
from dmhelpers.workshop.view.store import Store

NOW = 10_000.0


class Watched:
    """A board, its store, and a clock that a test sets."""

    def __init__(self, folder):
        self.now = NOW
        self.store = Store(folder / "progress.sqlite")
        self.board = Board(self.store, Limits(), clock=lambda: self.now)

    def reports(self, name, *, opened=("01_core_concept",), **checks):
        """Have a learner report, with checks given as `c01a=Check(…)`."""
        found = {f"{key[1:3]}-{key[3]}": one for key, one in checks.items()}
        self.store.put(name, Report(False, dict.fromkeys(opened, NOW), found), now=self.now)

    def asks(self, since="", *, everything=False):
        """Return the rows' numbers of an answer, whether it is a part, and its version; None for no answer."""
        text = self.board.table(everything=everything, since=since)
        if text is None:
            return None
        rows = [int(one) for one in re.findall(r'data-learner="(\d+)"', text)]
        return rows, "data-part" in text, "".join(re.findall(r'data-version="([^"]+)"', text))


@pytest.fixture
def room(tmp_path):
    """Give a board with two learners in notebook 01."""
    made = Watched(tmp_path)
    made.reports("ada", c01a=Check(False, 1, NOW))
    made.reports("ben")
    return made


def test_a_page_without_a_version_gets_everything_and_then_nothing(room):
    """The first answer has all rows; to its version there is none until something changes."""
    rows, part, version = room.asks()
    assert (rows, part) == ([1, 2], False)
    assert room.asks(version) is None


def test_only_what_changed_is_told(room):
    """Who reported since, and who is new, are in the answer; an older page gets what it missed as well."""
    first = room.asks()[2]
    room.reports("ben", c01a=Check(True, 1, NOW, NOW))
    rows, part, second = room.asks(first)
    assert (rows, part) == ([2], True)
    room.reports("eve")
    assert room.asks(second)[:2] == ([3], True)
    assert room.asks(first)[:2] == ([2, 3], True)


def test_time_alone_changes_the_page(room):
    """Ten minutes after a first try the row is told anew, as stuck; the minutes of who is stuck are kept true."""
    version = room.asks()[2]
    room.now += 599
    assert room.asks(version) is None
    room.now += 1
    rows, part, stuck = room.asks(version)
    assert (rows, part) == ([1], True)
    assert "stuck" in room.board.table(everything=False, since=version)
    assert room.asks(stuck) is None
    room.now += 60
    assert room.asks(stuck)[:2] == ([], True)
    assert "1 try, 11 min since the first" in room.board.table(everything=False)


def test_a_new_column_or_a_row_that_is_gone_is_told_whole(room):
    """A page whose columns or rows are no longer those of the grid gets all of it."""
    version, all_columns = room.asks()[2], room.asks(everything=True)[2]
    room.reports("ben", opened=("01_core_concept", "02_typescript_api"))
    assert room.asks(version)[:2] == ([1, 2], False)
    assert room.asks(all_columns, everything=True)[:2] == ([2], True)
    version = room.asks()[2]
    room.store.remove("ada")
    assert room.asks(version)[:2] == ([2], False)


def test_after_everything_was_deleted_old_pages_are_told_whole(room):
    """Numbers that are given again after a clean sweep do not meet rows of before."""
    room.store.remove("ada")
    room.reports("eve")
    version = room.asks()[2]
    room.store.clear()
    for name in ("kim", "lee", "mia"):
        room.reports(name)
    assert room.asks(version)[:2] == ([1, 2, 3], False)
    room.store.clear()
    assert "Nobody has opened" in room.board.table(everything=False, since=version)


@pytest.mark.parametrize("version", ["x", "00000000.1", "{era}.", "{era}.99", "{era}.-1", "{era}.1e3", "\u0663" * 30])
def test_a_version_that_was_never_given_gets_everything(room, version):
    """A service that was started again, and whoever makes versions up, is answered whole."""
    era = room.asks()[2].partition(".")[0]
    assert room.asks(version.format(era=era))[:2] == ([1, 2], False)
