"""docs/clinic.md says of each rule what it looks at."""

from __future__ import annotations

import re
from pathlib import Path

from dmhelpers.measure.clinic.inside import LEFT_BEHIND, NEGLIGIBLE_BYTES, NOTICED_BYTES
from dmhelpers.measure.clinic.rulebook import rules
from dmhelpers.measure.clinic.sending import LARGE_BYTES, TIMES_LARGER
from dmhelpers.measure.kind_rules import rules as kind_rules

PAGE = (Path(__file__).parents[3] / "docs" / "clinic.md").read_text(encoding="utf-8")


def test_every_rule_stands_on_the_page_and_no_other():
    """The page's table of rules has a row for each rule of the data file, in its order."""
    rows = re.findall(r"^\| `([a-z-]+)` \| ", PAGE.partition("## Rules")[2], re.MULTILINE)
    assert rows == list(rules())


def test_the_pages_figures_are_the_codes():
    """The bounds that the page names are those that the code applies."""
    assert (LARGE_BYTES, TIMES_LARGER, NOTICED_BYTES, NEGLIGIBLE_BYTES) == (10_000_000, 4, 1_000_000, 100_000)
    assert "less than 0.1 MB" in PAGE
    assert "10 MB or more unused, and the context four times the used bytes" in PAGE


def test_what_is_left_behind_are_kinds_that_there_are():
    """The kinds that make up N are kinds of measure/kinds.toml, and the page names each."""
    assert set(LEFT_BEHIND) <= {one.kind for one in kind_rules()}
    assert all(one in PAGE for one in LEFT_BEHIND)
