"""The scoreboard: a learner's own tries, kept in a plain file, bounded, and safe against a damaged one."""

from __future__ import annotations

import json

import pytest

from dmhelpers.course import checks, scores
from dmhelpers.course.checks import check
from dmhelpers.course.checks.records import Exercise, Weight
from dmhelpers.course.scores import KEPT, note_try, score, scores_file, tries
from dmhelpers.errors import InputError


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Give each test an empty workspace."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))


def note(image, size, *, passed=True, build_s=1.0, exercise="12-a"):
    """Keep one try."""
    return note_try(exercise, image=image, size_beyond_base_bytes=size, build_s=build_s, passed=passed)


def test_the_best_comes_first_and_the_others_are_told_their_distance():
    """Tries that passed come first, by size; one that failed is never the best, however small."""
    note("one", 500)
    note("two", 50, passed=False)
    note("three", 300)
    table = score("12-a")
    assert list(table["try"]) == [3, 1, 2]
    assert list(table["passed"]) == ["yes", "yes", "no"]
    assert list(table["behind_best_bytes"]) == [0, 200, -250]


def test_without_a_try_that_passed_there_is_no_best():
    """The distance is missing, not zero."""
    note("one", 500, passed=False)
    assert score("12-a")["behind_best_bytes"].isna().all()


def test_without_a_try_the_table_is_empty_and_has_its_columns():
    """Nothing tried yet is an empty table; each task has its own."""
    note("one", 500, exercise="12-b")
    assert len(score("12-a")) == 0
    assert list(score("12-a")) == ["try", "date", "passed", "beyond_base_bytes", "behind_best_bytes", "build_s"]
    assert len(score(" 12-B ")) == 1


def test_the_same_image_is_the_same_try():
    """A second check of an image adds no row, keeps its first build's seconds, and what passed stays passed."""
    note("one", 500, passed=False, build_s=20.0)
    note("one", 500, passed=True, build_s=0.3)
    note("one", 500, passed=False, build_s=0.3)
    assert [(one.build_s, one.passed) for one in tries("12-a")] == [(20.0, True)]


def test_only_so_many_tries_are_kept_and_the_best_among_them():
    """The latest stay, and the best one, however old."""
    note("best", 1)
    for number in range(KEPT + 10):
        note(f"{number}", 1000 + number)
    kept = tries("12-a")
    assert len(kept) == KEPT
    assert (kept[0].image, kept[-1].image) == ("best", f"{KEPT + 9}")


@pytest.mark.parametrize("content", ["", "{", "[]", "\udce4", '{"12-a": [{"at": 5}]}', '{"12-a": 5}', "[" * 100_000])
def test_a_file_that_cannot_be_read_is_put_aside(content):
    """The damaged file stays beside the new one, byte for byte."""
    scores_file().parent.mkdir(parents=True)
    damaged = content.encode("utf-8", "surrogateescape")
    scores_file().write_bytes(damaged)
    assert tries("12-a") == ()
    note("one", 500)
    aside = list(scores_file().parent.glob("scores-unreadable-*.json"))
    assert [one.read_bytes() for one in aside] == [damaged]
    assert len(tries("12-a")) == 1


@pytest.mark.parametrize("size", [1e400, True, "5", None, 2**63])
def test_a_try_with_an_impossible_size_is_not_shown(size):
    """What no size can be is left out of the table instead of breaking it."""
    note("one", 500)
    content = json.loads(scores_file().read_text())
    content["12-a"].append({**content["12-a"][0], "image": "two", "size_beyond_base_bytes": size})
    scores_file().write_text(json.dumps(content))
    assert len(score("12-a")) == 1


def test_a_workspace_that_cannot_be_written_to_is_said(tmp_path, monkeypatch):
    """The error names the file and the way out."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="Your tries cannot be kept"):
        note("one", 500)


@pytest.mark.parametrize("exercise", ["12-d", "05-a", ""])
def test_an_exercise_without_a_scoreboard_is_answered_with_those_that_have_one(exercise):
    """Only the challenge's tasks are scored."""
    with pytest.raises(InputError, match="No tries are kept"):
        score(exercise)


def test_a_check_notes_its_try(monkeypatch):
    """Passed or failed, a scored check that found an image keeps a try; one that found none keeps none."""

    def look(look):
        look.saw("an image")
        look.weigh(Weight("one", 500, 2.0))

    def nothing(look):
        look.lacks("an image")

    for one in (look, nothing):
        made = Exercise("12-a", "12_test", "A test", "Do it.", ("first", "second"), (), one, scored=True)
        monkeypatch.setattr(checks, "exercises", lambda made=made: (made,))
        check("12-a")
    assert [(one.image, one.passed) for one in scores.tries("12-a")] == [("one", True)]
