"""The challenge's first task, solved by a learner in JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmhelpers.course.notebooks import read, shelf, source
from tests.browser.keys import Keys
from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.timeout(1800)]
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "browser"
NAME = "12_the_challenge"
DOCKERFILE, CHECK, SCORE = "12-15", "12-17", "12-21"
FORGOTTEN = "COPY rates.json ./"


def press_run(notebook, cell):
    """Run a cell that has the focus, and return what it shows."""
    before = notebook.prompt(cell)
    notebook.page.keyboard.press("Control+Enter")
    notebook.wait_until_run(cell, before)
    return notebook.shown(cell)


def run_by_keys(notebook, cell):
    """Go to a cell and run it."""
    Keys(notebook, cell)
    return press_run(notebook, cell)


def test_the_first_task_wrong_then_right(page, lab, warm_cache, unchanged_engine):
    """A Dockerfile that forgets the rates is not done; one line typed into it makes it so; both are scored."""
    right = next(source(one) for one in read(shelf().solution(NAME))["cells"] if one["id"] == DOCKERFILE)
    assert f"{FORGOTTEN}\n" in right
    notebook = NotebookPage(page, lab, NAME)
    run_by_keys(notebook, "12-03")
    Keys(notebook, DOCKERFILE)
    for key in ("Enter", "Control+A"):
        page.keyboard.press(key)
    page.keyboard.insert_text(right.replace(f"{FORGOTTEN}\n", ""))
    press_run(notebook, DOCKERFILE)
    wrong = run_by_keys(notebook, CHECK)
    assert "12-a: not yet" in wrong
    assert "rates.json" in wrong, "the container's own word is passed on"

    Keys(notebook, DOCKERFILE)
    for key in ("Enter", "Control+End", "Home"):  # before the last line, which is the CMD
        page.keyboard.press(key)
    page.keyboard.type(f"{FORGOTTEN}\n")
    press_run(notebook, DOCKERFILE)
    assert "12-a: done" in run_by_keys(notebook, CHECK)
    scores = run_by_keys(notebook, SCORE).split()
    assert [scores.count(word) for word in ("yes", "no")] == [1, 1]
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    notebook.cell(SCORE).screenshot(path=SCREENSHOTS / "challenge_12-a_scores.png")
    run_by_keys(notebook, notebook.code_ids[-1])
