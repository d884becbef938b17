"""The grid: what each learner's state at each check is, and what is counted and exported."""

from __future__ import annotations

import csv
import io

from dmhelpers.workshop.view.grid import Limits, as_csv, columns, grid
from dmhelpers.workshop.view.reports import Check, Report, exercises, notebooks
from dmhelpers.workshop.view.store import Learner

NOW = 10_000.0


def learner(number, name="ada", *, shares=False, opened=(), **checks):
    """Return a learner whose checks are given as `c01a=Check(…)`."""
    found = {f"{key[1:3]}-{key[3]}": one for key, one in checks.items()}
    return Learner(number, name, NOW, Report(shares, dict(opened), found))


def states(*learners, limits=None):
    """Return, for each learner, the states by check or notebook."""
    found = grid(learners, now=NOW, limits=limits or Limits())
    return [{one.exercise.number or one.exercise.notebook: one.state for one in row.cells} for row in found.rows]


def test_every_notebook_and_every_check_has_a_column():
    """The columns are the course's: each check once, and one for a notebook that has none, in order."""
    found = columns()
    assert [one for one in found if one.number] == list(exercises())
    assert list(dict.fromkeys(one.notebook for one in found)) == list(notebooks())


def test_states():
    """Passed, trying, opened and not opened are told apart; a tried check means that its notebook was opened."""
    (found,) = states(learner(1, opened={"00_start_here": 1.0}, c01a=Check(True, 1), c05a=Check(False, 1, NOW - 5)))
    assert found["00_start_here"] == "opened"
    assert (found["01-a"], found["01-b"]) == ("passed", "opened")
    assert (found["05-a"], found["05-b"]) == ("trying", "opened")
    assert found["02-a"] == "not opened"


def test_who_is_stuck():
    """Stuck is three tries, or ten minutes since the first, without a pass; a pass ends it, and both can be set."""
    some = learner(
        1,
        c01a=Check(False, 3, NOW),
        c01b=Check(False, 2, NOW - 599),
        c02a=Check(False, 1, NOW - 600),
        c02b=Check(True, 9, NOW - 6000, NOW),
        c03a=Check(False, 2, None),
    )
    (found,) = states(some)
    seen = [found[one] for one in ("01-a", "01-b", "02-a", "02-b", "03-a")]
    assert seen == ["stuck", "trying", "stuck", "passed", "trying"]
    (patient,) = states(some, limits=Limits(tries=4, minutes=11))
    assert (patient["01-a"], patient["02-a"]) == ("trying", "trying")


def test_the_stuck_are_listed_longest_first_and_the_passed_counted():
    """Who has tried longest is named first, who went on is not; the last row counts who passed."""
    found = grid(
        [
            learner(1, c01a=Check(False, 3, NOW - 60), c01b=Check(True, 1)),
            learner(2, "ben", c01a=Check(False, 3, NOW - 660), c01b=Check(True, 4)),
            learner(3, "eve", c01a=Check(False, 3, None)),
        ],
        now=NOW,
        limits=Limits(),
    )
    assert [(row.number, cell.exercise.number) for row, cell in found.stuck()] == [
        (2, "01-a"),
        (1, "01-a"),
        (3, "01-a"),
    ]
    gone_on = grid(
        [learner(1, opened={"02_typescript_api": NOW}, c01a=Check(False, 3, NOW), c02a=Check(False, 3, NOW))],
        now=NOW,
        limits=Limits(),
    )
    assert [cell.exercise.number for _, cell in gone_on.stuck()] == ["02-a"]
    at = [one.number for one in found.columns]
    assert (found.passed(at.index("01-a")), found.passed(at.index("01-b"))) == (0, 2)


def test_where_a_learner_is():
    """The notebook that was opened last is named."""
    found = grid([learner(1, opened={"02_typescript_api": 9.0, "01_core_concept": 10.0})], now=NOW, limits=Limits())
    assert found.rows[0].last_opened == "01_core_concept"


def test_the_csv_names_who_agreed_and_holds_no_formula():
    """One line a learner and column; a name that is not shared is a number, and no name begins a formula."""
    found = grid(
        [
            learner(1, "secret", c01a=Check(True, 2, NOW - 90, NOW - 30)),
            learner(2, '=1+1,"x"', shares=True, opened={"00_start_here": 1.0}),
        ],
        now=NOW,
        limits=Limits(),
    )
    text = as_csv(found)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2 * len(columns())
    assert "secret" not in text
    assert {row["learner"] for row in rows} == {"Learner 1", '\'=1+1,"x"'}
    (passed,) = [row for row in rows if row["state"] == "passed"]
    assert passed == {
        "learner": "Learner 1",
        "notebook": "01_core_concept",
        "check": "01-a",
        "state": "passed",
        "tries": "2",
        "minutes": "1.0",
        "last_report": "1970-01-01T02:46:40Z",
    }
