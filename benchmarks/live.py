"""A build with the live view against the same build that shows nothing, both in a notebook's kernel."""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.build import NODE, Project
from benchmarks.harness import Benchmark, Contender, Options, Target, compare, main
from benchmarks.results import Row
from dmhelpers.engine import bases
from dmhelpers.errors import BuildFailed

LINES = 20_000
_LIMIT_S = 300
_LIVE, _QUIET = 'dm.build(progress="live")', 'dm.build(progress="quiet")'
_TARGET = {_QUIET: Target("at most 1.05 times", 1.05)}
# The step prints without a pause; the view would gain nothing from one that waits between its lines.
_CHATTY = f"""\
FROM {NODE} AS chatty
COPY one-TOKEN.txt /
RUN node -e 'for (let i = 1; i <= {LINES}; i++) console.log("TOKEN line " + i)'
FROM scratch
COPY --from=chatty /one-TOKEN.txt /
"""


class Kernel:
    """A kernel as a notebook has it, whose messages are read as they come."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self._manager, self._client = start_new_kernel(kernel_name="python3")
        self.pictures = 0

    def run(self, code: str) -> None:
        """Run a cell to its end.

        Raises:
            BuildFailed: It raised an error.
        """
        reply = self._client.execute_interactive(code, timeout=_LIMIT_S, output_hook=self._take)
        if reply["content"]["status"] != "ok":
            raise BuildFailed(
                f"The cell {code!r} raised {reply['content'].get('ename')}: {reply['content'].get('evalue')}",
                hint="See what is wrong with: dmhelpers doctor",
            )

    def end(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def _take(self, message: Mapping[str, Any]) -> None:
        self.pictures += message["header"]["msg_type"] in {"display_data", "update_display_data"}


def measure(options: Options) -> list[Row]:
    """Compare where a step prints 20,000 lines, and where every step comes from the cache."""
    bases.ensure_many([NODE])
    with _project() as project, _kernel() as kernel:
        rows = _race(
            f"a step prints {LINES:,} lines", project, kernel, options.rounds, no_cache=True, targets=_TARGET
        )
        return rows + _race("every step cached", project, kernel, options.rounds, no_cache=False, targets={})


def _race(
    case: str, project: Project, kernel: Kernel, rounds: int, *, no_cache: bool, targets: Mapping[str, Target]
) -> list[Row]:
    def contender(name: str, style: str) -> Contender:
        code = f"dm.build({str(project.folder)!r}, tag={project.ours!r}, no_cache={no_cache}, progress={style!r});"
        return Contender(name, lambda: kernel.run(code), settle=lambda: project.note(project.ours))

    kernel.pictures = 0
    rows = compare(case, contender(_LIVE, "live"), [contender(_QUIET, "quiet")], rounds=rounds, targets=targets)
    sys.stdout.write(f"{case}: {kernel.pictures / (rounds + 1):.1f} pictures a live build\n")
    return rows


@contextmanager
def _kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    try:
        kernel.run("import dmhelpers as dm")
        yield kernel
    finally:
        kernel.end()


@contextmanager
def _project() -> Iterator[Project]:
    with tempfile.TemporaryDirectory(prefix="dmhelpers-bench-") as folder:
        project = Project(Path(folder), _CHATTY, secrets.token_hex(4))
        try:
            yield project
        finally:
            project.remove()


BENCHMARK = Benchmark(
    "live",
    "The live view of a build, against the same build without it",
    measure,
    rounds=11,
    quick_rounds=5,
    notes=(
        "Both run as cells of one kernel, timed from the request to the reply, with every message read as it comes.",
        "The first case has --no-cache. The second is the shortest build there is: what the view costs at least.",
    ),
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
