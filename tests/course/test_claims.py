"""Claims: shown with their measurement, loud when they do not hold, logged when asked to."""

from __future__ import annotations

import json

import pytest

from dmhelpers.course.claims import CLAIMS_LOG, claim
from dmhelpers.errors import ClaimBroken


def test_a_claim_that_holds_shows_all_four_lines():
    """A claim shows its sentence, what it expects, what was measured and that it holds."""
    shown = str(claim("It is smaller", expected="below 190MB", measured="138MB", holds=True))
    assert shown == "claim:    It is smaller\nexpected: below 190MB\nmeasured: 138MB\nholds:    yes"


def test_a_claim_that_does_not_hold_is_an_error_with_both_values():
    """A broken claim raises, names what was expected and measured, and ends with what to do."""
    with pytest.raises(ClaimBroken, match=r"expected below 190MB, measured 500MB") as caught:
        claim("It is smaller", expected="below 190MB", measured="500MB", holds=False)
    assert "first cell" in caught.value.hint


def test_an_outdated_sentence_is_shown_and_raises_nothing():
    """A sentence that is marked as outdated, and does not hold, is shown as such."""
    made = claim("A failing test stops the build", expected="exit 1", measured="exit 0", holds=False, outdated=True)
    assert made.verdict == "no, outdated"
    assert str(made).endswith("holds:    no, outdated")


def test_an_outdated_sentence_that_holds_is_an_error():
    """What is marked as outdated and yet holds is wrong in the course, so it raises."""
    with pytest.raises(ClaimBroken, match="although it is marked as outdated"):
        claim("A failing test stops the build", expected="exit 1", measured="exit 1", holds=True, outdated=True)


def test_every_claim_is_logged_also_the_broken_one(tmp_path, monkeypatch):
    """With the log's name set, each claim is one line of JSON, those that raise included."""
    log = tmp_path / "claims.jsonl"
    monkeypatch.setenv(CLAIMS_LOG, str(log))
    claim("One", expected=1, measured=1, holds=True)
    with pytest.raises(ClaimBroken):
        claim("Größe", expected=2, measured=3, holds=False)
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [(one["claim"], one["holds"], one["outdated"]) for one in lines] == [
        ("One", True, False),
        ("Größe", False, False),
    ]
    assert lines[0] == {"claim": "One", "expected": "1", "measured": "1", "holds": True, "outdated": False}


def test_nothing_is_written_without_a_log(tmp_path, monkeypatch):
    """Without the log's name no file is made."""
    monkeypatch.delenv(CLAIMS_LOG, raising=False)
    monkeypatch.chdir(tmp_path)
    claim("One", expected=1, measured=1, holds=True)
    assert list(tmp_path.iterdir()) == []


def test_in_a_notebook_text_is_shown_as_text():
    """What a claim holds is escaped where it is shown as HTML."""
    made = claim("a < b", expected="<script>", measured="&", holds=True)
    assert "<script>" not in made._repr_html_()
    assert "a &lt; b" in made._repr_html_()


def test_numpy_truth_is_truth():
    """`holds` may come from a comparison in a pandas table."""
    import numpy as np

    assert claim("One", expected=1, measured=1, holds=np.bool_(True)).holds is True
