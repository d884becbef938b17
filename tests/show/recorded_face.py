"""Every public call that shows something, once: run it while recording, then again in recorded mode.

It prints JSON: for each call, all that it shows. It is a script so that each run is a process of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import requests

import dmhelpers as dm
from dmhelpers.course.puzzles.records import Judged

SERVER = "require('http').createServer((asked, answer) => answer.end('hello')).listen(80)"
DOCKERFILE = """\
FROM node:20-alpine AS builder
RUN echo made > /made.txt
FROM node:20-alpine AS runtime
COPY --from=builder /made.txt /made.txt
CMD ["cat", "/made.txt"]
"""


def shown(value):
    """Return what a value shows: as text, in a notebook, and what it carries along."""
    if hasattr(value, "get_xlabel"):
        return [value.get_xlabel()]
    parts = [str(value), repr(value)]
    for name in ("_repr_html_", "svg"):
        part = getattr(value, name, None)
        parts += [part() if callable(part) else part] if part else []
    return parts


def face(folder):
    """Call what is public, and return what each call gave."""
    (folder / "Dockerfile").write_text(DOCKERFILE)
    dm.predict("x", size="1MB")
    small, large = "face:latest", "face:builder"
    build = dm.build(folder, tag=small, progress="quiet")
    dm.build(folder, tag=large, target="builder", progress="quiet")
    compared = dm.compare(large, small, base="node:20-alpine")
    given = {
        "doctor": dm.doctor(),
        "build": build,
        "steps": build.steps,
        "stages of a build": build.stages,
        "classic_build": dm.classic_build(folder),
        "images": dm.images("face"),
        "history": dm.history(small),
        "compare": compared,
        "compare by kind": dm.compare(large, small, by="kind"),
        "a part of a table": compared[["image", "size_bytes"]].head(1),
        "readable": dm.readable(compared[["image", "size_bytes"]]),
        "contents": dm.contents(small),
        "contents by kind": dm.contents(small, by="kind"),
        "contents by layer": dm.contents(small, by="layer"),
        "left_behind": dm.left_behind(large, small),
        "packages": dm.packages(small),
        "attack_surface": dm.attack_surface(small),
        "plot_sizes": dm.plot_sizes(compared),
        "plot_layers": dm.plot_layers(large, small),
        "plot_reduction": dm.plot_reduction(large, small),
        "plot_treemap": dm.plot_treemap(small),
        "compare_steps": dm.compare_steps(build, build),
        "plot_timeline": dm.plot_timeline(build),
        "treemap": dm.treemap(small),
        "stage_graph": dm.stage_graph(folder, build=build),
        "compare_guess": dm.compare_guess("x", size=1_000_000),
        "claim": dm.claim("One is one", expected=1, measured=1, holds=True),
        "check": dm.check("01-a"),
        "parsons": Judged("x", "X", done=True),
        "quiz": dm.quiz(folder).answer([1]),
        "run": dm.run(small),
    }
    made = {name: shown(value) for name, value in given.items()}
    tables = [value for value in given.values() if hasattr(value, "attrs")]
    made["attrs"] = [list(table.attrs.get("recorded", {}).items()) for table in tables]
    made["printed"] = [given["run"].stdout]
    made["serve"], made["answer"] = served(large)
    return made


def served(image):
    """Return what a served container shows, and what it answers: the body, and the header that tells where from."""
    with dm.serve(image, port=80, command=["node", "-e", SERVER]) as serving:
        answer = requests.get(serving.url, timeout=60)
        return shown(serving), [answer.text, answer.headers.get("X-Recorded", "")]


if __name__ == "__main__":
    try:
        made = face(Path(sys.argv[1]))
    finally:
        removed = dm.cleanup()
    answer = json.dumps({**made, "cleanup": shown(removed)})
    sys.stdout.write(f"\n{answer}\n")
