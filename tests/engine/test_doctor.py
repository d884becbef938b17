"""The doctor: each check by itself, each row with its cure, and never an exception."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dmhelpers.engine import doctor_checks as checks
from dmhelpers.engine.doctor import TOTAL_LIMIT_S, Check, Examination, Report, doctor, examine
from dmhelpers.engine.patience import patient
from dmhelpers.engine.probe import Probed
from dmhelpers.errors import EngineError

NAMES = [
    "docker command",
    "engine",
    "container runs",
    "engine version",
    "buildx",
    "image store",
    "disk",
    "memory",
    "network",
    "base images",
    "clock",
]


def _answer(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    monkeypatch.setattr(checks, "api", lambda: SimpleNamespace(info=lambda: fields))


def _raise(error: Exception) -> Any:
    raise error


@pytest.mark.engine
def test_engine_that_works_is_found_to_work(unchanged_engine: object) -> None:
    """On a working engine the rows stand in order, a container has run, and it takes no longer than it may."""
    report = doctor()
    rows = {check.name: check for check in report}
    assert list(rows) == NAMES
    for name in ("docker command", "engine", "container runs", "engine version", "buildx", "clock"):
        assert rows[name].status == "ok", rows[name]
    assert report.duration_s < patient(TOTAL_LIMIT_S) + 1


@pytest.mark.engine
def test_no_registry_address_is_shown(unchanged_engine: object) -> None:
    """No row names a web address: neither a registry's nor a mirror's."""
    text = str(doctor())
    assert "http" not in text
    assert "registry." not in text


def test_without_an_engine_the_cure_is_on_top(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no engine answers, its row says how to get one, and rows that need it say that they were not checked."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    report = doctor()
    rows = {check.name: check for check in report}
    assert list(rows) == NAMES
    assert not report.ok
    assert rows["engine"].status == "fix"
    assert "unset DOCKER_HOST" in rows["engine"].hint
    assert rows["container runs"] == Check("container runs", "note", "not checked: no engine answered")


def test_without_the_command_its_row_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no `docker` command and no engine, both rows have their cure and nothing is raised."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    rows = {check.name: check for check in doctor()}
    assert rows["docker command"].status == "fix"
    assert rows["docker command"].hint


def test_hanging_check_stops_no_other() -> None:
    """A check that hangs becomes a row after its time limit; the others keep theirs."""
    hanging = threading.Event()
    report = examine(
        [
            Examination("hangs", lambda: Check("hangs", "ok" if hanging.wait(30) else "fix", ""), limit_s=0.2),
            Examination("works", lambda: Check("works", "ok", "fine")),
        ]
    )
    hanging.set()
    assert [check.status for check in report] == ["fix", "ok"]
    assert "no answer" in report.checks[0].detail
    assert report.duration_s < 5


def test_failing_check_stops_no_other() -> None:
    """An error of the course becomes a row with its hint; any other exception becomes one that asks for a report."""
    report = examine(
        [
            Examination("known", lambda: _raise(EngineError("It broke.", hint="Mend it."))),
            Examination("unknown", lambda: _raise(KeyError("x"))),
            Examination("works", lambda: Check("works", "ok", "fine")),
        ]
    )
    assert [check.status for check in report] == ["fix", "fix", "ok"]
    assert report.checks[0] == Check("known", "fix", "It broke.", "Mend it.")
    assert "KeyError" in report.checks[1].detail


def test_all_checks_together_keep_the_total_limit() -> None:
    """However many checks hang, the report comes at the total limit."""
    begun = time.monotonic()
    examine(
        [Examination(str(n), lambda: _raise(EngineError(str(time.sleep(3)), hint=""))) for n in range(8)],
        total_limit_s=0.3,
    )
    assert time.monotonic() - begun < 2


def test_report_reads_plainly() -> None:
    """The text is an aligned table with each hint under its row, and closes with what to fix."""
    report = Report((Check("engine", "fix", "away", "Start it."), Check("clock", "ok", "fine")), 0.1)
    assert str(report).splitlines() == [
        "check   status  detail",
        "engine  fix     away",
        "                -> Start it.",
        "clock   ok      fine",
        "",
        "To fix, from the top: engine.",
    ]
    assert str(Report((Check("clock", "note", "?"),), 0.1)).endswith("Ready: nothing has to be fixed.")


def test_notebook_table_is_accessible_and_escaped() -> None:
    """The HTML has column and row headings and statuses in words; text is escaped."""
    page = Report((Check("engine", "fix", "<b>", "a & b"),), 0.1)._repr_html_()
    assert '<th scope="row"' in page
    assert page.count('<th scope="col"') == 4
    assert ">fix</td>" in page
    assert "&lt;b&gt;" in page
    assert "a &amp; b" in page


@pytest.mark.parametrize(
    ("code", "output", "status", "words"),
    [
        (0, "", "ok", "accepted"),
        (1, "npm error code E404\nnpm error 404 Not Found", "ok", "accepted"),
        (1, "npm error code SELF_SIGNED_CERT_IN_CHAIN", "fix", "did not trust"),
        (1, "npm error code UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "fix", "did not trust"),
        (1, "npm error code EAI_AGAIN", "fix", "names do not resolve"),
        (1, "npm error code ENOTFOUND", "fix", "names do not resolve"),
        (1, "npm error code ETIMEDOUT", "fix", "no answer"),
        (1, "npm error code ECONNREFUSED", "fix", "no answer"),
        (7, "npm error code EWHATEVER https://r.example/", "fix", "failed: EWHATEVER"),
        (9, "", "fix", "exit code 9"),
    ],
)
def test_network_faults_are_told_apart(code: int, output: str, status: str, words: str) -> None:
    """A certificate, a name server and a missing route have different rows and cures; no address is repeated."""
    check = checks.network_verdict(code, output)
    assert (check.status, words in check.detail) == (status, True)
    assert "example" not in check.detail + check.hint
    assert bool(check.hint) == (status == "fix")


def test_old_engine_is_to_be_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine below 23.0 is told with its version and the minimum."""
    _answer(monkeypatch, ServerVersion="20.10.24")
    assert checks.engine_version().status == "fix"
    _answer(monkeypatch, ServerVersion="29.0.1")
    assert checks.engine_version() == Check("engine version", "ok", "29.0.1")


