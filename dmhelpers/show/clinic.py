"""`dm.clinic`: what is amiss in a project's Dockerfile, as a table, as text, as HTML and as JSON."""

from __future__ import annotations

import html
import json
import os
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dmhelpers.measure.clinic import Advice, Diagnosis, examine
from dmhelpers.measure.clinic.records import SEVERITIES
from dmhelpers.show import tables
from dmhelpers.units import docker_size, seconds

if TYPE_CHECKING:
    import pandas as pd

_WIDTH = 100
_OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*(?:=[\w=.,/-]*\w)?")
_HEADINGS = ("severity", "line", "rule", "what and why", "what to do")


@dataclass(frozen=True)
class ClinicReport:
    """What the clinic says; prints as text, and shows as tables in a notebook."""

    diagnosis: Diagnosis

    @property
    def ok(self) -> bool:
        """Whether there is no advice."""
        return not self.diagnosis.advice

    @property
    def advice(self) -> pd.DataFrame:
        """The advice, ranked: by severity (high, medium, low), then by bytes, the most first, then by line.

        Columns ``rule``, ``severity`` (str), ``line`` (Int64, the Dockerfile's), ``stage`` (str), ``evidence`` (str),
        ``evidence_bytes`` (Int64, missing where the evidence is the line itself), ``evidence_s`` (float64, NaN where
        nothing was timed) and ``cure`` (str).
        """
        rows = self.diagnosis.advice
        names = ("rule", "severity", "line", "stage", "evidence", "evidence_bytes", "evidence_s", "cure")
        return tables.columns(
            {name: [getattr(row, name) for row in rows] for name in names},
            lines=("line", "evidence_bytes"),
            asked=self.diagnosis.image is not None,
        )

    @property
    def split(self) -> str | None:
        """A Dockerfile of two stages to start from where one stage does it all, else None; it stands in no file."""
        return self.diagnosis.split

    def at_least(self, severity: str) -> tuple[Advice, ...]:
        """Return the advice of that severity or above; none for ``"never"``."""
        if severity not in SEVERITIES:
            return ()
        grave = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return tuple(one for one in self.diagnosis.advice if one.severity in grave)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values: what `as_json` writes."""
        return {"ok": self.ok, **json.loads(json.dumps(asdict(self.diagnosis)))}

    def as_json(self) -> str:
        """Return `as_dict` as indented JSON text."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    @property
    def verdict(self) -> str:
        """One sentence for all of it."""
        found, name = self.diagnosis.advice, f"{self.diagnosis.file}, target {self.diagnosis.target}"
        if not found:
            return f"{name}: nothing to advise."
        counts = [(sum(one.severity == severity for one in found), severity) for severity in SEVERITIES]
        pieces = "1 piece" if len(found) == 1 else f"{len(found)} pieces"
        return f"{name}: {pieces} of advice, {', '.join(f'{count} {word}' for count, word in counts if count)}."

    @property
    def facts(self) -> tuple[str, ...]:
        """What was looked at, in sentences: the build context, and the image where one was built."""
        context, image = self.diagnosis.context, self.diagnosis.image
        ignored = context.ignore_file or "no .dockerignore"
        found = [
            f"Build context: {docker_size(context.size_bytes)} in {context.files} files ({ignored}), "
            f"{docker_size(context.used_bytes)} of it used."
        ]
        if image is not None:
            kinds = ", ".join(f"{docker_size(one.size_bytes)} {one.kind}" for one in image.kinds)
            note = ", on a stand-in base image" if image.base_origin == "assembled" else ""
            found.append(f"Image: {docker_size(image.size_bytes)}{note}, built in {seconds(image.build_s)}: {kinds}.")
        return tuple(found)

    def __str__(self) -> str:
        lines = [self.verdict, *self.facts]
        for one in self.diagnosis.advice:
            lines += ["", f"{one.severity:<6}  {_place(one)}  {one.rule}", *_told(one)]
        if self.diagnosis.findings:
            lines += ["", "In the words of other tools:"]
            lines += [_wrapped(_finding(one), "  ", "    ") for one in self.diagnosis.findings]
        if self.split is not None:
            lines += ["", "A split to start from:", "", *(f"    {one}".rstrip() for one in self.split.splitlines())]
        if self.diagnosis.notes:
            lines += ["", *(_wrapped(one, "", "  ") for one in self.diagnosis.notes)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        parts = [f"<p><strong>{html.escape(self.verdict)}</strong></p>"]
        parts += [f"<p>{html.escape(one)}</p>" for one in self.facts]
        if self.diagnosis.advice:
            parts.append(_table("What the clinic advises", _HEADINGS, (_cells(one) for one in self.diagnosis.advice)))
        if self.diagnosis.findings:
            rows = ([one.tool, one.rule, str(one.line or ""), one.message] for one in self.diagnosis.findings)
            parts.append(_table("In the words of other tools", ("tool", "rule", "line", "message"), rows))
        if self.split is not None:
            summary = "A split to start from; it stands in no file"
            parts.append(f"<details><summary>{summary}</summary><pre>{html.escape(self.split)}</pre></details>")
        parts += [f"<p>{html.escape(one)}</p>" for one in self.diagnosis.notes]
        return "".join(parts)


def clinic(
    path: str | os.PathLike[str],
    *,
    file: str = "Dockerfile",
    target: str | int | None = None,
    build: bool = False,
    lint: bool = False,
    say: Callable[[str], None] | None = None,
) -> ClinicReport:
    """Examine your own project's Dockerfile and build context; nothing in the project is changed.

    Args:
        path: The project's folder, which is the build context, or the Dockerfile in it.
        file: The Dockerfile, relative to the folder.
        target: The stage that you ship, by name or number; the last one for None.
        build: Build it too, under a name of the clinic's own, and look inside; the image is removed again.
        lint: Ask BuildKit's own checks and hadolint too, where they are there; their words stand apart.
        say: Called with a sentence when something takes its time.

    Returns:
        The report: ``.advice`` (a table, ranked), ``.ok``, ``.split`` and ``.as_json()``. What each rule looks at and
        how its figures are defined stands in docs/clinic.md. No secret's value is in any of it.

    Raises:
        ProjectNotFound: There is no such folder or Dockerfile, or it cannot be read.
        DockerfileError: The Dockerfile or the .dockerignore cannot be read; carries the line.
        StageNotFound: The target is not one of its stages.
        InputError: Both a Dockerfile and another file were named.
        BuildFailed: With `build`, a step failed.
        BaseImageError: With `build`, a base image cannot be had.
        EngineUnavailable: With `build`, there is no engine.
    """
    return ClinicReport(examine(path, file=file, target=target, build=build, lint=lint, say=say))


def _marked_up(text: str) -> str:
    """Return a text as HTML: what stands in backticks as code, and no option broken at its hyphens."""
    code = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
    return _OPTION.sub(r'<span style="white-space: nowrap">\g<0></span>', code)


def _place(one: Advice) -> str:
    if one.line is None:
        return "-"
    lines = f"line {one.line}" if one.end_line in (None, one.line) else f"lines {one.line}-{one.end_line}"
    return f"{lines} ({one.stage})" if one.stage else lines


def _told(one: Advice) -> Iterator[str]:
    yield _wrapped(one.title, "        ", "        ")
    yield _wrapped(f"why   {one.evidence}", "        ", "              ")
    yield _wrapped(f"cure  {one.cure}", "        ", "              ")
    yield f"        page  {one.page}"


def _wrapped(text: str, first: str, rest: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _finding(one: Any) -> str:
    where = f"line {one.line}: " if one.line else ""
    return f"{one.tool} {one.rule} ({one.severity}) {where}{one.message}"


def _cells(one: Advice) -> list[str]:
    return [one.severity, _place(one), one.rule, f"{one.title} {one.evidence}", one.cure]


def _table(caption: str, headings: tuple[str, ...], rows: Iterator[list[str]]) -> str:
    left = 'style="text-align:left"'
    head = "".join(f'<th scope="col" {left}>{html.escape(one)}</th>' for one in headings)
    body = "".join(
        "<tr>" + "".join(f"<td {left}>{_marked_up(cell)}</td>" for cell in cells) + "</tr>" for cells in rows
    )
    return f"<table><caption {left}>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
