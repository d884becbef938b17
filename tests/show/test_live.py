"""The live view of a build: what it says at any moment of recorded builds, how it is drawn, and how often."""

from __future__ import annotations

import re
import time
from xml.etree import ElementTree as ET

import pytest

from dmhelpers.errors import BuildFailed, DockerfileError, InputError
from dmhelpers.measure.events import LogLine, Progress, StatusChanged, Vertex, VertexChanged, decode, moment
from dmhelpers.measure.records import BuildRecord
from dmhelpers.measure.steps import stage_states
from dmhelpers.measure.translate import build_error
from dmhelpers.show import builds
from dmhelpers.show.live.driver import PERIOD_S, LiveView
from dmhelpers.show.live.model import FAILED_LOG_LINES, LOG_LINES, LiveBuild
from dmhelpers.show.live.picture import to_html
from dmhelpers.show.live.tail import Tail
from dmhelpers.show.live.words import headline, state_words, to_text
from tests.measure.test_recorded_builds import CASES, RECORDINGS, load, raw

VERSION = "0.29.1"
LIMIT_S = 120


class Clock:
    """Seconds that pass only when a test says so."""

    now = 100.0

    def __call__(self):
        """Return the time."""
        return self.now


def replay(case, *, until=lambda _event: False, version=VERSION):
    """Feed a recorded build's events to a model up to and with the first that `until` accepts; return both."""
    recording = load(case, version)
    target = recording.dockerfile.find(recording.target)
    clock = Clock()
    model = LiveBuild(recording.dockerfile, target, title="demo:latest", clock=clock)
    over = []

    def listen(event):
        if not over:
            model(event)
            clock.now += 0.01
            over.extend([event] if until(event) else [])

    progress = Progress(listen)
    for value in decode(raw(case, version).splitlines(keepends=True)):
        progress.feed(value)
    return model, recording, clock


def record_of(recording):
    """Return the record that a recorded build would have made."""
    steps = recording.steps()
    states = stage_states(recording.dockerfile, steps, recording.dockerfile.find(recording.target))
    return BuildRecord("sha256:0", "demo:latest", "x", "docker build .", 2.0, steps, states, "", (), "names")


def ended(case, *, version=VERSION):
    """Return the last view of a recorded build."""
    model, recording, _ = replay(case, version=version)
    if any(one.error for one in recording.progress.vertexes.values()):
        model.fail(build_error(recording.progress, recording.dockerfile, recording.steps()))
    else:
        model.succeed(record_of(recording))
    return model.view()


def starts(words):
    """Say whether an event is the start of a step whose name has these words."""
    return lambda event: (
        isinstance(event, VertexChanged)
        and words in event.vertex.name
        and event.vertex.started is not None
        and not event.vertex.done
    )


def states(view):
    """Return the stages' states by label."""
    return {one.label: one.state for one in view.stages}


def test_before_the_first_event_every_step_waits():
    """The plan is there from the beginning: each needed stage with its steps, all waiting, in file order."""
    recording = load("two_stages", VERSION)
    model = LiveBuild(recording.dockerfile, recording.dockerfile.find(None), title="demo", clock=Clock())
    view = model.view()
    assert [one.label for one in view.stages] == [one.label for one in recording.dockerfile.stages]
    assert {step.state for stage in view.stages for step in stage.steps} == {"waiting"}
    assert set(states(view).values()) == {"waiting"}


def test_a_running_step_shows_its_seconds_and_its_last_lines():
    """In the middle of a long log the step runs, timed by our clock, and only its last lines stand there."""
    lines = []

    def middle(event):
        lines.extend([event] if isinstance(event, LogLine) else [])
        return len(lines) == 100

    model, _, clock = replay("long_log", until=middle)
    clock.now += 5
    view = model.view()
    (step,) = [one for one in view.stages[0].steps if one.state == "running"]
    assert step.instruction.startswith("RUN i=0")
    assert 5 <= step.duration_s < 10
    assert states(view) == {"chatty": "running", "stage-1": "waiting"}
    (log,) = view.logs
    assert len(log.lines) == LOG_LINES
    assert all(re.fullmatch(r"line \d+", one) for one in log.lines[:-1])
    assert "running" in to_text(view)


