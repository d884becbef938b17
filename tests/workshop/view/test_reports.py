"""What a learner's kernel reports is read with distrust."""

from __future__ import annotations

import json

import pytest

from dmhelpers.course import progress, reporting
from dmhelpers.workshop.view import reports
from dmhelpers.workshop.view.reports import MOST_BYTES, BadReport, Check, read

NOW = 1_000_000_000.0
GOOD = {"done": False, "tries": 3, "first_try_s": 60.0, "done_s": None}


def body(**parts):
    """Return a report's bytes, good but for the parts given."""
    content = {"version": 1, "shares_name": False, "opened": {}, "checks": {}} | parts
    return json.dumps(content).encode()


def test_what_the_reporter_sends_is_read(tmp_path, monkeypatch):
    """The message that a learner's kernel makes is one that the service takes, with ages turned into times."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path))
    progress.note_opened("03_builder")
    progress.note_check("03-a", done=False)
    progress.note_check("03-a", done=True)
    found = read(json.dumps(reporting.message()).encode(), now=NOW)
    check = found.checks["03-a"]
    assert (check.done, check.tries, found.shares_name) == (True, 2, False)
    assert NOW - 60 < check.first_try_at <= check.done_at <= NOW
    assert NOW - 60 < found.opened["03_builder"] <= NOW
    assert reporting.VERSION == reports.VERSION


def test_a_whole_course_fits():
    """The report of a learner who tried everything is far below the limit of bytes."""
    entry = {"done": True, "tries": 99_999, "first_try_s": 123_456.7, "done_s": 123_456.7}
    checks = {one.number: entry for one in reports.exercises()}
    opened = dict.fromkeys(reports.notebooks(), 123_456.7)
    raw = body(checks=checks, opened=opened)
    assert len(raw) < MOST_BYTES / 2
    assert len(read(raw, now=NOW).checks) == len(reports.exercises())


def test_unknown_names_are_passed_over():
    """A newer course's notebooks and checks, and a hostile learner's markup, leave nothing behind."""
    odd = "<script>alert(1)</script>"
    found = read(body(opened={odd: 1, "03_builder": 5}, checks={odd: GOOD, "99-z": GOOD, "03-a": GOOD}), now=NOW)
    assert found.opened == {"03_builder": NOW - 5}
    assert found.checks == {"03-a": Check(False, 3, NOW - 60)}
    assert odd not in repr(found)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 9_000,
        b'{"version": 2}',
        b" " * (MOST_BYTES + 1),
        body(shares_name="yes"),
        body(shares_name=1),
        body(opened=[]),
        body(checks=None),
        body(opened={"03_builder": None}),
        body(opened={"03_builder": "<b>"}),
        body(checks={"03-a": 5}),
        body(checks={"03-a": GOOD | {"tries": -1}}),
        body(checks={"03-a": GOOD | {"tries": True}}),
        body(checks={"03-a": GOOD | {"tries": 10**9}}),
        body(checks={"03-a": GOOD | {"done": "no"}}),
        body(checks={"03-a": GOOD | {"first_try_s": -1}}),
        body(checks={"03-a": GOOD | {"first_try_s": float("nan")}}),
        body(checks={"03-a": GOOD | {"first_try_s": float("inf")}}),
        body(checks={"03-a": GOOD | {"done_s": [1]}}),
    ],
)
def test_what_cannot_be_meant_is_refused_whole(raw):
    """A report of another form is refused, with a reason that repeats nothing of it."""
    with pytest.raises(BadReport) as refused:
        read(raw, now=NOW)
    assert "<b>" not in str(refused.value)


def test_an_age_without_end_is_a_month():
    """A number larger than any workshop is long is cut, whatever its size."""
    found = read(body(opened={"03_builder": 10**400}), now=NOW)
    assert found.opened["03_builder"] == NOW - reports.MOST_AGE_S
