"""Progress: one plain file, whole at any moment, shared by notebooks, and never the learner's loss."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from unittest.mock import ANY

import pytest

from dmhelpers.course import kept
from dmhelpers.course.checks import exercises
from dmhelpers.course.progress import Record, note_check, note_guesses, progress, progress_file, records
from dmhelpers.errors import InputError


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Give each test an empty workspace of its own."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


def test_every_exercise_has_a_row_before_anything_was_done(workspace):
    """The table lists all exercises in order, and reading it writes nothing."""
    table = progress()
    assert list(table.columns) == ["exercise", "notebook", "done", "tries"]
    assert list(table["exercise"]) == [one.number for one in exercises()]
    assert not table["done"].any()
    assert table["tries"].sum() == 0
    assert str(table["tries"].dtype) == "int64"
    assert str(table["done"].dtype) == "bool"
    assert not workspace.exists()


def test_tries_are_counted_and_done_stays_done():
    """Each check counts; an image that was cleaned up later does not take away what was done."""
    note_check("03-a", done=False)
    note_check("03-a", done=True)
    note_check("03-a", done=False)
    row = progress().set_index("exercise").loc["03-a"]
    assert (row["done"], row["tries"]) == (True, 3)


def test_the_file_is_plain_and_holds_guesses_too():
    """Guesses and exercises stand in one JSON file and do not overwrite each other."""
    note_check("01-a", done=True)
    note_guesses("05-size", {"single": "450MB"})
    note_check("01-b", done=False)
    now = {"first_try": ANY}
    assert json.loads(progress_file().read_text()) == {
        "exercises": {
            "01-a": {"done": True, "tries": 1, "done_at": ANY, **now},
            "01-b": {"done": False, "tries": 1, **now},
        },
        "guesses": {"05-size": {"single": "450MB"}},
    }
    assert [one.name for one in progress_file().parent.iterdir()] == ["progress.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"exercises": 3}', '{"exercises": {"01-a": 5}}'])
def test_a_damaged_file_is_put_aside_and_not_lost(content):
    """What cannot be read is kept beside the new file; what is JSON of another form is passed over."""
    progress_file().parent.mkdir(parents=True)
    progress_file().write_text(content)
    assert records() == {}
    note_check("01-a", done=True)
    assert records()["01-a"].done
    aside = list(progress_file().parent.glob("progress-unreadable-*.json"))
    assert [one.read_text() for one in aside] == ([content] if not content.startswith('{"') else [])


def test_notebooks_that_write_at_once_lose_nothing():
    """Checks counted by several processes at the same time are all counted, as long as each waits for its turn."""
    code = """
from dmhelpers.course import kept
from dmhelpers.course.progress import note_check
kept._LOCK_WAIT_S = kept._LOCK_AGE_S = 300
for _ in range(25): note_check('01-a', done=False)
"""
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [one.wait(timeout=300) for one in running] == [0, 0, 0]
    assert records()["01-a"].tries == 75


def test_a_lock_that_somebody_left_is_taken_over():
    """A killed notebook's lock stops nobody."""
    note_check("01-a", done=False)
    lock = progress_file().with_suffix(".lock")
    lock.touch()
    os.utime(lock, (time.time() - 60, time.time() - 60))
    note_check("01-a", done=False)
    assert records()["01-a"].tries == 2
    assert not lock.exists()


def test_a_lock_that_stays_is_not_waited_for_long(monkeypatch):
    """A fresh lock is waited for, but not for ever."""
    monkeypatch.setattr(kept, "_LOCK_WAIT_S", 0.1)
    progress_file().parent.mkdir(parents=True)
    progress_file().with_suffix(".lock").touch()
    note_check("01-a", done=True)
    assert records()["01-a"].done


def test_a_workspace_that_cannot_be_written_to_is_an_error_with_its_cure(tmp_path, monkeypatch):
    """Where nothing can be kept, the error names the place and the variable that moves it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot be kept") as caught:
        note_check("01-a", done=True)
    assert "DMHELPERS_WORKSPACE" in caught.value.hint


def test_the_first_try_and_the_first_pass_are_dated():
    """When an exercise was first tried and when it first passed is kept; later checks change neither."""
    note_check("03-a", done=False)
    tried = records()["03-a"]
    assert (tried.first_try is not None, tried.done_at) == (True, None)
    passed = note_check("03-a", done=True)
    assert passed.first_try == tried.first_try
    assert passed.done_at >= passed.first_try
    content = json.loads(progress_file().read_text())
    content["exercises"]["03-a"]["done_at"] = "2026-01-02T03:04:05+00:00"
    progress_file().write_text(json.dumps(content))
    assert note_check("03-a", done=False).done_at.year == 2026


def test_a_file_from_before_dates_were_kept_goes_on():
    """An older file's exercises have no dates, and get none that would be untrue."""
    progress_file().parent.mkdir(parents=True)
    progress_file().write_text(
        '{"exercises": {"03-a": {"done": true, "tries": 2}, "03-b": {"done": false, "tries": 2}}}'
    )
    assert note_check("03-a", done=True) == Record(True, 3)
    now_done = note_check("03-b", done=True)
    assert (now_done.first_try, now_done.done_at is not None) == (None, True)
