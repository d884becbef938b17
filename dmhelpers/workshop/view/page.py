"""The instructor's page: HTML that is made here only, with every word from outside escaped."""

from __future__ import annotations

import functools
import html
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby

from dmhelpers.workshop.view.grid import Cell, Grid, Limits, Row, State

SIGNS: dict[State, str] = {"passed": "●", "stuck": "!", "trying": "◐", "opened": "○", "not opened": "·"}
_MEANINGS: dict[State, str] = {
    "passed": "a check said done once",
    "stuck": "",
    "trying": "tried, and not yet done; the figure counts the tries",
    "opened": "its notebook was opened, its check not tried",
    "not opened": "nothing of its notebook was reported",
}


def page(shown: str, *, limits: Limits, everything: bool, xsrf_field: str) -> str:
    """Return the whole page.

    Args:
        shown: What is refreshed, as `table` returns it.
        limits: When somebody counts as stuck, for the legend.
        everything: Whether notebooks that nobody opened are shown too.
        xsrf_field: The hidden field of the form that deletes, as HTML.
    """
    other = ('<a href="./">Only notebooks that somebody opened</a>', '<a href="./?all=1">All notebooks</a>')
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Who is where: the workshop's progress</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/view.css">
<script src="static/view.js" defer></script>
</head>
<body>
<header>
<h1>Who is where</h1>
<nav aria-label="This page">
{other[not everything]}
<a href="progress.csv" download>Download as CSV</a>
<button type="button" id="print" hidden>Print</button>
</nav>
<p id="live" role="status">Shown as it was when the page was loaded.</p>
<p id="printed"></p>
</header>
<main id="grid" data-source="table{"?all=1" if everything else ""}">
{shown}
</main>
<footer>
<h2>Signs</h2>
<dl>{_legend(limits)}</dl>
<details>
<summary>Delete everything that was reported</summary>
<form method="post" action="clear">{xsrf_field}
<p>All rows go, for good. Learners who go on working appear again, under new numbers.
Download the CSV first if you need it.</p>
<button type="submit">Delete all rows</button>
</form>
</details>
</footer>
</body>
</html>
"""


def table(found: Grid, shown: Iterable[int], *, version: str = "", changed: Iterable[Row] | None = None) -> str:
    """Return what is refreshed: the summary, who is stuck, and the grid.

    Args:
        found: What it shows.
        shown: The columns, by their places in the grid.
        version: What the page gives back to be told only what changed since.
        changed: The rows that changed; the page has the others, and the same columns. All rows for None.
    """
    if not found.rows:
        return "<p>Nobody has opened a notebook yet.</p>"
    across, part = tuple(shown), "" if changed is None else ' data-part="1"'
    rows = found.rows if changed is None else changed
    return f"""{summary(found)}
