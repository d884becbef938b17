"""A small notebook that keeps every rule, and a run of nbval as `make test` does it."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dmhelpers.course.notebooks import METADATA, Shelf, write
from dmhelpers.engine.places import state_folder

ROOT = Path(__file__).parent.parent.parent
SANITIZE = ROOT / "notebooks" / "sanitize.cfg"
CELL_LIMIT_S = 900
NBVAL_LIMIT_S = 3000
PATIENT_NBVAL = "tests.notebooks.patient_nbval"
OPENING = """\
# 05 · Building and measuring

You will

- build an image,
- measure it,
- say what it holds.

Reading and doing take about 20 minutes, and 300 MB of disk."""


def text(cell_id: str, words: str, *tags: str) -> dict[str, Any]:
    """Return a text cell."""
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "markdown", "id": cell_id, "metadata": metadata, "source": words.splitlines(keepends=True)}


def code(cell_id: str, words: str, *tags: str, stub: str | None = None) -> dict[str, Any]:
    """Return a code cell that was not run."""
    cell = text(cell_id, words, *tags)
    if stub is not None:
        cell["metadata"]["dmhelpers"] = {"stub": stub}
    return cell | {"cell_type": "code", "execution_count": None, "outputs": []}


CELLS = [
    text("05-01", OPENING),
    text("05-02", "This cell gets the course ready."),
    code("05-03", "import dmhelpers as dm\n%load_ext dmhelpers", "setup"),
    text("05-04", "Guess first."),
    code("05-05", "guess = 3", "predict"),
    text("05-06", "`docker images` lists them; this cell counts."),
    code("05-07", "print('seen: 3')\nguess", "do"),
    text("05-08", "The exercise says that there are three."),
    code("05-09", "dm.claim('There are three', expected=3, measured=guess, holds=guess == 3)", "claim"),
    text("05-10", "Your turn: how many are there?"),
    code("05-11", "answer = 3", "exercise", stub="answer = ...  # your number\n"),
    text("05-12", "See whether it is right."),
    code("05-13", 'def look(): return dm.check("05-a")', "check"),
    text("05-14", "Stuck? Run this cell."),
    code("05-15", 'def help(): return dm.hint("05-a")', "hint"),
    text("05-16", "And once more."),
    code("05-17", "another = 4", "exercise", stub="another = ..."),
    text("05-18", "See whether it is right."),
    code("05-19", 'def look_again(): return dm.check("05-b")', "check"),
    text("05-20", "Stuck? Run this cell."),
    code("05-21", 'def help_again(): return dm.hint("05-b")', "hint"),
    text("05-22", "You counted.", "recap"),
    text("05-23", "At last, remove what was made."),
    code("05-24", "tidy = lambda: dm.cleanup()", "cleanup"),
    text("05-25", "Next comes [COPY --from](06_copy_from.ipynb)."),
]
COUNTED = {
    "05-07": [
        {"output_type": "stream", "name": "stdout", "text": ["seen: 3\n"]},
        {"output_type": "execute_result", "execution_count": 3, "data": {"text/plain": ["3"]}, "metadata": {}},
    ],
}


@pytest.fixture
def fresh() -> dict[str, Any]:
    """Give a small notebook that was not run yet."""
    return {"cells": copy.deepcopy(CELLS), "metadata": copy.deepcopy(METADATA), "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def solution(fresh: dict[str, Any]) -> dict[str, Any]:
    """Give the small notebook as if it had been run once."""
    for number, cell in enumerate((one for one in fresh["cells"] if one["cell_type"] == "code"), 1):
        cell["execution_count"] = number
        cell["outputs"] = copy.deepcopy(COUNTED.get(cell["id"], []))
    return fresh


@pytest.fixture
def small_shelf(tmp_path: Path, fresh: dict[str, Any]) -> Shelf:
    """Give a shelf with the small notebook, not run yet, as its only solution."""
    where = Shelf(tmp_path / "notebooks")
    write(where.solution("05_building_and_measuring"), fresh)
    return where


@pytest.fixture(scope="session", autouse=True)
def fonts_known() -> None:
    """Have matplotlib look for fonts before a notebook does: where that takes 5 s, it says so in the cell."""
    import matplotlib.font_manager  # noqa: F401


@pytest.fixture
def unchanged_cache() -> Iterator[None]:
    """Hold that the test leaves no build cache record that was made meanwhile, but for those of base images."""
    from dmhelpers.engine.build_cache import cache_records

    begin = datetime.now(UTC)
    yield
    left = [one.description for one in cache_records() if datetime.fromisoformat(one.created) >= begin]
    assert [one for one in left if not one.startswith("from local")] == []


Nbval = Callable[[Path], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def nbval(tmp_path: Path) -> Nbval:
    """Run a notebook in a process of its own and compare every output with the stored one."""

    def run(notebook: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "--quiet", "--color=no", "-p", "no:cacheprovider"]
        command += ["--nbval", "--nbval-current-env", "-p", PATIENT_NBVAL, "--timeout=0"]
        command += [f"--nbval-cell-timeout={CELL_LIMIT_S}", f"--nbval-kernel-startup-timeout={CELL_LIMIT_S}"]
        command += [
            f"--nbval-sanitize-with={SANITIZE}",
            f"--rootdir={ROOT}",
            f"--config-file={ROOT / 'pyproject.toml'}",
        ]
        workspace = tmp_path / "nbval" / "workspace"
        own = {"DMHELPERS_WORKSPACE": str(workspace), "DMHELPERS_PROGRESS": "plain"}
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        done = subprocess.run(
            [*command, str(notebook)],
            capture_output=True,
            text=True,
            env={**os.environ, **own, "PYTHONPATH": path},
            timeout=NBVAL_LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            done.stderr += _engine_complaints()
        return done

    return run


def _engine_complaints() -> str:
    """Return what the course's engine complained about last, for a failure that nobody can look into afterwards."""
    log = state_folder() / "dockerd.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    told = [line for line in lines if "level=warning" in line or "level=error" in line]
    return "\n".join(("\nThe engine's last complaints:", *told[-15:]))
