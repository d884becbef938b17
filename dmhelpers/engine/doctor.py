"""`dmhelpers doctor`: one row a check, each by itself, each with its cure."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dmhelpers.engine.patience import patient
from dmhelpers.errors import DmHelpersError

Status = Literal["ok", "fix", "note"]

TOTAL_LIMIT_S = 10.0
_HEADINGS = ("check", "status", "detail", "hint")
_WIDEST_DETAIL = 78


@dataclass(frozen=True, slots=True)
class Check:
    """One row: ``"fix"`` stops the course, ``"note"`` is worth knowing; `hint` says what to do."""

    name: str
    status: Status
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What the doctor found, in the order of the checks: a table in a terminal and in a notebook.

    `recorded` says when and with which engine it was found, in recorded mode, else ``""``.
    """

    checks: tuple[Check, ...]
    duration_s: float
    recorded: str = ""

    @property
    def ok(self) -> bool:
        """Whether no row says ``"fix"``."""
        return all(check.status != "fix" for check in self.checks)

    @property
    def verdict(self) -> str:
        """One sentence for all rows."""
        to_fix = [check.name for check in self.checks if check.status == "fix"]
        said = f"To fix, from the top: {', '.join(to_fix)}." if to_fix else "Ready: nothing has to be fixed."
        return f"{said} ({self.recorded})" if self.recorded else said

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __str__(self) -> str:
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            lines.append(f"{check.name:<{width}}  {check.status:<6}  {check.detail}")
            if check.hint:
                lines.append(f"{'':<{width}}  {'':<6}  -> {check.hint}")
        return "\n".join([f"{'check':<{width}}  {'status':<6}  detail", *lines, "", self.verdict])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in _HEADINGS)
        rows = "".join(_html_row(check) for check in self.checks)
        caption = f'<caption style="text-align:left">{html.escape(self.verdict)}</caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


@dataclass(frozen=True, slots=True)
class Examination:
    """One check to be made: what to call, how long it may take, and whether it needs an engine."""

    name: str
    examine: Callable[[], Check]
    limit_s: float = 4.0
    needs_engine: bool = True


def doctor() -> Report:
    """Check one by one what the course needs, in at most about ten seconds, or `DMHELPERS_PATIENCE` times as long.

    Returns:
        A report with one row a check: the `docker` command, the engine, a container that really runs,
        the engine's version, buildx, the image store, free disk, memory, the network and the certificates
        inside a container, the base images, the clock. It never raises: a check that fails or hangs is a row.
    """
    from dmhelpers.engine import recorded
    from dmhelpers.engine.doctor_checks import examinations
    from dmhelpers.engine.recorded import marks

    def look() -> list[Any]:
        found = examine(examinations(), total_limit_s=patient(TOTAL_LIMIT_S))
        return [found.duration_s, [asdict(one) for one in found.checks]]

    duration_s, rows = recorded.exchange("doctor", "doctor", look)
    return Report(tuple(Check(**one) for one in rows), duration_s, marks.sentence())


def examine(examinations: Iterable[Examination], *, total_limit_s: float = TOTAL_LIMIT_S) -> Report:
    """Make the checks: those without an engine first, then the others all at once if the engine answered.

    Args:
        examinations: What to check, in the order of the rows.
        total_limit_s: Seconds for all of them; the time limits of the single checks count too.
    """
    begun = time.monotonic()
    planned = list(examinations)
    found = _together([one for one in planned if not one.needs_engine], begun + total_limit_s)
    later = [one for one in planned if one.needs_engine]
    blocked = next((name for name, check in found.items() if name == "engine" and check.status == "fix"), None)
    if blocked:
        found |= {one.name: Check(one.name, "note", "not checked: no engine answered") for one in later}
    else:
        found |= _together(later, begun + total_limit_s)
    return Report(tuple(found[one.name] for one in planned), time.monotonic() - begun)


def _together(examinations: Sequence[Examination], deadline: float) -> dict[str, Check]:
    """Make checks at the same time, each in a thread that is left behind if it hangs."""
    results: dict[str, Check] = {}
    begun = time.monotonic()
    threads = []
    for one in examinations:
        thread = threading.Thread(target=_examine_one, args=(one, results), daemon=True)
        thread.start()
        threads.append((one, thread))
    for one, thread in threads:
        thread.join(max(0.0, min(begun + one.limit_s, deadline) - time.monotonic()))
        waited_s = time.monotonic() - begun
        results.setdefault(
            one.name,
            Check(
                one.name,
                "fix",
                f"no answer within {waited_s:.0f} s",
                "The engine is overloaded or stuck: restart it, then run: dmhelpers doctor",
            ),
        )
    # A copy: a check that was given up may still write its row.
    return dict(results)


def _examine_one(examination: Examination, results: dict[str, Check]) -> None:
    try:
        check = examination.examine()
    except DmHelpersError as error:
        check = Check(examination.name, "fix", error.message, error.hint)
    except Exception as error:  # whatever it is, the other rows are still worth having
        check = Check(
            examination.name,
            "fix",
            f"the check itself failed: {type(error).__name__}: {error}",
            "Please report this line as a bug of the course.",
        )
    results.setdefault(examination.name, check)


def _html_row(check: Check) -> str:
    cells = "".join(
        f'<td style="text-align:left">{html.escape(text)}</td>' for text in (check.status, check.detail, check.hint)
    )
    return f'<tr><th scope="row" style="text-align:left">{html.escape(check.name)}</th>{cells}</tr>'
