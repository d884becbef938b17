"""The rows of the learners: one each, kept through restarts, forgotten when asked."""

from __future__ import annotations

import pytest

from dmhelpers.errors import InputError
from dmhelpers.workshop.view.reports import Check, Report
from dmhelpers.workshop.view.store import Store

EMPTY = Report(False, {}, {})
SOME = Report(True, {"03_builder": 5.0}, {"03-a": Check(True, 2, 6.0, 7.0), "03-b": Check(False, 1)})


def test_a_restart_loses_nothing(tmp_path):
    """What was put into one store is read from the next one on the same file, whole."""
    path = tmp_path / "new" / "progress.sqlite"
    Store(path).put("ada", SOME, now=10.0)
    (found,) = Store(path).learners()
    assert (found.name, found.seen_at, found.report, found.label) == ("ada", 10.0, SOME, "ada")
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_learner_has_one_row_and_keeps_the_number(tmp_path):
    """Later reports take the place of the first, so the file cannot grow beyond the roster."""
    store = Store(tmp_path / "progress.sqlite")
    for now in range(300):
        assert store.put("ada", EMPTY, now=now).label == "Learner 1"
        assert store.put("ben", EMPTY, now=now).label == "Learner 2"
    assert [(one.number, one.name, one.seen_at) for one in store.learners()] == [(1, "ada", 299), (2, "ben", 299)]
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) < 6_000_000


def test_who_is_removed_leaves_no_trace_and_no_number(tmp_path):
    """A removed learner's name is in no file any more, and the number goes to nobody else."""
    store = Store(tmp_path / "progress.sqlite")
    store.put("ada-lovelace", SOME, now=1.0)
    store.remove("ada-lovelace")
    store.remove("nobody")
    assert store.learners() == ()
    assert not any(b"ada-lovelace" in one.read_bytes() for one in tmp_path.iterdir())
    assert store.put("ben", EMPTY, now=2.0).number == 2
    store.clear()
    assert store.put("eve", EMPTY, now=3.0).number == 1


def test_names_are_data(tmp_path):
    """A name is never part of a command to the file."""
    store = Store(tmp_path / "progress.sqlite")
    name = "x'); DROP TABLE learners; --"
    store.put(name, EMPTY, now=1.0)
    assert [one.name for one in store.learners()] == [name]


def test_a_file_that_is_none_is_said_and_kept(tmp_path):
    """A damaged file is refused with what to do, and not written over."""
    path = tmp_path / "progress.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match="--state"):
        Store(path)
    assert path.read_bytes().startswith(b"no database")