def test_cached_steps_are_marked():
    """A second build of the same says cached at each step and each stage, and has no seconds."""
    view = ended("cached")
    assert set(states(view).values()) == {"cached"}
    work = [step for stage in view.stages for step in stage.steps if not step.instruction.startswith("FROM")]
    assert {state_words(one) for one in work} == {"cached"}


def test_a_stage_that_is_not_built_says_why():
    """From the first moment on, a stage that the target does not need is not built, with the reason and no steps."""
    for view in (replay("skipped_test_stage")[0].view(), ended("skipped_test_stage")):
        (skipped,) = [one for one in view.stages if one.state == "not built"]
        assert skipped.label == "test"
        assert skipped.reason.endswith("does not depend on it")
        assert skipped.steps == ()
        assert skipped.reason in to_text(view)
        assert skipped.reason in to_html(view)


def test_a_failure_has_its_excerpt_its_cure_and_its_log():
    """A failed RUN shows the first error, its Dockerfile line marked, what to do, and what the step printed last."""
    model, recording, _ = replay("failing_run")
    error = build_error(recording.progress, recording.dockerfile, recording.steps())
    model.fail(error)
    view = model.view()
    assert view.phase == "failed"
    assert "failed" in states(view).values()
    assert (view.failure.message, view.failure.cure) == (error.message, error.hint)
    assert [one.line for one in view.failure.excerpt if one.meant] == [error.line]
    assert view.logs == (), "the message has all that the step printed"
    assert "about to fail" in to_text(view)
    assert "about to fail" in to_html(view)
    assert f"> {error.line:>3} | RUN" in to_text(view)


def test_a_failure_shows_what_the_step_printed_last():
    """Where the message has not all of it, the last lines of the step that failed stand there, and no other's."""
    model, _, _ = replay("failing_run")
    (failed,) = [one.vertex.digest for one in model._work.values() if one.vertex.error]
    model(LogLine(failed, "".join(f"line {number}\n" for number in range(100))))
    model.fail(BuildFailed("It broke.", hint="Mend it."))
    (log,) = model.view().logs
    assert len(log.lines) == FAILED_LOG_LINES
    assert log.lines[-1] == "line 99"


def test_a_shell_variable_is_no_formula():
    """Instructions and logs, which have dollar signs, stand in code, and the whole is marked as not to be typeset."""
    model, _, _ = replay("long_log", until=lambda event: isinstance(event, LogLine))
    root = ET.fromstring(to_html(model.view()))  # noqa: S314  our own
    assert "mathjax_ignore" in root.get("class")
    holding = [one.tag for one in root.iter() if "$" in (one.text or "")]
    assert holding
    assert set(holding) <= {"code", "pre"}


def test_what_a_failure_stopped_did_not_run():
    """Beside a step that failed, running ones are cancelled and later ones not run; nothing is still waiting."""
    view = ended("failing_beside")
    left = {step.state for stage in view.stages for step in stage.steps}
    assert "failed" in left
    assert left & {"cancelled", "not run"}
    assert not left & {"waiting", "running"}


def test_an_interrupt_leaves_a_final_state_that_says_so():
    """After an interrupt the step that ran is cancelled, the rest not run, and the heading says what it means."""
    model, _, clock = replay("long_log", until=starts("RUN i=0"))
    model.cancel()
    clock.now += 60
    view = model.view()
    assert "interrupted" in headline(view)
    assert "nothing was tagged" in headline(view)
    assert view.duration_s < 5
    assert states(view) == {"chatty": "cancelled", "stage-1": "not run"}
    assert view.logs == ()


@pytest.mark.parametrize(("case", "version"), RECORDINGS)
def test_the_last_view_agrees_with_the_record(case, version):
    """When a build ended well, the view has the states that the build's own tables have."""
    view, recording = ended(case, version=version), load(case, version)
    if view.phase == "built":
        assert states(view) == recording.states()
        told = {(stage.label, one.number): one.state for stage in view.stages for one in stage.steps}
        assert told == {(one.stage, one.number): one.state for one in recording.steps()}


