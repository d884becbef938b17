"""Nothing in a learner copy needs a mouse: what it asks for is typing, running, and buttons of the kinds tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dmhelpers
from dmhelpers.course.notebook_rules import Page, controls
from dmhelpers.course.notebooks import NAMES, read, shelf, source, tags
from dmhelpers.course.puzzles.parsons import parsons
from dmhelpers.course.puzzles.quiz import quiz
from dmhelpers.show.stage_picker import stage_picker
from tests.browser.keys import CONTROL

PACKAGE = Path(dmhelpers.__file__).parent
PROVEN = {"Button", "Checkbox", "ToggleButtons"}
"""The kinds that the browser tests work by Tab, Enter and Space; a ToggleButtons is a row of buttons."""
SILENT = {"HTML", "HBox", "VBox"}
WITH_WIDGETS = {"course/puzzles/board.py", "course/puzzles/checklist.py", "show/stage_picker.py"}
DOCKERFILE = "FROM node:20-alpine AS builder\nFROM builder AS test\nFROM node:20-alpine AS runtime\n"


def kinds(widget):
    """Return the names of the classes that a widget is made of."""
    return {type(widget).__name__}.union(*(kinds(one) for one in getattr(widget, "children", ())))


@pytest.fixture
def widgets(project, tmp_path, monkeypatch):
    """Give every control of the course, by the function that makes it."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    folder = project({"Dockerfile": DOCKERFILE})
    return {
        "parsons": parsons("two-stages").board.widget,
        "quiz": quiz(folder).checklist.widget,
        "stage_picker": stage_picker(folder).widget,
    }


def test_each_control_is_made_of_kinds_that_were_tested(widgets):
    """Buttons and checkboxes only: no slider, no list that needs the arrow keys, nothing to drag."""
    found = {name: kinds(one) - SILENT for name, one in widgets.items()}
    assert found == {"parsons": {"Button"}, "quiz": {"Button", "Checkbox"}, "stage_picker": {"ToggleButtons"}}
    assert set.union(*found.values()) == PROVEN


def test_there_is_no_other_control(widgets):
    """Widgets are made in these modules and in no others, and the rule for notebooks knows the functions."""
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    makes = {name for name, text in texts.items() if re.search(r"^\s*(import|from) ipywidgets\b", text, re.MULTILINE)}
    assert makes == WITH_WIDGETS
    assert all(CONTROL.search(f"dm.{name}(") and callable(getattr(dmhelpers, name)) for name in widgets)


@pytest.mark.parametrize("name", NAMES)
def test_a_learner_copy_asks_for_nothing_but_keys(name):
    """A cell is text, runs as it is, has a stub to type over, or shows one of the controls, which text leads to."""
    copy, solution = (read(path) for path in (shelf().learner_copy(name), shelf().solution(name)))
    assert list(controls(Page(name, copy, learner=True))) == []
    for one, solved in zip(copy["cells"], solution["cells"], strict=True):
        typed = "exercise" in tags(one) and one["cell_type"] == "code"
        assert typed or source(one) == source(solved), "what is to be changed is a cell of its own"
