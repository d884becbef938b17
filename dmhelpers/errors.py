"""The exceptions of the course, each with what to do as its last line.

::

    DmHelpersError
    ├── EngineError
    │   ├── EngineUnavailable      no engine answers, or this person may not use it
    │   │   └── NotRecorded        recorded mode, and this was not asked when it was recorded
    │   ├── EngineTooOld           an engine or buildx below the course's minimum
    │   ├── CommandFailed          a `docker` command ended with another code than 0
    │   ├── EngineRefused          the Engine API answered with an error
    │   └── TimeLimitReached       a command, build or container ran past its limit
    ├── BaseImageError             a base image is not here and cannot be had
    ├── PackError                  a pack is damaged, is none, or cannot be made or loaded
    ├── NotFound
    │   ├── SampleNotFound
    │   ├── StageNotFound
    │   ├── ImageNotFound
    │   └── ProjectNotFound        no such folder, or no Dockerfile in it
    ├── ArchiveError               an archive of an image is damaged, or is none
    ├── DockerfileError            the Dockerfile cannot be read, with its line
    ├── NameTaken                  a tag or folder belongs to somebody else
    ├── ClaimBroken                a sentence of the course does not hold on this machine
    ├── BuildFailed                a step failed, with its stage and Dockerfile line
    │   ├── BuildTimeLimitReached
    │   └── BuildIncomplete        every step said 0, yet what it should make is missing
    └── InputError                 an argument that cannot be meant
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DmHelpersError(Exception):
    """Any error that the course raises on purpose.

    Args:
        message: What happened, with the value that it happened with.
        hint: What to do now; printed as the last line.
    """

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}"

    def _render_traceback_(self) -> list[str]:
        # What IPython shows: a learner needs the sentence and its cure, not our stack. `%tb` has no more either;
        # outside notebooks, Python prints the whole traceback as always.
        return [f"{type(self).__name__}: {self.message}", self.hint]


class EngineError(DmHelpersError):
    """Something between this program and the Docker Engine."""


class EngineUnavailable(EngineError):
    """No engine answers, or this person may not use the one that is there."""


class NotRecorded(EngineUnavailable):
    """Recorded mode answers in an engine's place, and what was asked is not in the recording."""


class EngineTooOld(EngineError):
    """The engine or buildx is older than the course needs."""


class EngineRefused(EngineError):
    """The Engine API answered a request with an error."""


class CommandFailed(EngineError):
    """A `docker` command ended with an exit code other than 0.

    Args:
        message: What happened.
        hint: What to do now.
        command: The argument list that was run.
        exit_code: What it ended with.
        stdout: What it printed, bounded.
        stderr: What it complained about, bounded.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str,
        command: tuple[str, ...],
        exit_code: int,
        stdout: str = "",
        stderr: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.command = command
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr


class TimeLimitReached(EngineError):
    """A command or a container ran past its time limit and was ended."""


class BaseImageError(DmHelpersError):
    """A base image is not on the engine and could not be pulled or assembled."""


class PackError(DmHelpersError):
    """A pack is damaged or is none, or it cannot be made or loaded here."""


class NotFound(DmHelpersError):
    """A name that nothing answers to."""


class SampleNotFound(NotFound):
    """No sample project has this name."""


class StageNotFound(NotFound):
    """The Dockerfile has no stage of this name or number."""


class ImageNotFound(NotFound):
    """The engine has no image of this name or ID."""


class ProjectNotFound(NotFound):
    """There is no such folder, or no Dockerfile in it."""


class ArchiveError(DmHelpersError):
    """A file that should hold an image is damaged, holds none, or cannot be read."""


class DockerfileError(DmHelpersError):
    """A Dockerfile that cannot be read.

    Args:
        message: What is wrong.
        hint: What to do now.
        line: The line that it is wrong on, counted from 1; None if unknown.
    """

    def __init__(self, message: str, *, hint: str, line: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.line = line


class NameTaken(DmHelpersError):
    """A tag or a folder is in use by something that the course did not make."""


class InputError(DmHelpersError, ValueError):
    """An argument that cannot be meant."""


class ClaimBroken(DmHelpersError):
    """A sentence that the course states does not hold on this machine, or holds where it was said not to."""


class BuildFailed(DmHelpersError):
    """A build that ended without an image.

    Args:
        message: What happened, in the learner's terms.
        hint: What to do now.
        stage: The stage that failed; None where the build never reached one.
        line: The Dockerfile line, counted from 1; None where there is none.
        exit_code: The exit code of the failing RUN; None for other failures.
        log: What the engine itself said, in full up to the log's bound.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str,
        stage: str | None = None,
        line: int | None = None,
        exit_code: int | None = None,
        log: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.stage = stage
        self.line = line
        self.exit_code = exit_code
        self.log = log


class BuildTimeLimitReached(BuildFailed):
    """A build ran past its time limit and was cancelled on the engine."""


class BuildIncomplete(BuildFailed):
    """Every step ended with 0, yet a step did not make what it should have."""


def near_matches(name: str, known: Iterable[str]) -> str:
    """Return a sentence that offers the closest known names.

    Args:
        name: What was asked for.
        known: The names that exist.

    Returns:
        "Did you mean 'builder'?" when something is close, else a list of what there is.
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return "Did you mean " + " or ".join(repr(one) for one in close) + "?"
    if names:
        shown = ", ".join(repr(one) for one in names[:12])
        more = f" and {len(names) - 12} more" if len(names) > 12 else ""
        return f"There is: {shown}{more}."
    return "There is none yet."
