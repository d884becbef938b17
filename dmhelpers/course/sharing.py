"""What a learner lets a workshop's instructor see: progress, unless they say no; a name, only if they say so."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dmhelpers.course import kept
from dmhelpers.course.samples import workspace_folder
from dmhelpers.errors import InputError

FILE = "sharing.json"
NOTICE = """\
This is a workshop: its instructor sees which notebooks you opened, which checks you passed and how often you tried,
under a number and without your name. Your code, your guesses and your files are not sent. dm.sharing() shows what is
seen; dm.sharing(name=True) adds your name; dm.sharing(progress=False) ends it and deletes what was sent."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a learner chose, and whether they were told that there is a choice."""

    name: bool = False
    progress: bool = True
    told: bool = False


@dataclass(frozen=True, slots=True)
class Sharing:
    """What the instructor of this workshop sees of you, as sentences; shows itself."""

    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(one)}</p>" for one in self.sentences)


def sharing(*, name: bool | None = None, progress: bool | None = None) -> Sharing:
    """Show, or change, what the instructor of a workshop sees of you. Outside a workshop nothing is ever sent.

    Args:
        name: Whether your name stands beside your progress; at first it does not, and a number does.
        progress: Whether your progress is reported; False deletes what was.

    Returns:
        What the instructor sees now. The choice is kept in ``sharing.json`` in the workspace.

    Raises:
        InputError: The workspace cannot be written to.
    """
    from dmhelpers.course import reporting

    if not reporting.in_workshop():
        return Sharing(("This is no workshop: nothing is reported to anybody.",))
    old = choice()
    new = replace(old, name=old.name if name is None else bool(name), told=True)
    new = replace(new, progress=old.progress if progress is None else bool(progress))
    if new != old:
        _keep(new)
    try:
        with reporting.one_message:
            answer = reporting.send(reporting.message() if new.progress else None)
    except reporting.Unsent as reason:
        later = "It is tried again with your next check." if new.progress else "Call this again in a moment."
        return Sharing((_wish(new), f"The instructor's page does not know yet: {reason}. {later}"))
    label = str(answer.get("label", ""))
    return Sharing((_wish(new), f"There you are: {label}.") if new.progress and label else (_wish(new),))


def choice() -> Choice:
    """Return what this learner chose; what is not readable counts as not chosen."""
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    known = found if isinstance(found, dict) else {}
    return Choice(**{key: known[key] for key in asdict(Choice()) if isinstance(known.get(key), bool)})


def tell_once() -> str:
    """Return, the first time in a workspace, what is reported and how to change that; later nothing.

    Raises:
        InputError: The workspace cannot be written to.
    """
    known = choice()
    if known.told:
        return ""
    _keep(replace(known, told=True))
    return NOTICE


def _wish(chosen: Choice) -> str:
    if not chosen.progress:
        return "Your progress is not reported, and what was reported is deleted."
    seen = "The instructor sees which notebooks you opened, which checks you passed and how often you tried"
    return f"{seen}, with your name." if chosen.name else f"{seen}, under a number and without your name."


def _keep(chosen: Choice) -> None:
    path = _file()
    try:
        with kept.exclusively(path):
            kept.write(path, asdict(chosen))
    except OSError as error:
        raise InputError(
            f"Your choice cannot be kept in {str(path)!r}: {error.strerror or error}.",
            hint="Choose a workspace that you may write to: set DMHELPERS_WORKSPACE.",
        ) from error


def _file() -> Path:
    return workspace_folder() / FILE