<div class="scroll" tabindex="0" role="region" aria-label="Learners and checks">
<table data-version="{version}"{part}>
<caption>Learners, and each check of the notebooks that they opened</caption>
<thead>
<tr><th scope="col" rowspan="2" class="who">Learner</th>{"".join(_notebook_heads(found, across))}</tr>
<tr>{"".join(_check_head(found, at) for at in across)}</tr>
</thead>
<tbody>
{"".join(_row(one, across) for one in rows)}</tbody>
<tfoot>
<tr><th scope="row">Passed, of {len(found.rows)}</th>{"".join(_passed(found, at) for at in across)}</tr>
</tfoot>
</table>
</div>"""


def opened_columns(found: Grid) -> tuple[int, ...]:
    """Return the columns whose notebook somebody opened."""
    return tuple(at for at in range(len(found.columns)) if _is_used(found, at))


def _is_used(found: Grid, at: int) -> bool:
    return any(row.cells[at].state != "not opened" for row in found.rows)


def summary(found: Grid) -> str:
    """Return who is stuck now, as a section; it changes with time alone, for it tells minutes."""
    stuck = found.stuck()
    count = len({row.number for row, _ in stuck})
    learners = "1 learner" if len(found.rows) == 1 else f"{len(found.rows)} learners"
    lines = "".join(f"<li>{_stuck_line(row, cell, found.now)}</li>" for row, cell in stuck)
    body = f"<ul>{lines}</ul>" if stuck else "<p>Nobody.</p>"
    heading = f'<h2><span role="status">Stuck now: {count} of {learners}</span></h2>'
    return f'<section class="help" aria-label="Stuck now">{heading}{body}</section>'


def _stuck_line(row: Row, cell: Cell, now: float) -> str:
    minutes = cell.minutes(now)
    since = "" if minutes is None else f", {minutes:.0f} min since the first"
    tries = "1 try" if cell.tries == 1 else f"{cell.tries} tries"
    return f"<strong>{html.escape(row.learner.label)}</strong> on {cell.exercise.number}: {tries}{since}"


def _notebook_heads(found: Grid, shown: tuple[int, ...]) -> Iterator[str]:
    for name, group in groupby(shown, key=lambda at: found.columns[at].notebook):
        span = len(list(group))
        title = f'<span class="spoken"> {html.escape(name[3:].replace("_", " "))}</span>'
        yield f'<th scope="colgroup" colspan="{span}" class="first">{name[:2]}{title}</th>'


def _check_head(found: Grid, at: int) -> str:
    number = found.columns[at].number
    inner = f'<span class="spoken">{number[:-1]}</span>{number[-1:]}' if number else "opened"
    return f'<th scope="col" class="{_edge(found, at)}">{inner}</th>'


def _row(row: Row, shown: tuple[int, ...]) -> str:
    seen = datetime.fromtimestamp(row.learner.seen_at, UTC)
    last = f"in {row.last_opened[:2]}, " if row.last_opened else ""
    stamp = f'<time datetime="{seen:%Y-%m-%dT%H:%M:%SZ}">{seen:%H:%M} UTC</time>'
    label = f'<span class="label">{html.escape(row.learner.label)}</span>'
    head = f'<th scope="row">{label} <small>{last}{stamp}</small></th>'
    edges = [at == 0 or row.cells[at - 1].exercise.notebook != row.cells[at].exercise.notebook for at in shown]
    cells = "".join(_cell_of(row.cells[at], edge) for at, edge in zip(shown, edges, strict=True))
    return f'<tr data-learner="{row.number}">{head}{cells}</tr>\n'


def _cell_of(cell: Cell, edge: bool) -> str:
    tries = cell.tries if cell.state in ("trying", "stuck") else None
    return _cell(cell.state, tries, cell.exercise.number or cell.exercise.notebook, edge)


@functools.lru_cache(maxsize=4096)  # a room of a thousand has 27,000 cells, and few different ones
def _cell(state: State, tries: int | None, check: str, edge: bool) -> str:
    name = state.replace(" ", "-")
    told = "" if tries is None else f' <span class="tries">{tries}</span>'
    quiet = ' class="spoken"' if state == "not opened" else ""
    sign = f'<span class="sign" aria-hidden="true">{SIGNS[state]}</span>'
    first = " first" if edge else ""
    return f'<td class="{name}{first}" data-check="{check}">{sign}<span{quiet}>{state}{told}</span></td>'


def _passed(found: Grid, at: int) -> str:
    return f'<td class="{_edge(found, at)}">{found.passed(at)}</td>'


def _edge(found: Grid, at: int) -> str:
    return "first" if at == 0 or found.columns[at - 1].notebook != found.columns[at].notebook else ""


def _legend(limits: Limits) -> str:
    stuck = f"not yet done after {limits.tries} tries, or {limits.minutes:g} minutes after the first; listed on top"
    stuck += " while it is in the notebook that was opened last"
    meanings = {**_MEANINGS, "stuck": stuck}
    return "".join(
        f'<div><dt class="{state.replace(" ", "-")}"><span class="sign" aria-hidden="true">{SIGNS[state]}</span>'
        f"{state}</dt><dd>{meanings[state]}</dd></div>"
        for state in SIGNS
    )
