"""A build as JupyterLab shows it while it runs, when it comes from the cache, and when it fails; light and dark."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

import pytest

from dmhelpers.course.notebooks import METADATA
from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.timeout(1800)]
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "browser"
NAME = "live_build"
SETUP = """\
import dmhelpers as dm
%load_ext dmhelpers"""
SLOW = """\
%%dockerfile live-build --new --tag learner/live
FROM node:20-alpine AS builder
# TOKEN
RUN i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo "TOKEN line $i"; sleep 0.2; done; echo kept > /made.txt

FROM builder AS test
RUN exit 1

FROM node:20-alpine AS runtime
COPY --from=builder /made.txt /"""
FAILING = """\
%%dockerfile live-failing --new --tag learner/live
FROM node:20-alpine AS builder
RUN A=1 B=2; echo TOKEN $A $B; tsc"""


def cells(token):
    """Return the notebook's code cells by id."""
    sources = {
        "live-1": SETUP,
        "live-2": SLOW.replace("TOKEN", token),
        "live-3": SLOW.replace("TOKEN", token),
        "live-4": FAILING.replace("TOKEN", token),
        "live-5": "dm.cleanup();",
    }
    made = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return [{**made, "id": name, "source": text} for name, text in sources.items()]


@pytest.fixture
def notebook(page, lab):
    """Give a notebook with builds that nobody made before, open in JupyterLab."""
    path = lab.folder / "notebooks" / f"{NAME}.ipynb"
    content = {"cells": cells(uuid.uuid4().hex[:8]), "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")
    return NotebookPage(page, lab, NAME)


def change_theme(page, name):
    """Choose a theme in JupyterLab's menu, as a person does."""
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-item[data-type='submenu']", has_text="Theme").first.hover()
    page.locator("[data-command='apputils:change-theme']", has_text=re.compile(f"^{name}$")).click()
    page.locator(f"body[data-jp-theme-name='{name}']").wait_for(state="attached")


def in_both_themes(page, name):
    """Take a picture of the window in JupyterLab's light theme and in its dark one."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}-light.png")
    change_theme(page, "JupyterLab Dark")
    page.wait_for_timeout(500)  # colours change once the theme's style sheet is there
    page.screenshot(path=SCREENSHOTS / f"{name}-dark.png")
    change_theme(page, "JupyterLab Light")


def test_a_build_is_seen_running_cached_and_failed(notebook, lab, warm_cache, unchanged_engine):
    """The view changes while a build runs, says cached the second time, has error and cure, and is saved finished."""
    page = notebook.page
    notebook.run("live-1")
    slow = notebook.cell("live-2")
    slow.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    view = slow.locator("[role=group]")
    view.get_by_text(re.compile(r"^running \d")).first.wait_for()
    view.get_by_text("not built: runtime does not depend on it").wait_for()
    view.locator("pre", has_text=re.compile(r"line \d")).wait_for()
    view.locator("pre", has_text=re.compile(r"line [2-5]\d")).wait_for()
    in_both_themes(page, "live_running")
    view.get_by_text("learner/live:latest built in").wait_for()
    assert view.locator("pre").count() == 0, "a build that ended well keeps its log in .log"
    notebook._wait_until_idle()
    assert slow.locator("[role=group]").count() == 1
    cached = notebook.run("live-3")
    assert "cached" in cached
    assert notebook.cell("live-3").locator("[role=group]").get_by_text("running").count() == 0
    in_both_themes(page, "live_cached")
    failed = notebook.run("live-4")
    assert "What failed:" in failed
    assert "What to do:" in failed
    assert ">   2 | RUN A=1" in failed
    assert notebook.panel.locator("mjx-container").count() == 0, "a shell's variables are no formulas"
    in_both_themes(page, "live_failed")
    notebook.run("live-5")
    notebook.save()
    saved = {one["id"]: one["outputs"] for one in lab.saved(NAME)["cells"]}
    shown = [one for one in saved["live-2"] if one["output_type"] == "display_data"]
    assert ["built in" in "".join(one["data"]["text/plain"]) for one in shown] == [True]
    see_exported(page, lab)


def see_exported(page, lab):
    """Export the notebook to HTML and open it where nothing can be fetched: the finished views are there."""
    from nbconvert import HTMLExporter

    body, _ = HTMLExporter().from_filename(str(lab.folder / "notebooks" / f"{NAME}.ipynb"))
    path = lab.folder / f"{NAME}.html"
    path.write_text(body, encoding="utf-8")
    page.route(re.compile("^https?:"), lambda route: route.abort())
    page.goto(path.as_uri())
    views = page.locator("[role=group]")
    assert views.count() == 3
    for words, view in zip(("ran", "cached", "What to do:"), views.all(), strict=True):
        assert words in view.inner_text()
    assert "not built: runtime does not depend on it" in views.first.inner_text()
    assert views.first.locator("svg[role=img]").first.is_visible()
    page.screenshot(path=SCREENSHOTS / "live_exported.png", full_page=True)