@pytest.mark.parametrize(("version", "status"), [("0.12.1", "fix"), ("", "fix"), ("0.13.1+ds1", "ok")])
def test_buildx_below_the_minimum_is_to_be_fixed(monkeypatch: pytest.MonkeyPatch, version: str, status: str) -> None:
    """Anything below buildx 0.13, or no buildx at all, is told."""
    monkeypatch.setattr(checks, "buildx_version", lambda: version)
    assert checks.buildx().status == status


@pytest.mark.parametrize(("free", "status"), [(1e9, "fix"), (4e9, "note"), (9e9, "ok")])
def test_disk_is_judged_by_what_the_course_needs(free: float, status: str) -> None:
    """Too little room is to be fixed, scarce room is worth a note."""
    assert checks.disk(lambda: Probed(int(free), 10**11)).status == status


def test_disk_is_unknown_where_no_container_ran() -> None:
    """Without a container there is no figure, and that row is a note: the cure stands in the container's row."""
    assert checks.disk(lambda: _raise(EngineError("x", hint="y"))).status == "note"


@pytest.mark.parametrize(("offset_s", "status"), [(0, "ok"), (59, "ok"), (90, "fix"), (-3600, "fix")])
def test_clock_may_differ_by_a_minute(monkeypatch: pytest.MonkeyPatch, offset_s: int, status: str) -> None:
    """A clock that is more than 60 seconds off is to be fixed; the engine's nanoseconds are read."""
    there = datetime.now(UTC) + timedelta(seconds=offset_s)
    _answer(monkeypatch, SystemTime=there.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z")
    assert checks.clock().status == status


def test_storage_driver_that_is_neither_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine on vfs works, slowly: the row says so without stopping anybody."""
    _answer(monkeypatch, Driver="vfs", DriverStatus=None)
    assert checks.image_store().status == "note"


def test_one_probe_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks of one report share one test container, its failure too."""
    calls: list[float] = []
    monkeypatch.setattr(checks, "probe", lambda time_limit_s: calls.append(time_limit_s) or Probed(1, 2))
    once = checks.OneProbe()
    assert once() == once() == Probed(1, 2)
    assert len(calls) == 1
