"""Learner copies, finished with the keyboard alone."""

from __future__ import annotations

import os
import re

import pytest

from dmhelpers.course.notebook_run import failures_of
from dmhelpers.course.notebooks import NAMES, read, shelf, tags
from tests.browser.keys import COUNT_POINTERS, Learner
from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.timeout(2400)]
SELECTED = "DMHELPERS_KEYBOARD_NOTEBOOKS"
"""Numbers of notebooks, such as ``"03 07"``, or ``all``: which ones are worked through to the end."""
CHEAPEST = "01"
"""The quickest one with a question, predictions and exercises, and without packages from the network."""


def chosen():
    """Return the names of the notebooks that are worked through."""
    wanted = os.environ.get(SELECTED, CHEAPEST).split()
    return [name for name in NAMES if name[:2] in wanted or wanted == ["all"]]


def verdicts(notebook):
    """Return what each check of a notebook said: exercise and done or not yet, in order."""
    cells = [one for one in notebook["cells"] if "check" in tags(one)]
    texts = ["".join(out.get("data", {}).get("text/plain", "")) for one in cells for out in one["outputs"]]
    return [found.groups() for text in texts if (found := re.match(r"(\d\d-[a-z]) (done|not yet)", text))]


@pytest.mark.parametrize("name", chosen())
def test_a_learner_copy_is_finished_with_the_keyboard_alone(page, lab, warm_cache, unchanged_engine, name):
    """Cells are run, stubs filled and buttons worked by keys; then every check says what the solution's does."""
    page.add_init_script(COUNT_POINTERS)
    solution = read(shelf().solution(name))
    notebook = NotebookPage(page, lab, name)
    learner = Learner(notebook, solution)
    learner.work_through()
    saved = learner.save()
    assert page.evaluate("window.pointers") == 0
    assert [(one.cell_id, one.error) for one in failures_of(saved)] == []
    assert verdicts(saved) == verdicts(solution)
    answers = [one for one in saved["cells"] if {"puzzle", "exercise"} <= tags(one)]
    for one in answers:
        assert "".join(one["source"]).partition("(")[2].startswith("..."), "the buttons answered"
        said = "".join(one["outputs"][0]["data"]["text/plain"])
        assert " solved: " in said or re.match(r"(\d+) of \1 right", said)
