"""`make course`: run every solution, write each as HTML, and sum up the claims that were held against this engine."""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dmhelpers.course.claims import CLAIMS_LOG, Claim
from dmhelpers.course.notebook_pictures import with_words
from dmhelpers.course.notebook_run import Run, run
from dmhelpers.course.notebooks import Shelf, as_text
from dmhelpers.units import seconds

_STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; } th, td { padding: .3em .8em; text-align: left; vertical-align: top;
border-bottom: 1px solid #ccc; } tr.broken { background: #fbe3e0; }"""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A solution that ran, and the claims that it made on the way."""

    run: Run
    claims: tuple[Claim, ...]

    @property
    def broken(self) -> tuple[Claim, ...]:
        """The claims that do not hold, or are called outdated and do."""
        return tuple(one for one in self.claims if one.holds == one.outdated)


def course(where: Shelf, names: Sequence[str], output: Path) -> int:
    """Run solutions on the engine and write them as pages that need no network, with a summary of the claims.

    Args:
        where: The notebooks; their files stay as they are.
        names: Which of them.
        output: The folder for the pages, ``index.html`` and ``claims.json``.

    Returns:
        0 when every cell ran and every claim holds, else 1.
    """
    output.mkdir(parents=True, exist_ok=True)
    lessons = []
    for name in names:
        lesson = _lesson(where.solution(name), output / f".{name}.claims.jsonl")
        (output / f"{name}.html").write_text(as_html(lesson.run), encoding="utf-8")
        lessons.append(lesson)
        _say(_line(lesson))
    (output / "index.html").write_text(summary_page(lessons), encoding="utf-8")
    (output / "claims.json").write_text(_as_json(lessons), encoding="utf-8")
    _say(summary(lessons))
    _say(f"Written: {output / 'index.html'}")
    return 1 if any(one.broken or one.run.failures for one in lessons) or not lessons else 0


def _lesson(path: Path, log: Path) -> Lesson:
    log.unlink(missing_ok=True)
    done = run(path, go_on=True, environment={CLAIMS_LOG: str(log.absolute())})
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    log.unlink(missing_ok=True)
    return Lesson(done, tuple(Claim(**json.loads(line)) for line in lines))


def as_html(done: Run) -> str:
    """Return a notebook as one page of HTML that loads nothing from elsewhere."""
    import nbformat
    from nbconvert import HTMLExporter

    # Widgets, mathematics and diagrams would be loaded from the network; the course's pages have none of them.
    nowhere = dict.fromkeys(
        ("mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url", "widget_renderer_url"), ""
    )
    exporter = HTMLExporter(**nowhere)  # type: ignore[no-untyped-call]
    page, _ = exporter.from_notebook_node(
        nbformat.reads(as_text(with_words(done.notebook)), as_version=4),  # type: ignore[no-untyped-call]
        {"metadata": {"name": done.name}},
    )
    return str(page)


def summary(lessons: Sequence[Lesson]) -> str:
    """Return the claims as a plain table, a line each, and how many hold."""
    claims = [(one.run.name[:2], claim) for one in lessons for claim in one.claims]
    rows = [(number, claim.verdict, claim.claim, f"{claim.expected} | {claim.measured}") for number, claim in claims]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    broken = sum(len(one.broken) for one in lessons)
    total = sum(one.run.duration_s for one in lessons)
    return "\n".join(
        [
            *lines,
            f"{len(claims)} claims in {len(lessons)} notebooks, {broken} broken; {seconds(total)} in all.",
        ]
    )


def summary_page(lessons: Sequence[Lesson]) -> str:
    """Return the page that lists the notebooks with their times, and every claim with what was measured."""
    books = "".join(
        _row([f'<a href="{one.run.name}.html">{html.escape(one.run.name)}</a>', seconds(one.run.duration_s)], one)
        for one in lessons
    )
    claims = "".join(
        f"<tr{' class=broken' if claim in one.broken else ''}>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in (one.run.name[:2], *_cells(claim)))
        + "</tr>"
        for one in lessons
        for claim in one.claims
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>The course, as it ran</title>'
        f"<style>{_STYLE}</style></head><body><h1>The course, as it ran on this engine</h1>"
        f"<table><thead><tr><th>notebook</th><th>time</th><th>cells that failed</th></tr></thead><tbody>{books}"
        "</tbody></table><h2>Claims</h2><table><thead><tr><th>notebook</th><th>claim</th><th>expected</th>"
        f"<th>measured</th><th>holds</th></tr></thead><tbody>{claims}</tbody></table></body></html>\n"
    )


def _row(cells: Sequence[str], lesson: Lesson) -> str:
    failed = ", ".join(one.cell_id for one in lesson.run.failures) or "none"
    mark = " class=broken" if lesson.run.failures else ""
    return f"<tr{mark}>" + "".join(f"<td>{cell}</td>" for cell in (*cells, html.escape(failed))) + "</tr>"


def _cells(claim: Claim) -> tuple[str, ...]:
    return claim.claim, claim.expected, claim.measured, claim.verdict


def _as_json(lessons: Sequence[Lesson]) -> str:
    books = [
        {
            "notebook": one.run.name,
            "duration_s": round(one.run.duration_s, 1),
            "failed_cells": [failure.cell_id for failure in one.run.failures],
            "claims": [
                dict(zip(("claim", "expected", "measured", "holds"), _cells(c), strict=True)) for c in one.claims
            ],
        }
        for one in lessons
    ]
    return json.dumps(books, indent=2, ensure_ascii=False) + "\n"


def _line(lesson: Lesson) -> str:
    done = lesson.run
    failed = "".join(f"; {one.cell_id} failed: {one.error.splitlines()[0]}" for one in done.failures if one.error)
    broken = f", {len(lesson.broken)} broken" if lesson.broken else ""
    return f"{done.name}: {seconds(done.duration_s)}, {len(lesson.claims)} claims{broken}{failed}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
