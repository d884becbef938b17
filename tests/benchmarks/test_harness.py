"""The benchmarks' harness: pairs, order, targets, and what a reader gets."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable

import pytest

from benchmarks import harness, results
from benchmarks.harness import Benchmark, Contender, Options, Target, compare
from benchmarks.results import Row
from dmhelpers.errors import EngineUnavailable


class Watch:
    """A clock that stands still except for the seconds that a contender says it takes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def __call__(self) -> float:
        """Return the seconds so far."""
        return self.now

    def contender(self, name: str, *seconds: float, **more) -> Contender:
        """Return a contender that takes these seconds in turn: the first is its warm-up."""
        left = list(seconds)

        def run() -> None:
            self.order.append(name)
            self.now += left.pop(0)

        return Contender(name, run, **more)


@pytest.fixture
def watch() -> Watch:
    """Give each test a watch of its own."""
    return Watch()


def test_ratio_is_the_median_of_the_pairs_ratios(watch):
    """A ratio pairs what ran one right after the other; it is not the ratio of the two medians."""
    subject = watch.contender("subject", 0, 1, 10, 6)
    peer = watch.contender("peer", 0, 2, 5, 12)

    (row,) = compare("case", subject, [peer], rounds=3, clock=watch)

    assert row.ratio == pytest.approx(0.5)  # of 0.5, 2.0 and 0.5; the medians are 6 and 5
    assert row.difference_s == pytest.approx(-1)  # of -1, 5 and -6


def test_warm_up_is_not_measured(watch):
    """Each runs once before the rounds, and that run counts nowhere."""
    (row,) = compare(
        "case", watch.contender("subject", 100, 1), [watch.contender("peer", 100, 2)], rounds=1, clock=watch
    )

    assert (row.median_s, row.peer_median_s, row.rounds) == (1, 2, 1)


def test_pairs_run_back_to_back_and_take_turns_in_going_first(watch):
    """Subject and peer alternate, in changing order, and one peer's pairs are over before the next one's begin."""
    subject, peers = watch.contender("a", *[1] * 8), [watch.contender(name, *[1] * 4) for name in "bc"]

    compare("case", subject, peers, rounds=3, clock=watch)

    assert "".join(watch.order) == "ab" + "abbaab" + "ac" + "accaac"


def test_settling_is_not_timed(watch):
    """What a contender does after its run takes no part in its time."""

    def settle() -> None:
        watch.now += 50

    subject = watch.contender("subject", 0, 1, settle=settle)

    (row,) = compare("case", subject, [watch.contender("peer", 0, 1)], rounds=1, clock=watch)

    assert row.median_s == 1


def test_disturbed_run_is_timed_again(watch):
    """A run that somebody else's change to the engine ended is left out of the figures."""
    left: list[Callable[[], None]] = [lambda: None, _raise_lookup, lambda: None]

    def run() -> None:
        watch.now += 1
        left.pop(0)()

    subject = Contender("subject", run, disturbed_by=(LookupError,))

    (row,) = compare("case", subject, [watch.contender("peer", 0, 1)], rounds=1, clock=watch)

    assert row.median_s == 1


def test_disturbance_that_lasts_is_raised(watch):
    """A contender that always fails ends the benchmark instead of running for ever."""
    subject = Contender("subject", _raise_lookup, disturbed_by=(LookupError,))

    with pytest.raises(LookupError):
        compare("case", subject, [watch.contender("peer", 0, 1)], rounds=1, clock=watch)


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("at most 1.3 times", 1.3), False),
        (Target("at most 1.5 times", 1.5), True),
        (Target("at most 1 s more", 1.0, of="difference_s"), True),
        (Target("at most 0.9 s more", 0.9, of="difference_s"), False),
    ],
)
def test_target_is_held_against_its_own_figure(watch, target, met):
    """A target on the difference looks at seconds, one on the ratio at the ratio; the limit itself is met."""
    (row,) = compare(
        "case",
        watch.contender("subject", 0, 3),
        [watch.contender("peer", 0, 2)],
        rounds=1,
        targets={"peer": target},
        clock=watch,
    )

    assert (row.target, row.met) == (target.text, met)


def test_only_the_peer_that_is_named_has_the_target(watch):
    """Peers without a target say neither yes nor no."""
    rows = compare(
        "case",
        watch.contender("subject", 0, 1, 0, 1),
        [watch.contender("one", 0, 1), watch.contender("two", 0, 1)],
        rounds=1,
        targets={"two": Target("faster", 1.0)},
        clock=watch,
    )

    assert [(row.peer, row.met) for row in rows] == [("one", None), ("two", True)]


