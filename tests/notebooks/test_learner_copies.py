"""Learner copies are what the generator makes of the solutions, and run unfinished without an exception."""

from __future__ import annotations

import copy

import pytest

from dmhelpers.course import notebook_run
from dmhelpers.course.notebook_rules import Page, broken
from dmhelpers.course.notebooks import NAMES, as_text, generate, learner_copy, main, read, shelf, source, write
from dmhelpers.errors import InputError


@pytest.mark.parametrize("name", NAMES)
def test_committed_copy_is_what_the_generator_makes(name):
    """The learner copy in the repository is, to the byte, made of the solution beside it."""
    made = as_text(learner_copy(read(shelf().solution(name))))
    assert shelf().learner_copy(name).read_text(encoding="utf-8") == made, "run: make notebooks"


@pytest.mark.engine
@pytest.mark.one_store
@pytest.mark.in_browser
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_copy_runs_unfinished(name, warm_cache, unchanged_cache, unchanged_engine):
    """A learner copy runs from top to bottom with nothing filled in, and no cell raises."""
    done = notebook_run.run(shelf().learner_copy(name), go_on=True)
    assert [(one.cell_id, one.error) for one in done.failures] == []


def test_stub_takes_the_place_of_the_solution(solution):
    """A cell tagged exercise holds its stub and nothing of the solution; hints and checks stay."""
    made = learner_copy(solution)
    by_id = {one["id"]: one for one in made["cells"]}
    assert source(by_id["05-11"]) == "answer = ...  # your number\n"
    assert "answer = 3" not in as_text(made)
    assert "dm.hint" in source(by_id["05-15"])
    assert "dm.check" in source(by_id["05-13"])


def test_copy_has_no_trace_of_a_run(solution):
    """A learner copy has no outputs, no execution counts, and the ids and tags of the solution."""
    made = learner_copy(solution)
    assert [one["id"] for one in made["cells"]] == [one["id"] for one in solution["cells"]]
    for one, original in zip(made["cells"], solution["cells"], strict=True):
        assert one.get("outputs", []) == []
        assert one.get("execution_count") is None
        assert one["metadata"].get("tags") == original["metadata"].get("tags")
        assert "dmhelpers" not in one["metadata"]


def test_making_a_copy_changes_nothing_of_the_solution(solution):
    """The solution that a copy is made of stays as it is."""
    before = copy.deepcopy(solution)
    learner_copy(solution)
    assert solution == before


def test_generating_again_changes_no_byte(small_shelf):
    """The second `make notebooks` finds nothing to do."""
    path = small_shelf.learner_copy("05_building_and_measuring")
    assert generate(small_shelf) == (path,)
    first = path.read_bytes()
    assert generate(small_shelf) == ()
    assert path.read_bytes() == first


def test_copy_is_a_valid_notebook(solution):
    """Jupyter's own format check accepts a learner copy, and would write the same bytes."""
    import nbformat

    text = as_text(learner_copy(solution))
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert nbformat.writes(notebook) + "\n" == text


def test_small_copy_keeps_the_rules_too(solution):
    """A notebook that keeps the rules has a learner copy that keeps them."""
    assert broken(Page("05_building_and_measuring", learner_copy(solution), learner=True)) == []


def test_exercise_without_a_stub_is_refused(solution):
    """An exercise whose stub was forgotten would give its solution away: no copy is made."""
    del solution["cells"][10]["metadata"]["dmhelpers"]
    with pytest.raises(InputError, match="05-11"):
        learner_copy(solution)


def test_a_file_that_is_no_notebook_is_named(small_shelf, capsys):
    """A solution that is not JSON, or has no cells, is named in a plain sentence."""
    path = small_shelf.solution("05_building_and_measuring")
    for text in ("{", "{}"):
        path.write_text(text)
        assert main(["generate", "--folder", str(small_shelf.folder)]) == 1
        assert path.name in capsys.readouterr().err


def test_an_unknown_number_is_answered_with_what_there_is(small_shelf, solution, capsys):
    """Asking for a notebook that is not there names those that are."""
    write(small_shelf.solution("05_building_and_measuring"), solution)
    assert main(["rules", "77", "--folder", str(small_shelf.folder)]) == 1
    assert "05_building_and_measuring" in capsys.readouterr().err
