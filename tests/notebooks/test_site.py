"""The site is made of the solutions, and what a page would load from the network is found."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from dmhelpers.course.notebooks import NAMES
from dmhelpers.engine.recorded.store import Recording

SCRIPT = Path(__file__).parent.parent.parent / "docs" / "site" / "build.py"


@pytest.fixture(scope="module")
def site():
    """Give the script that builds the site, as a module."""
    spec = importlib.util.spec_from_file_location("build_site", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_solution_becomes_a_page(site, tmp_path):
    """The folder that the site is built from holds every solution and a page that lists them in order."""
    assert site.collect(tmp_path / "source") == NAMES
    assert sorted(one.stem for one in (tmp_path / "source").glob("*.ipynb")) == list(NAMES)
    assert "\n".join(NAMES) in (tmp_path / "source" / "index.md").read_text(encoding="utf-8")


def test_the_recording_goes_with_the_site(site, tmp_path):
    """The course's recording is offered as one file, which recorded mode reads."""
    site.collect(tmp_path / "source")
    page = (tmp_path / "source" / "index.md").read_text(encoding="utf-8")
    packed = tmp_path / "source" / site.PACKED
    assert f"<{packed.name}>" in page
    assert Recording(packed).manifest == Recording(site.RECORDING).manifest


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example.com/require.js"></script>',
        '<link rel="stylesheet" href="//fonts.example.com/css">',
        "<img alt='' src=https://example.com/a.png>",
        "<style>@font-face { src: url(https://example.com/font.woff2) }</style>",
        '<script type="module">import mermaid from "https://cdn.example.com/mermaid.mjs"</script>',
    ],
)
def test_what_would_be_loaded_is_found(site, tmp_path, text):
    """A script, a style, a picture or a font from elsewhere is named with its page."""
    (tmp_path / "page.html").write_text(text)
    assert len(site.loads_from_elsewhere(tmp_path)) == 1


def test_links_and_own_files_are_no_loads(site, tmp_path):
    """A link that a reader may follow, and files beside the page, are no loads."""
    (tmp_path / "page.html").write_text(
        '<a href="https://docs.docker.com/">manual</a><script src="a.js"></script><img src="data:image/png;base64,">'
    )
    assert site.loads_from_elsewhere(tmp_path) == []
