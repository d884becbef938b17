"""Inside a notebook's kernel: note how long builds, containers and clean-up take. benchmarks/course.py starts it."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOG = "DMHELPERS_BENCH_CLOCK"
KEEP_CACHE = "DMHELPERS_BENCH_KEEP_CACHE"


def start() -> None:
    """Wrap what runs on the engine before a notebook imports it; each outermost call becomes a line of JSON."""
    from dmhelpers.engine import cleanup, client, containers
    from dmhelpers.measure import build

    clock = _Clock(Path(os.environ[LOG]))
    client.docker_cli = clock.around("command", client.docker_cli)
    containers.run = clock.around("container", containers.run)
    containers.serve = clock.around("container", containers.serve)
    build.run_build = clock.around("build", build.run_build)
    if os.environ.get(KEEP_CACHE) == "1":
        # What the first run built stays cached for the second one; the benchmark removes it in the end.
        cleanup.remove_cache_records = lambda _: 0
    cleanup.cleanup = clock.around("clean-up", cleanup.cleanup)


class _Clock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._depth = 0

    def around(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call with a clock around it."""

        @functools.wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            begun, result = time.perf_counter(), None
            self._depth += 1
            try:
                result = call(*args, **kwargs)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._note(kind, time.perf_counter() - begun, result)
            return result

        return timed

    def _note(self, kind: str, duration_s: float, result: Any) -> None:
        steps = getattr(result, "steps", ()) if kind == "build" else ()
        line = {"kind": kind, "duration_s": duration_s, "steps": len(steps)}
        line["cached"] = sum(one.state == "cached" for one in steps)
        with self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
