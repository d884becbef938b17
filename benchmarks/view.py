"""What the instructor's page asks every two seconds, in a room of a thousand, against making all of it anew."""

from __future__ import annotations

import gzip
import itertools
import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import Benchmark, Contender, Options, Target, compare, main
from benchmarks.results import Row
from dmhelpers.workshop.view import page
from dmhelpers.workshop.view.board import Board
from dmhelpers.workshop.view.grid import Limits, grid
from dmhelpers.workshop.view.reports import Check, Report, exercises, notebooks
from dmhelpers.workshop.view.store import Store

LEARNERS = 1000
REPORTS = 10
_ANEW = "all made anew"
_TARGET = {_ANEW: Target("at most 0.1 times", 0.1)}


def measure(options: Options) -> list[Row]:
    """Ask for what changed: by time alone, and with ten learners who reported meanwhile; and for all of it."""
    with tempfile.TemporaryDirectory(prefix="dmhelpers-bench-") as folder:
        path, names = Path(folder) / "progress.sqlite", itertools.cycle(range(LEARNERS))
        store, chance = Store(path), random.Random(1)  # noqa: S311  a room that is the same each time
        board = Board(store, Limits())
        for number in range(LEARNERS):
            _report(store, number, chance)
        board.table(everything=False)

        def some_report() -> None:
            for number in itertools.islice(names, REPORTS):
                _report(store, number, chance)

        def changes() -> str:
            return board.table(everything=False, since=board.version) or ""

        def ten_changes() -> str:
            version = board.version
            some_report()
            return board.table(everything=False, since=version) or ""

        peers = [Contender(_ANEW, lambda: _anew(path))]
        _say("all of it", _anew(path))
        _say("nobody reported", changes())
        _say(f"{REPORTS} learners reported", ten_changes())
        cases = {
            "nobody reported; minutes go on": changes,
            f"{REPORTS} of {LEARNERS:,} reported, their reports taken too": ten_changes,
        }
        rows = []
        for case, run in cases.items():
            rows += compare(case, Contender("what changed", run), peers, rounds=options.rounds, targets=_TARGET)
        whole = Contender("all of it, from memory", lambda: board.table(everything=False))
        return rows + compare("the page is opened", whole, peers, rounds=options.rounds)


def _anew(path: Path) -> str:
    """Make the table as a service without a memory does: rows read from the file, every cell made."""
    found = grid(Store(path).learners(), now=time.time(), limits=Limits())
    return page.table(found, page.opened_columns(found))


def _report(store: Store, number: int, chance: random.Random) -> None:
    """Have a learner report who is somewhere in the course; a quarter of them are stuck there."""
    now, at = time.time(), chance.randrange(1, len(exercises()))
    checks = {one.number: Check(True, chance.randrange(1, 5), now - 5000, now - 4000) for one in exercises()[:at]}
    last = exercises()[at]
    checks[last.number] = Check(False, chance.choice((1, 1, 1, 2, 2, 3)), now - chance.randrange(660))
    opened = {name: now - 3000 + place for place, name in enumerate(notebooks()) if name <= last.notebook}
    store.put(f"learner-{number:04d}", Report(False, opened, checks), now=now)


def _say(what: str, text: str) -> None:
    raw = text.encode()
    sys.stdout.write(f"{what}: {len(raw):,} bytes, {len(gzip.compress(raw, 6)):,} compressed\n")


BENCHMARK = Benchmark(
    "view",
    "The instructor's page in a room of a thousand, asked for what changed",
    measure,
    rounds=21,
    quick_rounds=7,
    notes=(
        "Without the hub's answer to who is asking, and without compression, which the service leaves to tornado.",
        "All made anew: the rows read from the file and every cell written, as the service did for each question.",
    ),
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