def test_bytes_are_told():
    """Bytes sent and fetched stand there in Docker's units, an image's layers added up, with the whole if known."""
    recording = load("two_stages", VERSION)
    model = LiveBuild(recording.dockerfile, recording.dockerfile.find(None), title="demo", clock=Clock())
    context = Vertex("c", "[internal] load build context", intervals={moment("2026-01-01T00:00:00Z"): None})
    label = recording.dockerfile.stages[0].label
    base = Vertex("b", f"[{label} 1/3] FROM docker.io/library/node:20-alpine", intervals=dict(context.intervals))
    for event in (
        VertexChanged(context),
        StatusChanged("c", "transferring", 2_300_000, 0, "transferring context:"),
        VertexChanged(base),
        StatusChanged("b", "downloading", 12_000_000, 40_000_000, "sha256:1"),
        StatusChanged("b", "downloading", 1_000_000, 8_000_000, "sha256:2"),
        StatusChanged("b", "extract", 0, 0, "extracting sha256:2"),
    ):
        model(event)
    view = model.view()
    assert "build context: 2.3MB sent" in view.work
    assert view.stages[0].steps[0].moved == "13MB of 48MB fetched"
    assert "13MB of 48MB fetched" in to_html(view)


@pytest.mark.parametrize("case", CASES)
def test_the_same_view_is_drawn_the_same(case):
    """The same view gives the same HTML, well formed, without an id, a script, or anything from outside."""
    view = ended(case)
    drawn = to_html(view)
    assert drawn == to_html(view)
    root = ET.fromstring(drawn)  # noqa: S314  our own
    assert root.get("aria-label") == headline(view)
    assert all(one.get("id") is None for one in root.iter())
    assert not re.search(r"<script|<style|https?://|url\(|@import", drawn)
    for picture in root.iter("svg"):
        assert picture.get("role") == "img"
        assert picture.get("aria-label")


@pytest.mark.parametrize("case", CASES)
def test_no_meaning_rests_on_colour_or_drawing(case):
    """With every drawing and style taken away, each stage's and step's state is still there as a word."""
    view = ended(case)
    bare = re.sub(r"<svg.*?</svg>|<[^>]*>", " ", to_html(view), flags=re.DOTALL)
    for stage in view.stages:
        assert stage.label in bare
        assert stage.state in bare
        assert all(step.state in bare for step in stage.steps)


def test_nothing_of_a_build_becomes_html():
    """Names, log lines and errors are shown as text, whatever characters are in them."""
    model, _, _ = replay("failing_run", until=starts("RUN"))
    model.say("<b>said</b>")
    model.fail(BuildFailed("<i>message</i>\x00", hint="<u>cure</u>", line=3))
    drawn = to_html(model.view())
    assert not re.search(r"<b>|<i>|<u>|\x00", drawn)
    assert "&lt;i&gt;message&lt;/i&gt;" in drawn


def test_a_tail_keeps_the_end_only():
    """However much is printed, the memory and the lines are bounded; the last lines are whole."""
    tail = Tail()
    for number in range(50_000):
        tail.add(f"line {number}\n")
    assert tail.lines(3) == ("line 49997", "line 49998", "line 49999")
    tail.add("x" * 1_000_000)
    assert sum(map(len, tail._pieces)) <= 64 * 4000
    assert [len(one) for one in tail.lines(5)] == [160]


def test_a_tail_reads_like_a_terminal():
    """Colours go, a progress bar shows its last state, and a registry's address is left out."""
    tail = Tail()
    for piece in (
        "\x1b[32mgre",
        "en\x1b[0m\r\n",
        "10%\r50%\r100%\n",
        "\ttab\x07\n",
        "npm http https://r.example/a\n",
    ):
        tail.add(piece)
    assert tail.lines(9) == ("green", "100%", "    tab", "npm http https://…/a")


class Screen:
    """Stands in for IPython's display: keeps every bundle with its time."""

    def __init__(self):
        self.shown = []

    def show(self, bundle):
        """Keep the first bundle."""
        self.shown.append((time.monotonic(), bundle))
        return self

    def update(self, bundle, *, raw):
        """Keep a later one."""
        assert raw
        self.shown.append((time.monotonic(), bundle))

    def wait_for(self, seen):
        """Wait until what was shown is as asked."""
        deadline = time.monotonic() + LIMIT_S
        while not seen(self.shown):
            assert time.monotonic() < deadline, self.shown[-1:]
            time.sleep(0.01)


