"""Parsons problems and what became of an answer, as data."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dmhelpers.course.checks.records import html_rows
from dmhelpers.show import stamp

ProbeKind = Literal["prints", "present", "absent", "cached after edit", "stops when broken"]
"""What is asked of an answer that was built; see `Probe`."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that must hold of the built image.

    `kind` is one of five. ``"prints"``: a container of it ends with 0 and prints `text`. ``"present"`` and
    ``"absent"``: each pattern of `paths` matches a file of it; none does. ``"cached after edit"``: once `edit` was
    changed in a copy and that built again, the steps with `text` in them come from the build cache. ``"stops when
    broken"``: once `append` was added to `edit`, the build fails and its log has `text`. `seen` and `missing` are the
    words for both outcomes.
    """

    kind: ProbeKind
    seen: str
    missing: str
    text: str = ""
    paths: tuple[str, ...] = ()
    edit: str = ""
    append: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, by its number in the list; `why_not` is why it does not belong, empty where it does."""

    number: int
    text: str
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A Parsons problem: the files that it is built among, the lines in the order shown, and what judges an answer.

    `solution` holds the numbers of the lines of one right Dockerfile; others that build and pass are as right.
    """

    name: str
    title: str
    level: str
    task: str
    files: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    solution: tuple[int, ...]
    probes: tuple[Probe, ...]

    def dockerfile(self, order: Sequence[int]) -> str:
        """Return the Dockerfile of these lines, a blank line before each FROM but the first."""
        texts = [self.lines[number - 1].text for number in order]
        return "".join(f"\n{one}\n" if at and one.startswith("FROM ") else f"{one}\n" for at, one in enumerate(texts))


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether an answer is right: what was seen on the engine, what is missing, what the engine said; shows itself.

    `about` holds what there is to say of lines that do not belong, `trouble` why it could not be noted.
    """

    name: str
    title: str
    done: bool
    seen: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    engine: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def word(self) -> str:
        """``"solved"`` or ``"not yet"``."""
        return "solved" if self.done else "not yet"

    def __str__(self) -> str:
        rows = [f"  {heading:<7}  {one}" for heading, texts in self._parts() for one in texts]
        return stamp.lines(f"{self.name} {self.word}: {self.title}", *rows, *filter(None, [self.trouble]))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(html_rows(heading, texts) for heading, texts in self._parts())
        after = f"<p>{html.escape(self.trouble)}</p>" if self.trouble else ""
        return (
            f"<p><strong>{self.name}: {self.word}.</strong> {html.escape(self.title)}</p>"
            f"<table><tbody>{rows}</tbody></table>{after}{stamp.paragraph()}"
        )

    def _parts(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (
            ("seen", self.seen),
            ("missing", self.missing),
            ("engine", self.engine[:1]),
            ("", self.engine[1:]),
            ("lines", self.about),
        )


def is_stub(answer: Any) -> bool:
    """Say whether an answer is still what the static form shows: a list of nothing but ``...``."""
    return isinstance(answer, list | tuple) and len(answer) == 1 and answer[0] is ...
