"""The rehearsal's arithmetic and its report, from figures that are given."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from dmhelpers.engine import info
from dmhelpers.errors import InputError
from dmhelpers.workshop import findings, rehearsal, report
from dmhelpers.workshop.machine import Machine
from dmhelpers.workshop.preparing import Wanted

GB = 10**9
MACHINE = Machine(2, 24 * GB, 20 * GB, 100 * GB, 60 * GB, 0.5, "linux/x86_64")


def found(*failures):
    """Return a rehearsal of two learners who took half a gigabyte of memory and one of disk each."""
    told = (*failures, "", "")
    places = tuple(
        findings.Place(f"learner-0{number}", 10.0 * number, 100.0, GB // 2, GB, told[number - 1]) for number in (1, 2)
    )
    return findings.Rehearsal("2026-01-01", MACHINE, "", places, findings.Peak(GB, 2 * GB, 9.0), 20.0, 130.0)


def test_seats_are_what_is_free_less_a_tenth_over_what_one_takes():
    """(20 - 2.4) / 0.5 = 35 seats by memory, (60 - 10) / 1 = 50 by disk."""
    assert findings.seats_by_memory(found()) == 35
    assert findings.seats_by_disk(found()) == 50


def test_the_report_gives_the_smaller_and_its_arithmetic(monkeypatch):
    """The report shows both divisions, and seats as many as the scarcer of memory and disk allows."""
    monkeypatch.setattr(info, "engine_info", lambda: type("I", (), {"version": "26.1.5", "store": "overlay2"}))
    text = report.as_text(found())
    assert "(20GB available - 2.4GB) / 500MB a seat at the peak = 35" in text
    assert "(60GB free - 10GB) / 1GB a seat after notebook 05 = 50" in text
    assert "so 35 seats" in text
    assert "2 of 2 reached the verdict; none failed." in text


def test_the_report_names_who_failed_and_why(monkeypatch):
    """A learner who did not reach the verdict stands in the table with the reason, and the rehearsal is not ok."""
    monkeypatch.setattr(info, "engine_info", lambda: type("I", (), {"version": "26.1.5", "store": "overlay2"}))
    one = found("cell ab: BuildFailed: npm gave up")
    assert not one.ok
    assert "npm gave up" in report.as_text(one)
    assert "1 of 2 reached the verdict; 1 failed." in report.as_text(one)


def test_the_report_tells_what_was_broken_and_what_came_back(monkeypatch):
    """Each fault of a drill is a row; one that never came back makes the rehearsal fail."""
    monkeypatch.setattr(info, "engine_info", lambda: type("I", (), {"version": "26.1.5", "store": "overlay2"}))
    faults = (
        findings.Fault("the proxy killed", 2, 0.0, 3.4),
        findings.Fault("the learners' network cut", 1, 10.0, math.inf, "no seat could be reached"),
    )
    told = report.as_text(replace(found(), faults=faults)).splitlines()
    assert any(re.fullmatch(r"the proxy killed +2 +- +3\.4 s", one) for one in told)
    assert any(
        re.fullmatch(r"the learners' network cut +1 +10 s +never  no seat could be reached", one) for one in told
    )
    assert not replace(found(), faults=faults).ok
    assert replace(found(), faults=faults[:1]).ok


def test_a_rehearsal_without_learners_is_refused():
    """Fewer than one learner is an error, and nothing is opened."""
    with pytest.raises(InputError, match="0 learners"):
        rehearsal.rehearse(0, Wanted(()))
