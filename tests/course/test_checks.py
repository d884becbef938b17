"""Exercises as data, verdicts and hints: what holds without an engine."""

from __future__ import annotations

import re

import pytest

from dmhelpers.course import checks
from dmhelpers.course.checks import check, exercises, hint
from dmhelpers.course.checks.records import Exercise, Look, NotYet, Verdict
from dmhelpers.course.progress import records
from dmhelpers.errors import EngineUnavailable, ImageNotFound, InputError
from dmhelpers.measure import built

BY_NUMBER = {one.number: one for one in exercises()}


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Give each test an empty workspace and no hint given yet."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(checks, "_given", {})


@pytest.fixture
def one_exercise(monkeypatch):
    """Put one exercise in place of the course's: `one_exercise(look)` returns the verdict on it."""

    def make(look, **options):
        made = Exercise("99-a", "99_test", "A test", "Do it.", ("first", "second"), (), look)
        monkeypatch.setattr(checks, "exercises", lambda: (made,))
        return check("99-a", **options)

    return make


def test_there_are_two_exercises_a_notebook_in_order():
    """Notebooks 01 to 11 and 13 have an exercise a and b each, numbered like their notebook, and 12 three."""
    numbers = [f"{number:02}-{part}" for number in range(1, 12) for part in "ab"]
    assert [one.number for one in exercises()] == [*numbers, "12-a", "12-b", "12-c", "13-a", "13-b"]
    for one in exercises():
        assert one.notebook.startswith(one.number[:2] + "_")


@pytest.mark.parametrize("one", exercises(), ids=lambda one: one.number)
def test_an_exercise_says_what_to_build_and_under_which_name(one):
    """The images that a check looks for are named in the prompt, and every text is a full sentence."""
    for name in one.images:
        assert name in one.prompt
    for text in (one.prompt, *one.hints):
        assert re.search(r"[.?]$", text), text
        assert len(text) > 20
    assert len(one.hints) == 2
    assert one.look.__doc__.startswith(f"{one.number}: ")


@pytest.mark.parametrize("one", exercises(), ids=lambda one: one.number)
def test_hints_do_not_hold_the_answer(one):
    """No hint has a line that could be pasted into a Dockerfile or a terminal."""
    pasted = re.compile(
        r"--omit=dev|--from=\w|AS (tools|final|builder|dev)\b|RUN npm|USER node|-s -w|npm cache clean|--target \w"
    )
    for text in one.hints:
        assert not pasted.search(text), text


def test_a_check_says_that_the_last_build_failed(monkeypatch):
    """Where the newest build of its image failed, a check that is not done says that it looks at an earlier one."""
    made = Exercise("99-a", "99_test", "A test", "Do it.", ("first", "second"), ("learner/99-a",), lambda look: None)
    monkeypatch.setattr(checks, "exercises", lambda: (made,))
    assert check("99-a").missing == ()
    with pytest.raises(RuntimeError), built.attempt("learner/99-a:latest"):
        raise RuntimeError
    assert "your last build of learner/99-a:latest failed" in check("99-a").missing[0]
    with built.attempt("learner/99-a:latest"):
        pass
    assert check("99-a").missing == ()


def test_hints_come_one_after_the_other_and_the_last_stays():
    """The first call gives the first hint, each later one the second; exercises count for themselves."""
    assert [hint("03-a").number for _ in range(3)] == [1, 2, 2]
    assert hint("03-b").number == 1
    assert str(hint("03-b")) == f"Hint 2 of 2 for 03-b: {BY_NUMBER['03-b'].hints[1]}"


@pytest.mark.parametrize("call", [check, hint])
def test_an_unknown_exercise_is_answered_with_near_ones(call):
    """A number that is none offers those that are close."""
    with pytest.raises(InputError, match="'03-x'") as caught:
        call("03-x")
    assert "'03-a'" in caught.value.hint


@pytest.mark.parametrize("typed", [" 03-A ", "3-a", "3a", "03a", "3 a"])
def test_a_number_may_be_typed_carelessly(typed):
    """Blanks, capitals, a missing zero or dash in a number do not matter."""
    assert hint(typed).exercise == "03-a"


