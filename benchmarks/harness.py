"""What the benchmarks share: interleaved pairs, medians of ratios, and the command around them.

A ratio is subject / peer within one pair of runs; the median over the pairs is reported. Both ran a moment
apart, so a busy machine slows both, and the ratio holds where seconds would not.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.results import EngineFacts, Row, engine_facts, report, table, write
from dmhelpers.errors import DmHelpersError

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the job.

    `settle` runs after each timed run, untimed. `counted` asks for the number of HTTP requests that one
    run makes in this process. A run that ends with one of `disturbed_by`, because somebody else changed
    the engine in the middle of it, is run and timed again.
    """

    name: str
    run: Callable[[], object]
    settle: Callable[[], object] | None = None
    counted: bool = False
    disturbed_by: tuple[type[Exception], ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """What the subject should reach against one peer: `of` is at most `at_most`, told as `text`."""

    text: str
    at_most: float
    of: Literal["ratio", "difference_s"] = "ratio"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for; `quick` leaves out what takes longest."""

    rounds: int
    quick: bool


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark: its name is that of its module and of its file under build/bench."""

    name: str
    title: str
    measure: Callable[[Options], list[Row]]
    rounds: int
    quick_rounds: int
    notes: Sequence[str] = field(default=())


def compare(
    case: str,
    subject: Contender,
    peers: Sequence[Contender],
    *,
    rounds: int,
    targets: Mapping[str, Target] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Row]:
    """Run the subject in pairs with each peer, and return a row a peer.

    The two of a pair run right after each other, now the one first, now the other; each peer's pairs
    come after those of the peer before, so that what a slow one stirs up does not touch the others.
    Both run once to warm up.

    Args:
        case: What is being done, for the table.
        subject: What the project offers.
        peers: What it is measured against.
        rounds: How many pairs each ratio is the median of.
        targets: What the subject should reach, by the peer's name.
        clock: Returns seconds.
    """
    rows = []
    for peer in peers:
        requests = [_warm_up(one, clock) for one in (subject, peer)]
        pairs = [_pair(subject, peer, clock, subject_first=number % 2 == 0) for number in range(rounds)]
        rows.append(_row(case, subject, peer, pairs, requests, (targets or {}).get(peer.name)))
    return rows


def _warm_up(contender: Contender, clock: Callable[[], float]) -> int | None:
    _timed(contender, clock)
    return len(requests_made(functools.partial(_timed, contender, clock))) if contender.counted else None


def _pair(
    subject: Contender, peer: Contender, clock: Callable[[], float], *, subject_first: bool
) -> tuple[float, float]:
    if subject_first:
        subject_s = _timed(subject, clock)
        return subject_s, _timed(peer, clock)
    peer_s = _timed(peer, clock)
    return _timed(subject, clock), peer_s


def requests_made(call: Callable[[], object]) -> list[str]:
    """Return the paths of the HTTP requests that a call makes in this process, whatever client it makes them with."""
    original = http.client.HTTPConnection.putrequest
    paths: list[str] = []

    def noting(connection: http.client.HTTPConnection, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        paths.append(url)
        original(connection, method, url, *args, **kwargs)

    # Every client here stands on the standard library's: docker-py by way of requests and urllib3.
    http.client.HTTPConnection.putrequest = noting  # type: ignore[method-assign,assignment]
    try:
        call()
    finally:
        http.client.HTTPConnection.putrequest = original  # type: ignore[method-assign]
    return paths


def _timed(contender: Contender, clock: Callable[[], float]) -> float:
    for attempt in range(1, _ATTEMPTS + 1):
        begun = clock()
        try:
            contender.run()
        except contender.disturbed_by:
            if attempt == _ATTEMPTS:
                raise
            continue
        break
    duration_s = clock() - begun
    if contender.settle is not None:
        contender.settle()
    return duration_s


def _row(
    case: str,
    subject: Contender,
    peer: Contender,
    pairs: Sequence[tuple[float, float]],
    requests: Sequence[int | None],
    target: Target | None,
) -> Row:
    ratio = statistics.median(one / other for one, other in pairs)
    difference_s = statistics.median(one - other for one, other in pairs)
    reached = {"ratio": ratio, "difference_s": difference_s}
    return Row(
        case=case,
        subject=subject.name,
        median_s=statistics.median(one for one, _ in pairs),
        peer=peer.name,
        peer_median_s=statistics.median(other for _, other in pairs),
        ratio=ratio,
        difference_s=difference_s,
        rounds=len(pairs),
        requests=requests[0],
        peer_requests=requests[1],
        target=target.text if target else None,
        met=reached[target.of] <= target.at_most if target else None,
    )


def main(benchmark: Benchmark, argv: Sequence[str] | None = None) -> int:
    """Run one benchmark as a command: measure, print the table, write the file.

    Args:
        benchmark: What to measure.
        argv: The command line; this process's own for None.

    Returns:
        0 whenever it measured, whatever the figures; 1 after an explained error, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark.name}", description=benchmark.title)
    parser.add_argument("--rounds", type=_positive, help=f"pairs to measure (default: {benchmark.rounds})")
    parser.add_argument("--quick", action="store_true", help="leave out what takes longest, with fewer rounds")
    arguments = parser.parse_args(argv)
    rounds = arguments.rounds or (benchmark.quick_rounds if arguments.quick else benchmark.rounds)
    # An ended benchmark must remove what it made, as an interrupted one does.
    ended = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        rows = benchmark.measure(Options(rounds, arguments.quick))
        engine = engine_facts()
    except DmHelpersError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: stopped; nothing was written.", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, ended)
    path = write(benchmark.name, report(rows, rounds=rounds, engine=engine, notes=benchmark.notes))
    _print(benchmark, rows, engine, path)
    return 0


def _print(benchmark: Benchmark, rows: Sequence[Row], engine: EngineFacts | None, path: Path) -> None:
    print(f"{benchmark.title}\n")
    if engine:
        print(
            f"Docker Engine {engine['version']}, buildx {engine['buildx']}, {engine['store']} image store, "
            f"{engine['platform']}; Python {platform.python_version()}"
        )
    print("Medians; a ratio is subject / peer, the median over interleaved pairs.\n")
    print(table(rows))
    print("".join(f"\n{note}" for note in benchmark.notes))
    print(f"Written: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number
