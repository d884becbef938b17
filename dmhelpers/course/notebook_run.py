"""Running notebooks in a fresh kernel, in a workspace of their own, and keeping only what is worth keeping."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dmhelpers.course.notebooks import METADATA, Json, Shelf, as_text, read, source, tags, write
from dmhelpers.engine.patience import patient
from dmhelpers.units import seconds

CELL_LIMIT_S = 300
"""Seconds that one cell may take: the slowest build of the course on a slow machine, twice."""

_ANSWER_LIMIT_S = 120
"""Seconds that a kernel may take to start, and to hand over what a cell showed: nothing of it is left out."""

_CELL_KEYS = ("tags", "dmhelpers")


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that raised what it should not have: its id, its source and the error as it was shown."""

    cell_id: str
    source: str
    error: str


@dataclass(frozen=True, slots=True)
class Run:
    """A notebook that ran: with its outputs, the cells that failed, and how long it took (kernel included)."""

    name: str
    notebook: Json
    failures: tuple[Failure, ...]
    duration_s: float


def execute(where: Shelf, names: Sequence[str]) -> int:
    """Run solutions and store their outputs; a notebook in which a cell fails stays as it was.

    Args:
        where: The notebooks.
        names: Which of them.

    Returns:
        0 when all ran, else 1.
    """
    from dmhelpers.engine.cleanup import cleanup

    code = 0
    for name in names:
        done = run(where.solution(name))
        if done.failures:
            code = 1
            cleanup()  # its own clean-up cell was not reached
            _say(f"{name}: failed after {seconds(done.duration_s)}, and stays as it was")
            for one in done.failures:
                _say(f"--- {one.cell_id}\n{one.source}\n--- raised\n{one.error}")
        else:
            changed = write(where.solution(name), done.notebook)
            _say(f"{name}: {seconds(done.duration_s)}, outputs {'stored' if changed else 'unchanged'}")
    return code


def run(
    path: Path,
    *,
    go_on: bool = False,
    environment: Mapping[str, str] | None = None,
    cell_limit_s: int = CELL_LIMIT_S,
) -> Run:
    """Run a notebook from its first cell to its last in a fresh kernel, and return it with its outputs.

    The kernel's folder is the notebook's; learners' files are safe: the workspace is a new, empty one.

    Args:
        path: The notebook; it is not written to.
        go_on: Run the cells after one that failed too.
        environment: What the kernel's environment has besides that of this process.
        cell_limit_s: Seconds that one cell may take, `DMHELPERS_PATIENCE` times as long where that is set.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.reads(as_text(read(path)), as_version=4)  # type: ignore[no-untyped-call]
    begun = time.perf_counter()
    stopped = ""
    with empty_workspace() as workspace:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=int(patient(cell_limit_s)),
            startup_timeout=int(patient(_ANSWER_LIMIT_S)),
            iopub_timeout=int(patient(_ANSWER_LIMIT_S)),
            raise_on_iopub_timeout=True,
            allow_errors=go_on,
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(path.parent)}},
        )
        try:
            client.execute(env={**os.environ, **_own(workspace), **(environment or {})})
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            stopped = str(error)
        except AssertionError as error:  # nbclient's own, where the kernel was killed before it could be asked
            stopped = str(error) or "The kernel was killed."
    done: Json = clean(notebook)
    failures = failures_of(done)
    if stopped and not failures:
        failures = (Failure("(the kernel)", "", stopped),)
    return Run(path.stem, done, failures, time.perf_counter() - begun)


def _own(workspace: Path) -> dict[str, str]:
    # What is stored is compared later: a view that changes while a build runs would never be the same.
    return {"DMHELPERS_WORKSPACE": str(workspace), "DMHELPERS_PROGRESS": "plain"}


@contextmanager
def empty_workspace() -> Iterator[Path]:
    """Give a new folder for working copies, which goes at the end."""
    with tempfile.TemporaryDirectory(prefix="dmhelpers-notebook-", ignore_cleanup_errors=True) as folder:
        # Outputs name the workspace's folder, so it is called what it is called for a learner.
        yield Path(folder) / "workspace"


def clean(notebook: Json) -> Json:
    """Return a notebook in its stored form: no timings, no widget states, nothing of the machine it ran on."""
    cells = []
    for cell in notebook["cells"]:
        kept = {key: value for key, value in cell["metadata"].items() if key in _CELL_KEYS}
        made: Json = {"cell_type": cell["cell_type"], "id": cell["id"], "metadata": kept}
        if cell["cell_type"] == "code":
            made |= {
                "execution_count": cell.get("execution_count"),
                "outputs": [_output(one) for one in cell["outputs"]],
            }
        cells.append(made | {"source": source(cell).splitlines(keepends=True)})
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def _output(output: Json) -> Json:
    made: Json = dict(output)
    if "metadata" in made:
        words = made["metadata"].get("image/png", {}).get("alt")
        made["metadata"] = {"image/png": {"alt": words}} if words else {}
    if "text" in made:
        made["text"] = _lines(made["text"])
    if "data" in made:
        made["data"] = {kind: _data(kind, value) for kind, value in made["data"].items() if "widget" not in kind}
    return made


def _data(kind: str, value: object) -> object:
    # Pictures are one line of base64 in the format's own files; all text is a list of lines.
    return _lines(value) if kind.startswith("text/") or kind == "image/svg+xml" else value


def _lines(value: object) -> object:
    return value.splitlines(keepends=True) if isinstance(value, str) else value


def failures_of(notebook: Json) -> tuple[Failure, ...]:
    """Return the cells whose output is an error, except those whose error is the lesson."""
    found = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and "raises-exception" not in tags(cell):
            errors = [one for one in cell["outputs"] if one["output_type"] == "error"]
            found += [Failure(cell["id"], source(cell), "\n".join(one["traceback"])) for one in errors]
    return tuple(found)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
