"""A notebook with every kind of view, exported to HTML and opened in a browser without a network."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from dmhelpers.course.notebook_report import as_html
from dmhelpers.course.notebook_run import Run
from dmhelpers.course.notebooks import METADATA

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]
LIMIT_S = 300
DOCKERFILE = "FROM node:20-alpine AS builder\nFROM builder AS test\nRUN true\nFROM node:20-alpine AS runtime\n"
LIVE = """\
from IPython.display import HTML
from dmhelpers.measure.dockerfile import read_dockerfile
from dmhelpers.show.live.model import LiveBuild
from dmhelpers.show.live.picture import to_html
dockerfile = read_dockerfile("demo")
model = LiveBuild(dockerfile, dockerfile.find(None), title="demo:latest")
model.cancel()
HTML(to_html(model.view()))"""
TREEMAP = """\
import pandas as pd
rows = {"path": ["/app/a.js"], "kind": ["application"], "size_bytes": [7_000_000], "type": ["file"]}
dm.treemap(pd.DataFrame(rows))"""
SIZES = """\
frame = {"image": ["a:1"], "size_bytes": [5_000_000], "added_bytes": [None], "reduction_fraction": [0.0]}
ax = dm.plot_sizes(pd.DataFrame(frame))"""
CELLS = (
    "import dmhelpers as dm",
    LIVE,
    'dm.stage_graph("demo")',
    'dm.stage_picker("demo", target="test")',
    'dm.parsons("two-stages")',
    'dm.quiz("demo", target="test")',
    TREEMAP,
    SIZES,
)
# What each page has to show: the words of each view, or the beginning of a picture's alternative text.
WORDS = (
    "the build of demo:latest was interrupted",
    "Skipped: runtime",
    "COPY --from=builder /build/dist /app/dist",
    "Which stages take part when you build test of Dockerfile?",
)
PICTURES = ("Dockerfile: 3 stages, target runtime", "7MB by kind and folder", "Bar chart of image sizes: a:1 5MB")


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """Run the notebook once; no engine is asked."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "demo").mkdir()
    (folder / "demo" / "Dockerfile").write_text(DOCKERFILE)
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(one) for one in CELLS], metadata=nbformat.from_dict(METADATA)
    )
    limits = {"timeout": LIMIT_S, "startup_timeout": LIMIT_S, "iopub_timeout": LIMIT_S}
    NotebookClient(made, record_timing=False, resources={"metadata": {"path": str(folder)}}, **limits).execute()
    made.metadata.pop("widgets", None)
    return made


def by_the_course(notebook):
    """Return the page as `make course` writes it."""
    return as_html(Run("exported", notebook, (), 0.0))


def by_nbconvert(notebook):
    """Return the page as `jupyter nbconvert --to html` writes it."""
    return HTMLExporter().from_notebook_node(notebook)[0]


@pytest.fixture
def offline(browser):
    """Open a page without a network: give it, and the addresses elsewhere that it asked for."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, offline=True)
    context.set_default_timeout(LIMIT_S * 1000)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith(("http", "ws")) else None)
    yield page, asked
    context.close()


@pytest.mark.parametrize("export", [by_the_course, by_nbconvert])
def test_every_view_is_there_without_a_network(export, notebook, offline, tmp_path):
    """Each view's words and pictures are seen; the course's own page asks nobody for anything."""
    page, asked = offline
    path = tmp_path / "page.html"
    path.write_text(export(notebook), encoding="utf-8")
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    page.wait_for_function("[...document.images].every(one => one.complete)")
    for words in WORDS:
        assert page.get_by_text(words).first.is_visible(), words
    for words in PICTURES:
        picture = page.locator(f'img[alt*="{words}"]')
        assert picture.count() == 1, words
        width, height = picture.evaluate("one => [one.naturalWidth, one.naturalHeight]")
        assert width > 100 < height
        box = picture.bounding_box()
        assert box["x"] + box["width"] <= 1280
    assert page.locator("img:not([alt])").count() == 0
    assert page.locator("[role=group] svg[role=img], [role=group] table").first.is_visible()
    if export is by_the_course:
        assert asked == []
