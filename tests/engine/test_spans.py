"""The seconds in which builds ran their steps, kept in the ledger and compared with build cache records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dmhelpers.engine import ledger, spans
from dmhelpers.engine.build_cache import CacheRecord
from dmhelpers.engine.spans import Span

BEGIN = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
SPAN = Span("run", BEGIN, BEGIN + timedelta(seconds=10))


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
    spans.note("engine", [Span("run", elsewhere, SPAN.end), Span("load", BEGIN, BEGIN)])
    assert set(spans.noted("engine")) == {SPAN, Span("load", BEGIN, BEGIN)}
    assert spans.noted("another") == ()
    spans.forget("engine")
    assert spans.noted("engine") == ()


def test_a_step_is_known_by_its_name_too():
    """A COPY's record counts if it has the step's name and was made while that ran; names may be of any length."""
    name = "[builder 3/7] COPY " + "x" * 500
    step = Span("step", SPAN.begin, SPAN.end, spans.fingerprint(name))
    spans.note("engine", [step])
    assert spans.noted("engine") == (step,)
    assert step.holds(record(5, name)) is True
    assert step.holds(record(5, name[:-1])) is False
    assert step.holds(record(50, name)) is False


def test_an_entry_of_another_version_is_passed_over():
    """What cannot be read as a span stops no clean-up."""
    ledger.record("engine", "span", ["nap 2026-01-01", "run soon later now"])
    assert spans.noted("engine") == ()


@pytest.mark.parametrize(("created", "ours"), [(-5, False), (0, True), (10, True), (10.9, True), (12, False)])
def test_a_record_is_known_by_when_it_was_made(created, ours):
    """A record of a RUN counts if it was made while one of ours ran, give or take a second."""
    assert SPAN.holds(record(created)) is ours


def test_a_span_knows_only_its_own_kind():
    """A RUN's span holds no record of another kind of step, nor does that of a transfer."""
    sent = Span("load", SPAN.begin, SPAN.end)
    assert SPAN.holds(record(5, "[2/2] COPY a /")) is False
    assert SPAN.holds(record(5, "local source for context")) is False
    assert sent.holds(record(5, "local source for context")) is True
    assert sent.holds(record(5)) is False
