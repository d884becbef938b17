"""`make course`: every solution runs, becomes a page that needs no network, and the claims are summed up."""

from __future__ import annotations

import json
import re

import pytest

from dmhelpers.course.notebook_report import course
from dmhelpers.course.notebooks import as_text, main, write

NAME = "05_building_and_measuring"
EXTERNAL = re.compile(r"<(?:script|link|img)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//", re.IGNORECASE)


def test_a_course_whose_claims_hold_ends_with_0(small_shelf, tmp_path, capsys):
    """The summary names each claim with its verdict; the command ends with 0."""
    code = main(["course", "--folder", str(small_shelf.folder), "--output", str(tmp_path / "out")])
    shown = capsys.readouterr().out
    assert code == 0
    assert re.search(r"^05 +yes +There are three +3 \| 3$", shown, re.MULTILINE)
    assert "1 claims in 1 notebooks, 0 broken" in shown


def test_the_pages_need_no_network(small_shelf, tmp_path):
    """No page loads a script, a style or a picture from elsewhere."""
    course(small_shelf, [NAME], tmp_path)
    pages = {one.name: one.read_text(encoding="utf-8") for one in tmp_path.glob("*.html")}
    assert set(pages) == {f"{NAME}.html", "index.html"}
    for name, page in pages.items():
        assert EXTERNAL.findall(page) == [], name
    assert "seen: 3" in pages[f"{NAME}.html"]
    assert "There are three" in pages["index.html"]


def test_the_claims_are_kept_as_data(small_shelf, tmp_path):
    """claims.json holds each notebook's time, failed cells and claims, and no other file is left."""
    course(small_shelf, [NAME], tmp_path)
    (book,) = json.loads((tmp_path / "claims.json").read_text())
    assert book["claims"] == [{"claim": "There are three", "expected": "3", "measured": "3", "holds": "yes"}]
    assert (book["notebook"], book["failed_cells"]) == (NAME, [])
    assert book["duration_s"] > 0
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith(".")) == []


@pytest.mark.parametrize(
    "change", ["holds=guess == 4", "holds=True, outdated=True"], ids=["does not hold", "outdated, yet it holds"]
)
def test_a_broken_claim_ends_with_1_and_the_rest_still_runs(small_shelf, fresh, tmp_path, capsys, change):
    """A claim that is broken is marked, the cells after it run, and the command ends with 1."""
    path = small_shelf.solution(NAME)
    path.write_text(as_text(fresh).replace("holds=guess == 3", change))
    assert course(small_shelf, [NAME], tmp_path) == 1
    shown = capsys.readouterr().out
    assert "1 claims in 1 notebooks, 1 broken" in shown
    assert "class=broken" in (tmp_path / "index.html").read_text()
    (book,) = json.loads((tmp_path / "claims.json").read_text())
    assert book["failed_cells"] == ["05-09"]
    page = (tmp_path / f"{NAME}.html").read_text()
    assert "tidy" in page


def test_a_cell_that_fails_ends_with_1(small_shelf, fresh, tmp_path, capsys):
    """A cell that raises is named with its error, and the command ends with 1."""
    fresh["cells"][6]["source"] = ["1 / 0"]
    write(small_shelf.solution(NAME), fresh)
    assert course(small_shelf, [NAME], tmp_path) == 1
    assert "05-07 failed" in capsys.readouterr().out


def test_no_notebook_at_all_is_no_success(small_shelf, tmp_path):
    """A course without notebooks proves nothing: it ends with 1."""
    assert course(small_shelf, [], tmp_path) == 1