def test_requests_are_counted_whatever_makes_them():
    """Every HTTP request of the process counts, and the counting ends with the call."""
    original = http.client.HTTPConnection.putrequest

    def call() -> None:
        for path in ("/one", "/two"):
            http.client.HTTPConnection("localhost").putrequest("GET", path)

    assert harness.requests_made(call) == ["/one", "/two"]
    assert http.client.HTTPConnection.putrequest is original


def test_counted_contenders_tell_their_requests():
    """The row carries the requests of one run, and nothing for those that were not counted."""

    def ask() -> None:
        http.client.HTTPConnection("localhost").putrequest("GET", "/")

    (row,) = compare(
        "case", Contender("subject", ask, counted=True), [Contender("peer", ask)], rounds=1, clock=_ticks()
    )

    assert (row.requests, row.peer_requests) == (1, None)


def test_file_has_the_project_s_schema(tmp_path):
    """The JSON file holds created, rounds and, in each row, case, subject, peer, both medians and the ratio."""
    content = results.report([_row()], rounds=7, engine={"version": "26.1.5"}, notes=("a note",))
    path = results.write("images", content, folder=tmp_path / "bench")

    written = json.loads(path.read_text(encoding="utf-8"))
    (row,) = written["rows"]
    assert path == tmp_path / "bench" / "images.json"
    assert {"created", "rounds", "rows", "engine", "platform", "notes"} <= written.keys()
    assert (written["rounds"], written["engine"]) == (7, {"version": "26.1.5"})
    expected = {
        "case": "10 images",
        "subject": "dm.images()",
        "median_s": 0.005,
        "peer": "docker images",
        "peer_median_s": 0.05,
        "ratio": 0.1,
    }
    assert {name: row[name] for name in expected} == expected


def test_table_leaves_out_columns_without_a_cell():
    """A benchmark that counts no requests has no such column; milliseconds and ratios are readable."""
    with_requests, without = results.table([_row(requests=1)]), results.table([_row()])

    assert "requests" in with_requests
    assert "requests" not in without
    assert "5.0 ms" in without
    assert "0.100" in without
    assert without.splitlines()[-1].endswith("yes")


def test_missed_target_still_ends_with_0(tmp_path, monkeypatch, capsys):
    """A benchmark measures and does not judge: a target that was missed is printed, and the exit code is 0."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(harness, "engine_facts", lambda: None)
    seen: list[Options] = []

    def measure(options: Options) -> list[Row]:
        seen.append(options)
        return [_row(met=False)]

    code = harness.main(Benchmark("slow", "A slow one", measure, rounds=9, quick_rounds=3), ["--quick"])

    assert code == 0
    assert seen == [Options(rounds=3, quick=True)]
    assert any(line.endswith("  no") for line in capsys.readouterr().out.splitlines())
    assert json.loads((tmp_path / "slow.json").read_text())["rounds"] == 3


def test_explained_error_ends_with_1_and_writes_nothing(tmp_path, monkeypatch, capsys):
    """Without an engine, the sentence and its cure are printed, and no file pretends to figures."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)

    def measure(options: Options) -> list[Row]:
        raise EngineUnavailable("No engine.", hint="Start one.")

    assert harness.main(Benchmark("none", "None", measure, rounds=1, quick_rounds=1), []) == 1
    assert "No engine.\nStart one." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_interrupt_ends_with_130(tmp_path, monkeypatch, capsys):
    """Ctrl-C ends a benchmark as it ends every command, and nothing is written."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)

    def measure(options: Options) -> list[Row]:
        raise KeyboardInterrupt

    assert harness.main(Benchmark("stopped", "Stopped", measure, rounds=1, quick_rounds=1), []) == 130
    assert list(tmp_path.iterdir()) == []


def _raise_lookup() -> None:
    raise LookupError


def _ticks() -> Callable[[], float]:
    ticks = iter(range(1000))
    return lambda: float(next(ticks))


def _row(*, requests: int | None = None, met: bool = True) -> Row:
    return Row(
        case="10 images",
        subject="dm.images()",
        median_s=0.005,
        peer="docker images",
        peer_median_s=0.05,
        ratio=0.1,
        difference_s=-0.045,
        rounds=7,
        requests=requests,
        target="faster",
        met=met,
    )
