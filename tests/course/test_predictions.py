"""Predictions: noted before, compared after, never in the way."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from dmhelpers.course.predictions import compare_guess, predict
from dmhelpers.course.quantities import compare, pair, plain, quantity


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Give each test an empty workspace of its own."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


def verdict(guess, measured):
    """Return the verdict on one guess, by way of the file that it is kept in."""
    predict("one", it=guess)
    return compare_guess("one", it=measured).rows[0].verdict


def test_guesses_are_noted_and_open_ones_named(workspace):
    """What was guessed is kept in the workspace; None and ... are still open, and say so."""
    shown = str(predict("05-size", single="450MB", runtime=..., stages={"b", "a"}, ran=None))
    assert shown == "Noted: single 450MB; stages a, b.\nNo guess yet: fill in runtime, ran."
    kept = json.loads((workspace / "progress.json").read_text())["guesses"]["05-size"]
    assert kept == {"single": "450MB", "stages": ["a", "b"]}


def test_a_new_guess_replaces_the_old_one():
    """Predicting again under a name forgets the earlier guesses of it, and no other's."""
    predict("one", a="1MB", b="2MB")
    predict("two", a="9MB")
    predict("one", a="3MB")
    rows = compare_guess("one", a=3_000_000, b=3_000_000).rows
    assert [(row.guess, row.verdict) for row in rows] == [("3MB", "right"), ("none", "no guess yet")]
    assert compare_guess("two", a=9_000_000).rows[0].verdict == "right"


def test_comparing_without_a_guess_raises_nothing():
    """A learner who predicted nothing sees the measurement and no error."""
    row = compare_guess("never", size=138_000_000).rows[0]
    assert (row.guess, row.measured, row.verdict) == ("none", "138MB", "no guess yet")


@pytest.mark.parametrize(
    ("guess", "measured", "expected"),
    [
        ("138MB", 138_400_000, "right"),
        ("~140 mb", 138_400_000, "close"),
        ("450MB+", 190_000_000, "off by 260MB, too high"),
        ("0,1GB", 190_000_000, "off by 90MB, too low"),
        (190_000_000, "190MB", "right"),
        ("1,500MB", 1_500_000_000, "right"),
        ("12B", 12, "right"),
        ("90%", 0.9, "right"),
        ("80%", 0.9, "off by 10 points, too low"),
        (0.88, "90%", "close"),
        ("20s", 12.5, "off by 7.5s, too high"),
        (3, 3, "right"),
        ("2", 3, "off by 1, too low"),
        (3, np.int64(4), "off by 1, too low"),
        ("yes", True, "right"),
        (False, np.bool_(True), "wrong"),
        ({"builder"}, ["builder"], "right"),
        (["Builder", "runtime"], pd.Series(["runtime", "builder"]), "right"),
        ("builder", ["builder", "runtime"], "wrong (not named: runtime)"),
        ({"builder", "test"}, ["builder"], "wrong (named, but not among them: test)"),
        ({"readme.md", "b"}, ["README.md", "a"], "wrong (not named: a; named, but not among them: b)"),
        ([], [], "right"),
        ("none", [], "right"),
        ("large", 138_000_000, "wrong"),
        ("Alpine", "alpine", "right"),
    ],
)
def test_the_verdict_is_in_words(guess, measured, expected):
    """A guess is right when it prints alike, close within 10 %, else off by how much or wrong, with what is wrong."""
    assert verdict(guess, measured) == expected


@pytest.mark.parametrize("value", [None, ..., "", "  ", "...", "…", "?", [...], {None}])
def test_open_guesses_are_no_guesses(value):
    """What a stub holds counts as open, in a list too."""
    assert plain(value) is None
    assert verdict(value, 5) == "no guess yet"


def test_any_other_value_is_kept_as_words():
    """A guess of a form that nobody thought of is kept and never raises."""
    assert str(predict("one", it=object)).startswith("Noted: it <class 'object'>")
    assert verdict(b"x", 5) == "wrong"


def test_an_unwritable_workspace_is_said_and_does_not_raise(tmp_path, monkeypatch):
    """Where nothing can be kept, the guess is shown all the same, with the cure."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "file" / "workspace"))
    shown = str(predict("one", it="5MB"))
    assert shown.startswith("Noted: it 5MB.\nYour progress cannot be kept")
    assert "DMHELPERS_WORKSPACE" in shown


def test_tables_read_alike_on_every_machine():
    """The text of a comparison is a table that depends on its values alone."""
    predict("one", size="150MB", stages=["a"])
    shown = str(compare_guess("one", size=138_000_000, stages=["a"]))
    assert shown.splitlines() == [
        "what    your guess  measured  verdict",
        "size    150MB       138MB     close",
        "stages  a           a         right",
    ]
    assert "<td" in compare_guess("one", size=1)._repr_html_()


def test_a_bare_number_takes_the_other_side_s_unit():
    """450 beside a size is 450 bytes, never 450 MB by magic."""
    guess, measured = pair(450, "190MB")
    assert (guess.kind, guess.value) == ("size", 450)
    assert compare(guess, measured) == "off by 190MB, too low"


def test_unknown_units_are_words():
    """A number with a unit that is no size is text."""
    assert quantity("5 bananas").kind == "text"