def test_done_needs_something_seen_and_nothing_missing(one_exercise):
    """A check that saw what it looks for is done; one that saw nothing at all is not."""
    assert one_exercise(lambda look: look.saw("it is there")).done
    assert not one_exercise(lambda look: None).done
    assert not one_exercise(lambda look: (look.saw("one"), look.lacks("another"))).done


def test_a_check_that_ends_early_says_why(one_exercise):
    """What ends a check stands last among what is missing."""

    def look(look):
        look.saw("one")
        raise NotYet("there is no image x yet")

    assert one_exercise(look).missing == ("there is no image x yet",)


def test_an_error_of_the_course_is_what_is_missing(one_exercise):
    """A failed build or a missing image inside a check is told, not raised."""

    def look(look):
        raise ImageNotFound("There is no image 'x' on this engine.", hint="Build it.")

    assert one_exercise(look).missing == ("There is no image 'x' on this engine.",)


def test_no_engine_is_not_the_learner_s_mistake(one_exercise):
    """Without an engine the check cannot look, and says so with the cure; no try is counted."""

    def look(look):
        raise EngineUnavailable("No engine.", hint="Start it.")

    with pytest.raises(EngineUnavailable):
        one_exercise(look)
    assert records() == {}


def test_every_check_is_counted(one_exercise):
    """Done or not, a check is a try."""
    one_exercise(lambda look: look.lacks("all"))
    one_exercise(lambda look: look.saw("all"))
    assert (records()["99-a"].done, records()["99-a"].tries) == (True, 2)


def test_a_verdict_stands_where_progress_cannot_be_kept(one_exercise, tmp_path, monkeypatch):
    """A workspace that cannot be written to is noted under the verdict and takes nothing away from it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "file"))
    verdict = one_exercise(lambda look: look.saw("it is there"))
    assert verdict.done
    assert "cannot be kept" in str(verdict)


def test_the_answer_reaches_the_check(one_exercise):
    """What is given with `answer=` is what the check compares."""
    assert one_exercise(lambda look: look.expect(look.answer == 5, "five", "no"), answer=5).seen == ("five",)


def test_a_verdict_shows_what_was_seen_and_what_is_missing():
    """The text has a line each; not yet ends with the way to a hint, done does not."""
    verdict = Verdict("03-a", "A title", False, ("image <x>",), ("the file",))
    assert str(verdict).splitlines() == [
        "03-a not yet: A title",
        "  seen     image <x>",
        "  missing  the file",
        'Change your answer and check again; dm.hint("03-a") gives a hint.',
    ]
    assert "image &lt;x&gt;" in verdict._repr_html_()
    assert str(Verdict("03-a", "A title", True, ("a",), ())) == "03-a done: A title\n  seen     a"


def test_ending_a_check_keeps_each_reason_once():
    """Ending because something is missing does not say it twice."""
    look = Look()
    look.end_if_missing()
    look.lacks("one")
    with pytest.raises(NotYet, match="one"):
        look.end_if_missing()
    assert look.missing == []


@pytest.mark.engine
@pytest.mark.parametrize("one", exercises(), ids=lambda one: one.number)
def test_nothing_built_yet_is_not_yet(one, monkeypatch):
    """Where none of the images is there, the check says which one to build, or that the answer is missing."""
    monkeypatch.setattr("dmhelpers.course.checks.probes.find_image", lambda name: None)
    verdict = check(one.number)
    assert not verdict.done
    assert re.search(r"there is no image \S+ yet|no answer was given", verdict.missing[0]), str(verdict)


@pytest.mark.parametrize("number", ["05-b", "10-a"])
@pytest.mark.parametrize("answer", [None, ..., "x", [], {}, 5])
def test_a_stub_s_answer_is_no_answer(number, answer):
    """Whatever a stub passes on in place of the filled-in table, the check says that none was given."""
    assert [one.partition(":")[0] for one in check(number, answer=answer).missing] == ["no answer was given"]
