"""A build as it shows itself, made from records without an engine."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from dmhelpers.measure.events import Vertex, VertexChanged, moment
from dmhelpers.measure.progress_lines import LinePrinter
from dmhelpers.measure.records import BuildRecord, StageState, Step
from dmhelpers.show import builds
from dmhelpers.show.builds import Build

RECORD = BuildRecord(
    image_id="sha256:" + "a" * 64,
    tag="my-api:latest",
    target="runtime",
    command="docker build --build-arg 'A=<b>' -t my-api:latest .",
    duration_s=61.2,
    steps=(
        Step("builder", 1, 2, 3, "RUN npm ci", "ran", 50.5),
        Step("runtime", 1, None, None, "COPY x y", "cached", 0.0, shared_with="builder"),
    ),
    stages=(
        StageState("builder", "ran", 50.5),
        StageState("test", "not built", 0.0),
        StageState("<run>", "cached", 0.0),
    ),
    log="all of it",
    warnings=("line 3: a <warning>",),
    mapped_by="names",
)


def test_tables_of_a_record():
    """The tables have a row for each step and stage; a line that is not known is missing, not zero."""
    build = Build(RECORD)
    assert build.steps["line"].isna().tolist() == [False, True]
    assert build.steps["shared_with"].tolist() == ["", "builder"]
    assert build.stages["state"].tolist() == ["ran", "not built", "cached"]


def test_text():
    """As text a build is its command and a line for each stage, with seconds where it worked."""
    assert str(Build(RECORD)).splitlines() == [
        "my-api:latest built in 1m 01s with: docker build --build-arg 'A=<b>' -t my-api:latest .",
        "  builder  ran  50.5s",
        "  test     not built",
        "  <run>    cached",
        "  warning: line 3: a <warning>",
    ]
    assert repr(Build(RECORD)) == "<Build my-api:latest (builder: ran, test: not built, <run>: cached)>"


def test_nothing_of_the_dockerfile_becomes_html():
    """Names, commands and warnings are shown as text: none is taken for HTML."""
    shown = Build(RECORD)._repr_html_()
    for word in ("<b>", "<run>", "<warning>"):
        assert word not in shown
    assert "&lt;run&gt;" in shown


def test_a_record_passes_through():
    """What a build says of itself is what its record says."""
    build = Build(RECORD)
    assert (build.image_id, build.tag, build.log) == (RECORD.image_id, "my-api:latest", "all of it")
    assert (build.command, build.duration_s, build.warnings) == (RECORD.command, 61.2, RECORD.warnings)


def test_progress_says_each_thing_once():
    """A step's line is printed when it starts and when it ends, however often it is told; internal work is not."""
    told = []
    say = LinePrinter(told.append)
    begin, end = moment("2026-01-01T00:00:00Z"), moment("2026-01-01T00:00:02Z")
    step = Vertex("a", "[builder 1/2] RUN " + "x" * 200)
    for _ in range(3):
        say(VertexChanged(step))
    step.intervals[begin] = None
    for _ in range(3):
        say(VertexChanged(step))
    step.intervals[begin] = end
    for _ in range(3):
        say(VertexChanged(step))
    say(VertexChanged(Vertex("b", "[internal] load build context", intervals={begin: end})))
    started, ended = told
    assert "done 2.0s" in ended
    assert max(len(started), len(ended)) < 110


@pytest.mark.parametrize(("shell", "channel"), [(None, "err"), (SimpleNamespace(kernel="a kernel"), "out")])
def test_progress_goes_where_it_alarms_nobody(monkeypatch, capsys, shell, channel):
    """Progress is printed on standard error; in a notebook, which shows that on red, on standard output."""
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    builds._say("a step")
    assert getattr(capsys.readouterr(), channel) == "a step\n"
