"""A learner's way through the course, in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmhelpers.course.notebook_run import failures_of
from dmhelpers.course.notebooks import NAMES
from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.timeout(2400)]
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "browser"


def pictures_of(notebook):
    """Return how many pictures the outputs of a notebook hold: JupyterLab shows HTML before any other kind."""
    kinds = [one.get("data", {}) for cell in notebook["cells"] for one in cell.get("outputs", ())]
    return sum(
        "<img" in "".join(one["text/html"]) if "text/html" in one else bool({"image/png", "image/svg+xml"} & set(one))
        for one in kinds
    )


@pytest.mark.parametrize("name", NAMES)
def test_run_all_shows_no_error_and_every_picture(page, lab, warm_cache, unchanged_engine, name):
    """Each learner notebook, opened and run by its menu, ends idle: no cell shows an error, every plot is visible."""
    notebook = NotebookPage(page, lab, name)
    notebook.run_all()
    notebook.screenshots(SCREENSHOTS, name)
    notebook.save()
    saved = lab.saved(name)
    assert [(one.cell_id, one.error) for one in failures_of(saved)] == []
    assert [one["id"] for one in saved["cells"] if one["cell_type"] == "code" and not one["execution_count"]] == []
    sizes = notebook.picture_sizes()
    assert len(sizes) == pictures_of(saved)
    assert all(width > 100 and height > 50 for width, height in sizes)
    assert len(sizes) >= 3 or not name.startswith("05")
    for box in notebook.picture_boxes():
        assert 0 <= box["x"] <= box["x"] + box["width"] <= page.viewport_size["width"]


WRONG = """\
%%dockerfile exercise-01-a --new --tag learner/01-a
FROM node:20-alpine AS tools
RUN echo "worth keeping" > /made.txt

FROM node:20-alpine
COPY --from=tools /made.txt /made.txt"""
RIGHT = WRONG.replace("alpine\nCOPY", "alpine AS final\nCOPY")


def test_an_exercise_wrong_then_right(page, lab, warm_cache, unchanged_engine):
    """A check says not yet after a wrong answer that was typed, and done after a right one."""
    notebook = NotebookPage(page, lab, "01_core_concept")
    exercise, check = "01-43", "01-45"
    notebook.run("01-03")
    assert "not yet" in notebook.run(check)
    notebook.type_into(exercise, WRONG)
    notebook.run(exercise)
    wrong = notebook.run(check)
    assert "01-a: not yet" in wrong
    assert "final" in wrong, "what is missing is said"
    notebook.type_into(exercise, RIGHT)
    notebook.run(exercise)
    right = notebook.run(check)
    assert "01-a: done" in right
    notebook.screenshots(SCREENSHOTS, "exercise_01-a_done")
    notebook.run(notebook.code_ids[-1])
