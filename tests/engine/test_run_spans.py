"""The seconds in which the course's RUN steps ran, kept in the ledger and compared with build cache records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dmhelpers.engine import run_spans
from dmhelpers.engine.build_cache import CacheRecord

BEGIN = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
SPAN = (BEGIN, BEGIN + timedelta(seconds=10))


def record(created, description="mount / from exec /bin/sh -c true"):
    """Return a record created so many seconds after the span began."""
    when = (BEGIN + timedelta(seconds=created)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"
    return CacheRecord("a", description, "regular", when, 1)


@pytest.fixture(autouse=True)
def own_ledger(tmp_path, monkeypatch):
    """Give each test a ledger of its own."""
    monkeypatch.setenv("DMHELPERS_HOME", str(tmp_path))


def test_spans_come_back_from_the_ledger():
    """What was noted is found again, to the microsecond and in UTC, on that engine only, until it is forgotten."""
    elsewhere = BEGIN.astimezone(tz=datetime.now().astimezone().tzinfo)
    run_spans.note("engine", [(elsewhere, SPAN[1])])
    assert run_spans.noted("engine") == (SPAN,)
    assert run_spans.noted("another") == ()
    run_spans.forget("engine")
    assert run_spans.noted("engine") == ()


@pytest.mark.parametrize(("created", "ours"), [(-5, False), (0, True), (10, True), (10.9, True), (12, False)])
def test_a_record_is_known_by_when_it_was_made(created, ours):
    """A record of a RUN counts if it was made while one of ours ran, give or take a second."""
    assert run_spans.left_by(record(created), [SPAN]) is ours
    assert run_spans.left_by(record(created), []) is False


def test_only_what_a_run_left_is_known_by_its_time():
    """A record of another kind of step carries its step's name, and is not taken by its time."""
    assert run_spans.left_by(record(5, "[2/2] COPY a /"), [SPAN]) is False
