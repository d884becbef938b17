"""`import dmhelpers` against an empty Python start-up."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.harness import Benchmark, Contender, Options, Target, compare, main
from benchmarks.results import Row


def measure(options: Options) -> list[Row]:
    """Start Python with the import and with nothing to do, in turn."""
    return compare(
        "new process",
        Contender("import dmhelpers", lambda: _python("import dmhelpers")),
        [Contender("pass", lambda: _python("pass"))],
        rounds=options.rounds,
        targets={"pass": Target("at most 60 ms more", 0.060, of="difference_s")},
    )


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


BENCHMARK = Benchmark("imports", "import dmhelpers, in a new Python process", measure, rounds=41, quick_rounds=11)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
