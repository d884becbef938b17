"""`dm.build`: a build, shown while it runs, and its result with tables of steps and stages."""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from dmhelpers.engine.recorded import marks
from dmhelpers.errors import InputError, near_matches
from dmhelpers.measure import built
from dmhelpers.measure.build import TIME_LIMIT_S, run_build
from dmhelpers.measure.dockerfile import Dockerfile, project_folder, read_dockerfile
from dmhelpers.measure.progress_lines import LinePrinter
from dmhelpers.measure.records import BuildRecord, Stage, StageState
from dmhelpers.measure.request import full_tag
from dmhelpers.show import stamp, tables
from dmhelpers.show.live.driver import LiveView
from dmhelpers.units import seconds

if TYPE_CHECKING:
    import pandas as pd

ProgressStyle = Literal["auto", "live", "plain", "quiet"]
PROGRESS = "DMHELPERS_PROGRESS"
"""What ``progress="auto"`` means in a notebook or a terminal: live, plain or quiet."""

_Shown = Literal["live", "plain", "quiet"]
_STYLES: tuple[_Shown, ...] = ("live", "plain", "quiet")


@dataclass(frozen=True)
class Build:
    """A finished build. In a notebook it shows its command and what became of every stage."""

    record: BuildRecord

    @property
    def image_id(self) -> str:
        """The image's full ID."""
        return self.record.image_id

    @property
    def tag(self) -> str:
        """The image's name, ``name:tag``."""
        return self.record.tag

    @property
    def command(self) -> str:
        """The `docker build` command that a person in the project's folder would type for this."""
        return self.record.command

    @property
    def duration_s(self) -> float:
        """How long it took, in seconds."""
        return self.record.duration_s

    @property
    def log(self) -> str:
        """What the steps printed, each under its name; the oldest part is dropped above two million characters."""
        return self.record.log

    @property
    def warnings(self) -> tuple[str, ...]:
        """What BuildKit's own checks had to say, each with its line."""
        return self.record.warnings

    @property
    def steps(self) -> pd.DataFrame:
        """The steps, by stage in file order and by number in each.

        Columns ``stage`` (str), ``step`` (int64, BuildKit's number in the stage), ``line`` (Int64), ``instruction``
        (str), ``state`` (str: ran, cached), ``duration_s`` (float64) and ``shared_with`` (str: the stage whose
        identical step was run for this one too).
        """
        rows = self.record.steps
        return tables.columns(
            {
                "stage": [one.stage for one in rows],
                "step": [one.number for one in rows],
                "line": [one.line for one in rows],
                "instruction": [one.instruction for one in rows],
                "state": [one.state for one in rows],
                "duration_s": [one.duration_s for one in rows],
                "shared_with": [one.shared_with or "" for one in rows],
            },
            integers=("step",),
            lines=("line",),
        )

    @property
    def stages(self) -> pd.DataFrame:
        """The stages in file order: columns ``stage``, ``state`` (ran, cached or not built) and ``duration_s``."""
        rows = self.record.stages
        return tables.columns(
            {
                "stage": [one.stage for one in rows],
                "state": [one.state for one in rows],
                "duration_s": [one.duration_s for one in rows],
            }
        )

    def __str__(self) -> str:
        width = max(len(one.stage) for one in self.record.stages)
        lines = [f"{self.tag} built in {seconds(self.duration_s)} with: {self.command}"]
        lines += [f"  {one.stage:<{width}}  {one.state}{_took(one)}" for one in self.record.stages]
        lines += [f"  warning: {one}" for one in self.warnings]
        return stamp.lines(*lines)

    def __repr__(self) -> str:
        states = ", ".join(f"{one.stage}: {one.state}" for one in self.record.stages)
        said = marks.sentence()
        return f"<Build {self.tag} ({states}){', ' if said else ''}{said}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(one.stage)}</td><td>{one.state}</td><td>{_took(one).strip()}</td></tr>"
            for one in self.record.stages
        )
        head = f"{html.escape(self.tag)} built in {seconds(self.duration_s)}"
        warnings = "".join(f"<p>Warning: {html.escape(one)}</p>" for one in self.warnings)
        return (
            f"<p><strong>{head}</strong> with <code>{html.escape(self.command)}</code></p>"
            f"<table><thead><tr><th>stage</th><th>state</th><th>time</th></tr></thead><tbody>{rows}</tbody></table>"
            f"{warnings}{stamp.paragraph()}"
        )


