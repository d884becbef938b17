"""BuildKit's words for a failed build, as it said them, and what the course says instead."""

from __future__ import annotations

from dmhelpers.measure.dockerfile import read_dockerfile
from dmhelpers.measure.events import Progress
from dmhelpers.measure.translate import build_error

# Engine 26.1.5 (BuildKit 0.13), 2026-11-24. It is not built here: the engine would keep that step's cache in use.
EMPTY_STAGE = """\
Dockerfile:3
--------------------
   1 |     FROM scratch
   2 |     FROM scratch
   3 | >>> COPY --from=0 /dist /dist
--------------------
ERROR: failed to solve: lstat /var/lib/docker/tmp/buildkit-mount1211375782/dist: no such file or directory
"""


def test_copy_source_that_is_not_in_an_empty_stage(project):
    """BuildKit says it in other words where the other stage has no file at all; it is the same fault."""
    folder = project({"Dockerfile": "FROM scratch\nFROM scratch\nCOPY --from=0 /dist /dist\n"})
    progress = Progress()
    progress.feed(EMPTY_STAGE)
    error = build_error(progress, read_dockerfile(folder), ())
    assert error.message == "Dockerfile line 3 (stage stage-1): there is no '/dist' in '0', which it copies from."
    assert "stage's root" in error.hint