def watched(screen):
    """Return a live view of the recorded build with the long log, and its events' digest."""
    recording = load("long_log", VERSION)
    view = LiveView(lambda: (recording.dockerfile, recording.dockerfile.find(None)), title="demo", show=screen.show)
    (running,) = [one for one in recording.progress.vertexes.values() if "RUN i=0" in one.name]
    vertex = Vertex("a", running.name, intervals={running.started: None})
    return view, vertex, recording


def test_a_flood_of_lines_is_drawn_six_times_a_second():
    """20,000 lines in a second make about six pictures, and the last one has the last line."""
    screen = Screen()
    view, vertex, recording = watched(screen)
    begun = time.monotonic()
    with view.watching() as succeed:
        view.listen(VertexChanged(vertex))
        for number in range(20_000):
            view.listen(LogLine("a", f"line {number}\n"))
            if number % 2000 == 0:
                time.sleep(0.1)
        screen.wait_for(lambda shown: "line 19999" in shown[-1][1]["text/html"])
        succeed(record_of(recording))
    spent = time.monotonic() - begun
    assert 3 <= len(screen.shown) <= spent / PERIOD_S + 2
    assert "built in" in screen.shown[-1][1]["text/plain"]


def test_the_seconds_move_on_while_nothing_is_printed():
    """A step that prints nothing still shows how long it has been running."""
    screen = Screen()
    view, vertex, recording = watched(screen)
    with view.watching() as succeed:
        view.listen(VertexChanged(vertex))
        screen.wait_for(lambda shown: len({bundle["text/plain"] for _, bundle in shown}) >= 3)
        succeed(record_of(recording))


@pytest.mark.parametrize(
    ("raised", "words"),
    [(KeyboardInterrupt(), "interrupted"), (BuildFailed("It broke.", hint="Mend it."), "Mend it.")],
)
def test_whatever_ends_a_build_ends_its_view(raised, words):
    """An interrupt or an error passes through, and the view is left in a final state that says so."""
    screen = Screen()
    view, vertex, _ = watched(screen)

    def build():
        with view.watching():
            view.listen(VertexChanged(vertex))
            raise raised

    with pytest.raises(type(raised)):
        build()
    assert words in screen.shown[-1][1]["text/plain"]
    assert view._thread is not None
    assert not view._thread.is_alive()


def test_a_build_that_is_refused_shows_nothing():
    """Where the build never began there is only its error, no empty view."""
    screen = Screen()
    view, _, _ = watched(screen)
    with pytest.raises(DockerfileError), view.watching():
        raise DockerfileError("No.", hint="Mend it.")
    assert screen.shown == []


@pytest.mark.parametrize(
    ("asked", "said", "notebook", "terminal", "style"),
    [
        ("auto", "", True, False, "live"),
        ("auto", "plain", True, False, "plain"),
        ("auto", "quiet", True, False, "quiet"),
        ("auto", "auto", True, False, "live"),
        ("auto", "", False, True, "plain"),
        ("auto", "live", False, True, "plain"),
        ("auto", "live", False, False, "quiet"),
        ("live", "plain", True, False, "live"),
        ("live", "", False, True, "plain"),
        ("plain", "live", True, False, "plain"),
        ("quiet", "live", True, False, "quiet"),
    ],
)
def test_how_a_build_is_shown(monkeypatch, asked, said, notebook, terminal, style):
    """What a call asks for wins over the environment, and that over what fits; live needs a notebook."""
    monkeypatch.setenv("DMHELPERS_PROGRESS", said)
    monkeypatch.setattr(builds, "_in_a_notebook", lambda: notebook)
    monkeypatch.setattr(builds, "_watched", lambda: notebook or terminal)
    assert builds._style(asked) == style


def test_a_mistyped_style_is_refused(monkeypatch):
    """A style that does not exist is an error that offers the near one, in a call and in the environment."""
    with pytest.raises(InputError, match="'quiet'"):
        builds._style("quite")
    monkeypatch.setenv("DMHELPERS_PROGRESS", "palin")
    monkeypatch.setattr(builds, "_watched", lambda: True)
    with pytest.raises(InputError, match="DMHELPERS_PROGRESS=palin"):
        builds._style("auto")
