"""Puzzles in a real JupyterLab, by the keyboard alone: a Parsons problem, and the control of the stage graph."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dmhelpers.course.puzzles.library import problem
from tests.browser.keys import FOCUSED, Keys
from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.timeout(1800)]
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "browser"
NAME = "puzzles"
CELLS = {
    "imports": """\
import dmhelpers as dm
from dmhelpers.course.puzzles.parsons import parsons
from dmhelpers.course.puzzles.quiz import quiz
from dmhelpers.show.stage_picker import stage_picker""",
    "parsons": 'parsons("two-stages")',
    "quiz": 'quiz(dm.sample("go-server"), kind="files")',
    "picker": 'stage_picker(dm.sample("my-api"), file="Dockerfile.test")',
}
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


@pytest.fixture
def notebook(page, lab):
    """Open a notebook with one cell a puzzle, which JupyterLab has run."""
    cells = [
        {"id": name, "cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for name, source in CELLS.items()
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = lab.folder / "notebooks" / f"{NAME}.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    made = NotebookPage(page, lab, NAME)
    made.run("imports")
    return made


def control(notebook, name):
    """Run a cell that shows a control, wait until JupyterLab has drawn it, and return the cell."""
    notebook.run(name)
    cell = notebook.cell(name)
    cell.locator(".jp-OutputArea-output").locator("button, input").first.wait_for()
    return cell


def set_theme(page, name):
    """Choose a theme by JupyterLab's menu."""
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text="Theme").first.hover()
    page.locator(".lm-Menu-itemLabel").get_by_text(THEMES[name], exact=True).click()
    page.wait_for_function("dark => (document.body.dataset.jpThemeLight === 'false') === dark", arg=name == "dark")
    page.wait_for_timeout(500)  # the picture that JupyterLab shows meanwhile comes and goes
    page.locator("#jupyterlab-splash").wait_for(state="detached")


def pictures(notebook, cell, what):
    """Take a picture of a cell in the dark theme, then in the light one."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for theme in ("dark", "light"):
        set_theme(notebook.page, theme)
        notebook.cell(cell).screenshot(path=SCREENSHOTS / f"{what}_{theme}.png")


def test_a_parsons_problem_wrong_then_right_with_the_keyboard_alone(notebook, unchanged_engine):
    """Tab, Enter and Space put the lines in order; a wrong order says what is wrong, and moving one line mends it."""
    posed = problem("two-stages")
    text = {line.number: line.text for line in posed.lines}
    cell = control(notebook, "parsons")
    keys = Keys(notebook, "parsons")
    wrong = [*posed.solution]
    wrong[1], wrong[2] = wrong[2], wrong[1]  # the sources land beside the WORKDIR
    for at, number in enumerate(wrong, start=1):
        keys.tab_to(text[number], back=at > 1 and number < wrong[at - 2])
        notebook.page.keyboard.press("Enter" if at % 2 else "Space")
        cell.locator("button", has_text=f"{text[number]}   (place {at})").wait_for()
    keys.press("Build and check", "Space")
    cell.get_by_text("two-stages: not yet.").wait_for()
    assert "Cannot find module" in notebook.shown("parsons"), "what the engine said"
    notebook.page.keyboard.press("Shift+Tab")
    focused = notebook.page.evaluate(FOCUSED)
    assert focused in ("Build and check", "Take out"), (
        "the Tab order goes on where it was, though a build came between"
    )
    pictures(notebook, "parsons", "parsons_not_yet")
    keys = Keys(notebook, "parsons")
    keys.press(f"3  {text[wrong[2]]}")
    cell.get_by_text("chosen: place 3").wait_for()
    keys.press("Move up")
    cell.get_by_text("chosen: place 2").wait_for()
    keys.press("Build and check")
    cell.get_by_text("two-stages: solved.").wait_for()
    pictures(notebook, "parsons", "parsons_solved")


def test_a_quiz_with_the_keyboard_alone(notebook, warm_cache, unchanged_engine):
    """Files are ticked with Space; the engine says of each whether it is in the image, and why."""
    control(notebook, "quiz")
    keys = Keys(notebook, "quiz")
    keys.press("/server", "Space")
    notebook.cell("quiz").locator("input:checked").wait_for()
    keys.press("Ask the engine")
    notebook.cell("quiz").get_by_text("4 of 4 right.").wait_for()
    assert "builder, line" in notebook.shown("quiz")
    pictures(notebook, "quiz", "quiz")


def test_the_picker_s_control_changes_the_picture(notebook):
    """Another target, chosen with Tab and Enter, redraws the picture and says what is skipped."""
    cell = control(notebook, "picker")
    cell.get_by_text("Skipped: test").first.wait_for()
    cell.locator("svg title", has_text=re.compile("target runtime$")).first.wait_for(state="attached")
    Keys(notebook, "picker").press("test (line")
    cell.get_by_text("Building test takes").wait_for()
    cell.get_by_text("Skipped: runtime").first.wait_for()
    cell.locator("svg title", has_text=re.compile("target test$")).first.wait_for(state="attached")
    pictures(notebook, "picker", "picker")
