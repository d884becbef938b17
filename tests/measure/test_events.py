"""Decoding BuildKit's progress: values in any layout, plain text between them, bounds on what is kept."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from dmhelpers.measure import events
from dmhelpers.measure.events import LogLine, Progress, decode, moment


def vertex(digest, name="[1/1] RUN x", **more):
    """Return a progress value with one vertex."""
    return {"vertexes": [{"digest": digest, "name": name, **more}]}


def log(digest, text):
    """Return a progress value with one piece of log."""
    return {"logs": [{"vertex": digest, "data": base64.b64encode(text.encode()).decode()}]}


def lines(*values, indent=None):
    """Write values as buildx does, and return the lines."""
    text = "".join(one if isinstance(one, str) else json.dumps(one, indent=indent) + "\n" for one in values)
    return text.encode().splitlines(keepends=True)


def fed(*values):
    """Return the progress after these values."""
    progress = Progress()
    for one in values:
        progress.feed(one)
    return progress


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_values_in_any_layout(indent):
    """Values are read whether each takes one line or many."""
    values = [vertex("a"), {"logs": [{"vertex": "a", "data": "e30K"}]}, {}]
    assert list(decode(lines(*values, indent=indent))) == values


@pytest.mark.parametrize("indent", [None, 2])
def test_plain_text_after_a_failure(indent):
    """Plain text, as buildx prints it after a failure, passes through line by line, braces and all."""
    told = ["Dockerfile:3\n", "   3 | >>> RUN echo {\n", "}\n", '{"not": json\n', "ERROR: failed\n"]
    found = list(decode(lines(vertex("a"), *told, indent=indent)))
    assert found[0] == vertex("a")
    text = "\n".join(str(one).rstrip("\n") for one in found[1:])
    for one in told:
        assert one.strip() in text


def test_a_stream_that_breaks_off():
    """A stream that breaks off inside a value gives what there was as text, and raises nothing."""
    found = list(decode(lines(vertex("a"), vertex("b"), indent=2)[:-3]))
    assert found[0] == vertex("a")
    assert all(isinstance(one, str) for one in found[1:])


def test_an_empty_stream():
    """Of nothing comes nothing."""
    assert list(decode([])) == []
    assert "".join(map(str, decode([b"\n", b"  \n"]))).strip() == ""


def test_bytes_that_are_no_text():
    """Bytes that are no UTF-8 are shown as such."""
    [found] = decode([b"ERROR: \xff\n"])
    assert "ERROR: \ufffd" in found


def test_a_vertex_is_merged_by_digest():
    """What is told of a vertex in several values adds up; a later value without a name takes none away."""
    start, end = "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:02.000000001Z"
    progress = fed(
        vertex("a", "[1/2] COPY a b"),
        vertex("a", "", started=start),
        vertex("a", "[1/2] COPY a b", started=start, completed=end),
    )
    [found] = progress.vertexes.values()
    assert (found.name, found.cached, found.done) == ("[1/2] COPY a b", False, True)
    assert found.duration_s == pytest.approx(1.5)


def test_a_vertex_that_ran_twice():
    """A vertex that started twice counts both its runs, and is done when both are."""
    at = "2026-01-01T00:00:0{}Z".format
    progress = fed(
        vertex("a", started=at(0), completed=at(1)),
        vertex("a", started=at(5)),
        vertex("a", started=at(5), completed=at(7)),
    )
    [found] = progress.vertexes.values()
    assert found.duration_s == 3
    assert not fed(vertex("a", started=at(0), completed=at(1)), vertex("a", started=at(5))).vertexes["a"].done


@pytest.mark.parametrize("missing", [None, "", "0001-01-01T00:00:00Z"])
def test_times_that_are_none(missing):
    """Go's zero time is no time."""
    assert moment(missing) is None


@pytest.mark.parametrize("text", ["2026-11-23T21:33:37.496990465Z", "2026-11-23T22:33:37.496990+01:00"])
def test_times(text):
    """Times are read to the microsecond, in any zone."""
    assert moment(text) == datetime(2026, 11, 23, 21, 33, 37, 496990, UTC)


def test_the_log_stands_under_the_names_of_its_steps():
    """The log has each step's output under its name, in order, and the engine's text at the end."""
    progress = fed(
        vertex("a", "[1/2] RUN one"),
        vertex("b", "[2/2] RUN two"),
        log("a", "1\n"),
        log("b", "2"),
        log("a", "3\n"),
        "ERROR: x",
    )
    assert progress.log() == "[1/2] RUN one\n1\n[2/2] RUN two\n2\n[1/2] RUN one\n3\nERROR: x\n"
    assert progress.log_of("a") == "1\n3\n"


def test_the_log_is_bounded(monkeypatch):
    """Of a very long log the oldest part is dropped, and the log says so."""
    monkeypatch.setattr(events, "LOG_LIMIT_CHARS", 1000)
    progress = fed(vertex("a"), *(log("a", f"line {number:05}\n") for number in range(1000)))
    text = progress.log()
    assert text.startswith("[earlier output was dropped]\n")
    assert text.endswith("line 00999\n")
    assert 900 < len(text) < 2200


def test_one_enormous_piece_of_log(monkeypatch):
    """A single piece that is larger than the bound does no harm."""
    monkeypatch.setattr(events, "LOG_LIMIT_CHARS", 1000)
    assert fed(vertex("a"), log("a", "x" * 5000), log("a", "end\n")).log().endswith("end\n")


def test_logs_reach_the_listener():
    """A listener hears of each piece of log as text."""
    heard = []
    progress = Progress(heard.append)
    progress.feed(log("a", "grüß\n"))
    assert heard == [LogLine("a", "grüß\n")]


def test_warnings_have_their_line():
    """A warning of BuildKit's own checks is told with its line where it has one."""
    short = base64.b64encode(b"Stage name is taken").decode()
    ranged = {"short": short, "range": [{"start": {"line": 4}, "end": {"line": 4}}]}
    assert fed({"warnings": [ranged, {"short": short}]}).warnings == [
        "line 4: Stage name is taken",
        "Stage name is taken",
    ]


@pytest.mark.parametrize("key", ["vertexes", "logs", "statuses", "warnings"])
def test_keys_that_are_null(key):
    """A key that is null counts as empty."""
    assert fed({key: None}).vertexes == {}
