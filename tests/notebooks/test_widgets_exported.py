"""Widgets in stored notebooks: compared strictly, and readable where no kernel runs."""

from __future__ import annotations

import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from tests.notebooks.conftest import PATIENT_NBVAL, ROOT

LIMIT_S = 280
CELLS = (
    "from dmhelpers.course.puzzles.parsons import parsons\n"
    "from dmhelpers.course.puzzles.quiz import quiz\n"
    "from dmhelpers.show.stage_picker import stage_picker",
    'parsons("two-stages")',
    'quiz("demo", target="test")',
    'stage_picker("demo", target="test")',
)
DOCKERFILE = "FROM node:20-alpine AS builder\nFROM builder AS test\nRUN true\nFROM node:20-alpine AS runtime\n"


@pytest.fixture
def executed(project, tmp_path, monkeypatch):
    """Run a notebook with each widget in it, and store it as the course's notebooks are: without widget states."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    project({"Dockerfile": DOCKERFILE})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    limits = {"timeout": LIMIT_S, "startup_timeout": LIMIT_S, "iopub_timeout": LIMIT_S}
    NotebookClient(notebook, record_timing=False, resources={"metadata": {"path": str(tmp_path)}}, **limits).execute()
    notebook.metadata.pop("widgets", None)
    path = tmp_path / "widgets.ipynb"
    nbformat.write(notebook, path)
    return path


def test_a_page_shows_each_widget_s_static_form(executed):
    """An exported page has the lines, the items and the picture, and no place where a widget is missing."""
    page, _ = HTMLExporter().from_filename(str(executed))
    body = page[page.index("<body") :]
    assert "COPY --from=builder /build/dist /app/dist" in body
    assert "Which stages take part when you build test of Dockerfile?" in body
    assert "Skipped: runtime" in body
    assert "Dockerfile: 3 stages, target test</title>" in body
    assert "widget-view+json" not in body


def test_the_outputs_compare_strictly(executed):
    """nbval, which compares every output exactly, finds the same again in a new kernel."""
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "-p", PATIENT_NBVAL]
    command += [f"--nbval-kernel-startup-timeout={LIMIT_S}", executed.name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = {"cwd": executed.parent, "env": environment, "timeout": 2 * LIMIT_S}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **run)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
