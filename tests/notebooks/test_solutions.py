"""The solutions run on the engine, and every output is what is stored, but for what the sanitize file names."""

from __future__ import annotations

import json
import shutil

import pytest

from dmhelpers.course.notebook_run import execute
from dmhelpers.course.notebooks import NAMES, read, shelf, write
from dmhelpers.engine import ledger
from dmhelpers.engine.info import engine_info

NAME = "05_building_and_measuring"
BOTH_STORES = (NAME, "10_inspecting_the_final_image")
"""What is weighed and looked into: the stores differ there, and nowhere else."""


@pytest.mark.engine
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "name", [name if name in BOTH_STORES else pytest.param(name, marks=pytest.mark.one_store) for name in NAMES]
)
def test_solution_gives_what_is_stored(name, nbval, warm_cache, unchanged_cache, unchanged_engine):
    """A solution runs alone in a fresh kernel, gives the outputs stored with it, and cleans up after itself."""
    kinds = ("container", "image", "volume", "network", "cache")
    before = {kind: ledger.recorded(engine_info().engine_id, kind) for kind in kinds}
    done = nbval(shelf().solution(name))
    assert done.returncode == 0, done.stdout + done.stderr
    for kind in kinds:
        left = ledger.recorded(engine_info().engine_id, kind) - before[kind]
        assert left == frozenset(), f"left by its clean-up cell: {kind}"


def test_executing_stores_what_nbval_then_finds(small_shelf, nbval):
    """What `execute` stores is what the next run gives."""
    assert execute(small_shelf, [NAME]) == 0
    done = nbval(small_shelf.solution(NAME))
    assert done.returncode == 0, done.stdout
    assert "11 passed" in done.stdout


def test_executing_twice_changes_no_byte(small_shelf):
    """Where nothing varies, two runs give the same file: no time, no widget and no metadata of the run is kept."""
    path = small_shelf.solution(NAME)
    execute(small_shelf, [NAME])
    first = path.read_bytes()
    execute(small_shelf, [NAME])
    assert path.read_bytes() == first


def test_a_cell_that_fails_leaves_the_file_as_it_was(small_shelf, fresh, capsys):
    """A solution in which a cell raises is reported with cell and error, and not written."""
    fresh["cells"][4]["source"] = ["1 / 0"]
    path = small_shelf.solution(NAME)
    write(path, fresh)
    before = path.read_bytes()
    assert execute(small_shelf, [NAME]) == 1
    assert path.read_bytes() == before
    shown = capsys.readouterr().out
    assert "05-05" in shown
    assert "division by zero" in shown


def test_a_wrong_figure_in_a_claim_is_red(small_shelf, nbval):
    """A claim whose figure is changed to a wrong one fails its cell."""
    execute(small_shelf, [NAME])
    path = small_shelf.solution(NAME)
    path.write_text(path.read_text().replace("holds=guess == 3", "holds=guess == 4"))
    done = nbval(path)
    assert done.returncode == 1
    assert "ClaimBroken" in done.stdout


@pytest.mark.parametrize(
    ("stored", "altered"),
    [("seen: 3", "seen: 4"), ('"holds:    yes"', '"holds:    no"'), ("There are three", "There are two")],
    ids=["count", "verdict", "claim"],
)
def test_a_stored_output_that_is_not_true_is_red(small_shelf, nbval, stored, altered):
    """An output that was altered in the file is found by the comparison."""
    execute(small_shelf, [NAME])
    path = small_shelf.solution(NAME)
    notebook = read(path)
    outputs = json.dumps([one.get("outputs") for one in notebook["cells"]])
    assert stored in outputs
    for cell, new in zip(notebook["cells"], json.loads(outputs.replace(stored, altered)), strict=True):
        if new is not None:
            cell["outputs"] = new
    write(path, notebook)
    done = nbval(path)
    assert done.returncode == 1
    assert "Cell outputs differ" in done.stdout


def test_the_shelf_knows_its_notebooks(small_shelf):
    """A notebook is named by its number, with or without the zero, or in full; without solutions there is none."""
    for one in ("05", "5", NAME):
        assert small_shelf.written([one]) == (NAME,)
    shutil.rmtree(small_shelf.solutions)
    assert small_shelf.written() == ()