def build(
    project: str | os.PathLike[str],
    *,
    tag: str | None = None,
    target: str | int | None = None,
    file: str = "Dockerfile",
    build_args: Mapping[str, str] | None = None,
    no_cache: bool = False,
    rerun: Sequence[str] = (),
    time_limit_s: float = TIME_LIMIT_S,
    progress: ProgressStyle = "auto",
) -> Build:
    """Build a project's image with BuildKit and return what every step and stage did.

    Args:
        project: The project's folder (or a sample), which is the build context.
        tag: The image's name, ``name:tag``; the folder's name where none is given.
        target: The stage to build, by name or number; the last one for None.
        file: The Dockerfile, relative to the project.
        build_args: Values for the Dockerfile's ARGs.
        no_cache: Run every step again.
        rerun: Stages to run again though the rest may come from the cache.
        time_limit_s: Seconds until the build is cancelled on the engine.
        progress: ``"live"`` shows stages, steps and the running step's output as they change, in a notebook (plain
            elsewhere); ``"plain"`` prints a line a step, on standard error so that output can be piped (in a
            notebook, which shows that channel as alarm, on standard output); ``"quiet"`` prints nothing. ``"auto"``
            is live in a notebook, plain in a terminal and quiet elsewhere; the environment variable
            `DMHELPERS_PROGRESS` says otherwise for the first two.

    Returns:
        The finished build. A stage that the target does not depend on is in it as ``not built``: BuildKit
        skips it, and a failing test in it stops nothing.

    Raises:
        ProjectNotFound: There is no such folder or Dockerfile.
        DockerfileError: The Dockerfile cannot be read; carries the line.
        StageNotFound: The target, or one to run again, is not one of its stages, or is one without a name.
        InputError: The tag, the time limit or the kind of progress cannot be meant.
        NameTaken: The tag names an image that the course did not make.
        BaseImageError: A base image cannot be had.
        EngineUnavailable: There is no engine, or it went away during the build.
        BuildFailed: A step failed; carries stage, line, exit code and log.
    """
    style = _style(progress)
    run = partial(
        run_build,
        project,
        tag=tag,
        target=target,
        file=file,
        build_args=build_args,
        no_cache=no_cache,
        rerun=rerun,
        time_limit_s=time_limit_s,
    )
    name = full_tag(tag, project_folder(project))
    with built.attempt(name):
        if style == "live":

            def plan() -> tuple[Dockerfile, Stage]:
                dockerfile = read_dockerfile(project, file=file, build_args=build_args)
                return dockerfile, dockerfile.find(target)

            return Build(_run_live(run, LiveView(plan, title=name)))
        lines = style == "plain"
        return Build(run(listener=LinePrinter(_say) if lines else None, say=_say if lines else None))


def _run_live(run: Callable[..., BuildRecord], view: LiveView) -> BuildRecord:
    with view.watching() as succeed:
        record = run(listener=view.listen, say=view.say)
        succeed(record)
    return record


def _style(progress: str) -> _Shown:
    """Return how a build is shown here: what was asked for, else what the environment says, else what fits."""
    asked, name = progress, "progress="
    if progress == "auto":
        if not _watched():
            return "quiet"
        asked, name = os.environ.get(PROGRESS) or "auto", f"{PROGRESS}="
        asked = "live" if asked == "auto" else asked
    for style in _STYLES:
        if asked == style:
            # What is told again from a recording is no build to watch.
            live = style == "live" and _in_a_notebook() and not marks.sentence()
            return "plain" if style == "live" and not live else style
    raise InputError(f"{name}{asked} names no way to show a build.", hint=near_matches(asked, ("auto", *_STYLES)))


def _in_a_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _watched() -> bool:
    return sys.stderr.isatty() or _in_a_notebook()


def _say(sentence: str) -> None:
    channel = sys.stdout if _in_a_notebook() else sys.stderr
    channel.write(f"{sentence}\n")
    channel.flush()


def _took(stage: StageState) -> str:
    """Return how long a stage ran; what came from the cache took no time that says anything."""
    return f"  {seconds(stage.duration_s)}" if stage.state == "ran" and stage.duration_s else ""
