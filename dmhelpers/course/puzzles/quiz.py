"""`dm.quiz`: questions drawn from a person's own Dockerfile, answered by the engine."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, get_args

from dmhelpers.course.puzzles.checklist import Checklist
from dmhelpers.course.puzzles.judge import note
from dmhelpers.course.puzzles.questions import Fact, QuizKind, file_facts, stage_facts, stage_items
from dmhelpers.course.puzzles.records import is_stub
from dmhelpers.errors import InputError, near_matches
from dmhelpers.measure.dockerfile import project_folder, read_dockerfile
from dmhelpers.show import stamp
from dmhelpers.show.widget_view import view_of

_HEADINGS = ("item", "you said", "the engine says", "verdict", "why")


@dataclass(frozen=True, slots=True)
class Answered:
    """One item: what was said of it, what the engine says, and why."""

    item: str
    said: bool
    holds: bool
    why: str

    @property
    def right(self) -> bool:
        """Whether the two agree."""
        return self.said == self.holds


@dataclass(frozen=True, slots=True)
class QuizResult:
    """Each item beside the engine's answer; shows itself. `trouble` is why it could not be noted."""

    question: str
    rows: tuple[Answered, ...]
    trouble: str = ""

    @property
    def done(self) -> bool:
        """Whether it was answered, and all of it is right."""
        return bool(self.rows) and all(one.right for one in self.rows)

    @property
    def headline(self) -> str:
        """How many are right, or that it was not answered yet."""
        if not self.rows:
            return f"Not answered yet. {self.question}"
        return f"{sum(one.right for one in self.rows)} of {len(self.rows)} right. {self.question}"

    def __str__(self) -> str:
        rows = [
            f"  {'right' if one.right else 'wrong'}  {one.item}: {_yes(one.holds)}; {one.why}" for one in self.rows
        ]
        return stamp.lines(self.headline, *rows, *filter(None, [self.trouble]))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        head = "".join(f'<th scope="col" {left}>{one}</th>' for one in _HEADINGS)
        body = "".join(
            f"<tr>{''.join(f'<td {left}>{html.escape(cell)}</td>' for cell in _cells(one))}</tr>" for one in self.rows
        )
        table = body and f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        after = f"<p>{html.escape(self.trouble)}</p>" if self.trouble else ""
        return f"<p><strong>{html.escape(self.headline)}</strong></p>{table}{after}{stamp.paragraph()}"


class Quiz:
    """One question with several items, each to be ticked or not; `quiz` makes it."""

    def __init__(
        self, question: str, name: str, items: tuple[str, ...], facts: tuple[Fact, ...] | None, ask: Any = None
    ) -> None:
        self.question, self.name, self.items = question, name, items
        self._facts, self._ask = facts, ask
        self._list: Checklist | None = None

    @property
    def checklist(self) -> Checklist:
        """The checkboxes."""
        if self._list is None:
            self._list = Checklist(self.question, self.items, self.answer)
        return self._list

    def answer(self, chosen: Iterable[str | int] | EllipsisType) -> QuizResult:
        """Say for which items the answer is yes, and see what the engine says of each.

        Args:
            chosen: Items, or their numbers from 1. ``...`` stands for those that are ticked.

        Returns:
            Right or wrong for each item, with the reason. It is counted in `progress` under the quiz's name. Where
            ``...`` was given and none is ticked, it says that it was not answered yet, and is not counted.

        Raises:
            InputError: Something chosen is no item, or the Dockerfile has other stages now.
            BuildFailed: The Dockerfile does not build.
            EngineUnavailable: No engine answers.
        """
        if isinstance(chosen, EllipsisType) or is_stub(chosen):
            chosen = self._list.ticked if self._list else []
            if not chosen:
                return QuizResult(self.question, (), "Tick what is so, or give the numbers to .answer([…]).")
        said = {self._item(one) for one in ([chosen] if isinstance(chosen, str | int) else chosen)}
        if self._facts is None:
            self._facts = self._known()
        rows = tuple(Answered(one.item, one.item in said, one.holds, one.why) for one in self._facts)
        return QuizResult(self.question, rows, note(self.name, all(one.right for one in rows)))

    def _known(self) -> tuple[Fact, ...]:
        facts: tuple[Fact, ...] = self._ask()
        if tuple(one.item for one in facts) != self.items:
            raise InputError(
                "The Dockerfile has other stages now than when you were asked.", hint="Ask again: run dm.quiz anew."
            )
        return facts

    def _item(self, one: str | int) -> str:
        if isinstance(one, int) and 1 <= one <= len(self.items):
            return self.items[one - 1]
        if one in self.items:
            return str(one)
        raise InputError(f"{one!r} is none of what is asked for.", hint=near_matches(str(one), self.items))

    def __str__(self) -> str:
        rows = [f"  {number}  {item}" for number, item in enumerate(self.items, start=1)]
        return "\n".join([self.question, *rows, "Answer with: .answer([…]), the items or numbers for yes"])

    def __repr__(self) -> str:
        return f"<Quiz {self.name}, {len(self.items)} items>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        rows = "".join(f"<li><code>{html.escape(one)}</code></li>" for one in self.items)
        static = f"<p><strong>{html.escape(self.question)}</strong></p><ol>{rows}</ol>"
        return {"text/plain": str(self), "text/html": static} | view_of(self.checklist.widget)


def quiz(
    project: str | os.PathLike[str],
    *,
    kind: QuizKind = "stages",
    target: str | None = None,
    file: str = "Dockerfile",
) -> Quiz:
    """Ask a question about a project's Dockerfile; what a real build makes of it is the answer.

    Args:
        project: The project's folder (or a sample).
        kind: ``"stages"``: which stages take part when the target is built? It is built once you answer.
            ``"files"``: which of these files are in the image? It is built, with the stages that it takes from, to
            draw them: some that are in it and some that stayed behind, the same ones every time.
        target: The stage to build; the last one for None.
        file: The Dockerfile, relative to the project.

    Returns:
        The question: checkboxes in a notebook, numbered items elsewhere; ``.items`` and ``.answer([…])``.
        The images are built under throw-away names and removed.

    Raises:
        InputError: There is no such kind, or nothing stays behind that could be asked for.
        ProjectNotFound: There is no such folder or Dockerfile.
        DockerfileError: The Dockerfile cannot be read; carries the line.
        StageNotFound: The target is not one of its stages.
        BuildFailed: For files, a step failed.
        EngineUnavailable: For files, no engine answers.
    """
    if kind not in get_args(QuizKind):
        raise InputError(f"There is no question about {kind!r}.", hint="Choose kind='stages' or kind='files'.")
    dockerfile = read_dockerfile(project, file=file)
    aim = dockerfile.find(target).label
    name = f"quiz {kind} {project_folder(project).name} {aim}"
    if kind == "stages":
        question = f"Which stages take part when you build {aim} of {file}?"
        items = stage_items(dockerfile)
        return Quiz(question, name, items, None, lambda: stage_facts(project, target=target, file=file))
    facts = file_facts(project, target=target, file=file)
    return Quiz(f"Which of these files are in the image of {aim}?", name, tuple(one.item for one in facts), facts)


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _cells(one: Answered) -> tuple[str, ...]:
    return one.item, _yes(one.said), _yes(one.holds), "right" if one.right else "wrong", one.why
