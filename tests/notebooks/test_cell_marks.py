"""In recorded mode a notebook's own prints, tables and plots carry the mark too."""

from __future__ import annotations

import pytest

from dmhelpers.course.notebook_run import run
from dmhelpers.course.notebooks import METADATA, write
from dmhelpers.engine.recorded import requests as forms
from dmhelpers.engine.recorded.store import Exchange, Manifest, Recording
from tests.notebooks.conftest import code

MANIFEST = Manifest("2026-01-02T03:04:05+00:00", "26.1.5", "overlay2", "linux/amd64", "1.45", "0.1.0")
NOTE = "Recorded on 2026-01-02 with Docker Engine 26.1.5 (linux/amd64); nothing was measured here."
CELLS = {
    "before": "print('no engine was asked yet')",
    "asks": 'from dmhelpers.engine.client import get_json\nsize = get_json("/images/a:1/json")["Size"]',
    "prints": "print(size)",
    "shows": "size",
    "silent": "doubled = 2 * size",
    "table": 'import pandas as pd\npd.DataFrame({"bytes": [size]})',
    "column": 'pd.Series([size], name="bytes")',
    "plot": "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\nbars = axes.bar(['a'], [size])",
    "text in the plot": "print(*(one.get_text() for one in figure.texts))",
    "words": 'import dmhelpers as dm\ndm.hint("01-a")',
    "error": "1 / 0",
    "after": "print(doubled)",
}


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Run the cells in recorded mode and give what each one showed."""
    recording = Recording(tmp_path / "recording")
    recording.write_manifest(MANIFEST)
    answer = {"status": 200, "headers": {}, "chunked": False, "body": {"text": '{"Id": "sha256:1", "Size": 4711}'}}
    recording.write(
        "small", [Exchange("http", forms.http_request("GET", "http://x/v1.45/images/a:1/json", None), answer)]
    )
    cells = [code(f"cell-{number}", text) for number, text in enumerate(CELLS.values())]
    path = tmp_path / "small.ipynb"
    write(path, {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5})
    done = run(
        path, go_on=True, environment={"DMHELPERS_ENGINE": "recorded", "DMHELPERS_RECORDING": str(recording.folder)}
    )
    assert [one.cell_id for one in done.failures] == [f"cell-{list(CELLS).index('error')}"]
    return {name: cell["outputs"] for name, cell in zip(CELLS, done.notebook["cells"], strict=True)}


def texts(outputs, kind="text/plain"):
    """Return what outputs say as text."""
    parts = [output.get("text", "") if kind == "text/plain" else "" for output in outputs]
    parts += [output.get("data", {}).get(kind, "") for output in outputs]
    return "\n".join("".join(part) for part in parts)


def test_what_a_cell_shows_carries_the_mark(shown):
    """A print, a value, a table, a column and a plot each say it once; what shows nothing stays silent."""
    for name in ("asks", "prints", "shows", "column", "after", "text in the plot"):
        assert texts(shown[name]).count(NOTE) == 1, name
    assert "4711" in texts(shown["prints"])
    assert texts(shown["table"]).count(NOTE) == texts(shown["table"], "text/html").count(NOTE) == 1
    assert any("image/png" in output.get("data", {}) for output in shown["plot"])
    assert texts(shown["plot"]).count(NOTE) == 1  # beside the picture, for who cannot see the line in it
    assert shown["silent"] == []
    for name in ("before", "words"):
        assert NOTE not in texts(shown[name]), name
