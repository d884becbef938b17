"""The instructor's page as HTML: readable without colour, script or network, and closed to others' markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dmhelpers.workshop.view import page as pages
from dmhelpers.workshop.view.grid import Limits, grid
from dmhelpers.workshop.view.reports import Check, Report
from dmhelpers.workshop.view.store import Learner

NOW = 10_000.0
CSS = Path(pages.__file__).parent / "static" / "view.css"


def shown(*learners, everything=False):
    """Return the whole page for these learners."""
    found = grid(learners, now=NOW, limits=Limits())
    across = range(len(found.columns)) if everything else pages.opened_columns(found)
    table = pages.table(found, across)
    return pages.page(table, limits=Limits(), everything=everything, xsrf_field='<input name="_xsrf" value="1">')


ADA = Learner(1, "ada", NOW, Report(False, {"01_core_concept": 1.0}, {"01-a": Check(False, 3, NOW - 660)}))


class Balance(HTMLParser):
    """Fails where an element is not closed in its place."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        """Note what is opened; these three close themselves."""
        if tag not in ("meta", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Hold that what is closed was opened last."""
        assert self.open.pop() == tag


@pytest.mark.parametrize("everything", [False, True])
def test_the_page_is_whole_and_loads_only_its_own(everything):
    """Elements are closed in order; style and script are the service's own, and there is no script in the page."""
    text = shown(ADA, everything=everything)
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    loaded = re.findall(r"<(?:script|link)[^>]*(?:src|href)=\"([^\"]+)\"", text)
    assert loaded == ["data:,", "static/view.css", "static/view.js"]
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|style=|https?://", text)


def test_a_name_is_text():
    """A shared name that is markup is shown as it was written, everywhere."""
    name = "<img src=x onerror=alert(1)>"
    text = shown(Learner(1, name, NOW, Report(True, {}, {"01-a": Check(False, 3, NOW)})))
    assert "<img" not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt;") == 2


def test_states_are_told_by_sign_and_word():
    """Each state has a sign of its own and its word beside it, in the grid and in the legend."""
    assert len(set(pages.SIGNS.values())) == len(pages.SIGNS)
    text = shown(ADA, everything=True)
    for state, sign in pages.SIGNS.items():
        assert f"{sign}</span>{state}</dt>" in text
    assert re.search(r'!</span><span>stuck <span class="tries">3</span>', text)
    assert "<strong>Learner 1</strong> on 01-a: 3 tries, 11 min since the first" in text


def test_the_instructors_guide_has_the_same_signs():
    """The guide's table names each state with the sign that the page shows, and its limits."""
    guide = (Path(__file__).parents[3] / "docs" / "instructor.md").read_text(encoding="utf-8")
    assert all(f"| {sign} {state} |" in guide for state, sign in pages.SIGNS.items())
    assert (Limits().tries, Limits().minutes) == (3, 10)
    assert "not done after three tries, or ten minutes after the first one" in guide


def test_only_opened_notebooks_take_room():
    """Notebooks that nobody opened are left out, unless all are asked for; with nobody there it says so."""
    assert 'data-check="02-a"' not in shown(ADA)
    assert 'data-check="02-a"' in shown(ADA, everything=True)
    assert "Nobody has opened a notebook yet." in shown()


def _luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1])
def test_contrast(theme):
    """Text on each ground of the light and of the dark theme has a contrast of 4.5 or more."""
    css = CSS.read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[theme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    pairs = [("text", "ground"), ("quiet", "ground"), ("link", "ground")]
    pairs += [(f"{one}-text", one) for one in ("passed", "stuck", "trying", "opened")]
    for text, ground in pairs:
        dark, light = sorted((_luminance(colours[text]), _luminance(colours[ground])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
