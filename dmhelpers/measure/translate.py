"""BuildKit's errors in the learner's terms, with the Dockerfile line and what to do."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from dmhelpers.engine import messages
from dmhelpers.errors import BuildFailed, DmHelpersError, DockerfileError, EngineUnavailable
from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.events import Progress
from dmhelpers.measure.records import Instruction, Stage, Step
from dmhelpers.measure.run_hints import run_hint, without_address

_EXCERPT_LINE = re.compile(r"^\s*(\d+) \| >>> ", re.MULTILINE)
_EXCERPT = re.compile(r"^\s*\d+ \| ")
_STAGE_NUMBER = re.compile(r"invalid stage index (\d+)")
_EXIT_CODE = re.compile(r"did not complete successfully: exit code: (\d+)")
_NOT_FOUND = re.compile(r'"([^"]+)": not found')
_NOT_WALKED = re.compile(r"(?:failed to walk|lstat) \S*/buildkit-mount\d+(/\S*): .*no such file or directory")
_STAGE_BELOW = re.compile(r'cannot copy from stage "([^"]+)", it needs to be defined before')
_ENGINE_GONE = (
    "error reading from server",
    "Cannot connect to the Docker daemon",
    "transport is closing",
    "connection refused",
    "use of closed network connection",
)
_UNPULLED = (
    "failed to resolve source metadata",
    "pull access denied",
    "failed to do request",
    "failed to authorize",
)
_INSTALL = re.compile(r"\bnpm (?:ci|install)\b")
_OMITS_DEV = re.compile(r"--omit[= ]dev\b|--production\b|--only=prod|\bNODE_ENV[= ][\"']?production\b")
_NO_SPACE = ("no space left on device", "ENOSPC", "No space left on device")


@dataclass(frozen=True, slots=True)
class _Failure:
    """What is known of a failed build: BuildKit's last words, what the step printed, where it stands."""

    error: str
    printed: str
    log: str
    dockerfile: Dockerfile
    stage: Stage | None
    instruction: Instruction | None
    exit_code: int | None
    cached_install: int | None
    sending: bool

    @property
    def reason(self) -> str:
        """BuildKit's last words without the excerpt of the Dockerfile."""
        return "\n".join(line for line in self.error.splitlines() if not _EXCERPT.match(line))

    @property
    def where(self) -> str:
        """The place as a person names it: "line 12 (stage builder)"."""
        if self.instruction is None:
            return self.dockerfile.path.name
        stage = f" (stage {self.stage.label})" if self.stage else ""
        return f"{self.dockerfile.path.name} line {self.instruction.line}{stage}"


def build_error(progress: Progress, dockerfile: Dockerfile, steps: tuple[Step, ...]) -> DmHelpersError:
    """Return the course's error for a build that failed; `BuildFailed` in most cases.

    Args:
        progress: All that BuildKit reported.
        dockerfile: The file that was built.
        steps: The steps found so far, the failed one among them if there was one.
    """
    failure = _failure(progress, dockerfile, steps)
    unpulled = any(words in failure.error for words in _UNPULLED)  # a registry may refuse connections too
    if not unpulled and any(words in failure.error for words in _ENGINE_GONE):
        return EngineUnavailable(
            "The engine went away in the middle of the build; nothing was tagged.",
            hint=messages.no_engine_hint() + "  Then build again: finished steps come from the build cache.",
        )
    if "dockerfile parse error" in failure.error:
        return _malformed(failure)
    message, hint = _explain(failure)
    return BuildFailed(
        message,
        hint=hint,
        stage=failure.stage.label if failure.stage else None,
        line=failure.instruction.line if failure.instruction else None,
        exit_code=failure.exit_code,
        log=failure.log,
    )


def _failure(progress: Progress, dockerfile: Dockerfile, steps: tuple[Step, ...]) -> _Failure:
    text = "\n".join(progress.text)
    failed = next(
        (one for one in progress.vertexes.values() if one.error and "context canceled" not in one.error), None
    )
    step = next((one for one in steps if failed and one.digest == failed.digest), None)
    excerpt = _EXCERPT_LINE.search(text)
    line = int(excerpt[1]) if excerpt else (step.line if step else None)
    stage, instruction = _at_line(dockerfile, line)
    error = "\n".join([failed.error if failed else "", text])
    code = _EXIT_CODE.search(error)
    return _Failure(
        error=error,
        printed=progress.log_of(failed.digest) if failed else "",
        log=progress.log(),
        dockerfile=dockerfile,
        stage=stage,
        instruction=instruction,
        exit_code=int(code[1]) if code else None,
        cached_install=_cached_install(steps, stage),
        sending=bool(failed and failed.name.startswith("[internal] load build context")),
    )


def _cached_install(steps: tuple[Step, ...], stage: Stage | None) -> int | None:
    """Return the line of the stage's `npm ci` or `npm install` if the build cache may hold it empty.

    None where the stage itself says to leave the dev packages out: then that is the reason, cached or not.
    """
    if stage and any(_OMITS_DEV.search(one.text) for one in stage.instructions):
        return None
    lines = (
        one.line
        for one in steps
        if stage and one.stage == stage.label and one.state == "cached" and _INSTALL.search(one.instruction)
    )
    return next(lines, None)


def _at_line(dockerfile: Dockerfile, line: int | None) -> tuple[Stage | None, Instruction | None]:
    for stage in dockerfile.stages:
        for instruction in stage.instructions:
            if line is not None and instruction.line <= line <= instruction.end_line:
                return stage, instruction
    return None, None


def _explain(failure: _Failure) -> tuple[str, str]:
    everything = failure.error + failure.printed
    if any(words in everything for words in _NO_SPACE):
        if failure.sending:
            return (
                "The engine's disk ran full while the project's files were sent to it.",
                "Leave large files out with .dockerignore. To free space: dmhelpers cleanup, or docker builder prune "
                "-af; what the broken transfer holds comes back within two minutes. See docker system df.",
            )
        return (
            f"The engine's disk ran full at {failure.where}.",
            "Free space with dmhelpers cleanup, or docker builder prune -af; see docker system df.",
        )
    if failure.exit_code is not None:
        return _failed_run(failure)
    number = _STAGE_NUMBER.search(failure.error)
    if number:
        return _no_such_number(failure, number[1])
    unresolved = _unresolved_image(failure)
    if unresolved:
        return unresolved
    missing = _NOT_FOUND.search(failure.error) or _NOT_WALKED.search(failure.error)
    if missing and failure.instruction and failure.instruction.name in ("COPY", "ADD"):
        return _missing_source(failure, _source_at(missing[1], failure.instruction))
    below = _STAGE_BELOW.search(failure.error)
    if below:
        return (
            f"{failure.where}: the stage {below[1]!r} is not above the one that copies from it.",
            "A stage copies only from stages above it: move that stage up, or rename one of two namesakes.",
        )
    last = next((line for line in reversed(failure.error.splitlines()) if line.strip()), "no reason given")
    return (
        f"The build failed at {failure.where}: {last.removeprefix('ERROR: ').strip()}",
        "The engine's own words are in the error's .log.",
    )


def _no_such_number(failure: _Failure, number: str) -> tuple[str, str]:
    stages = failure.dockerfile.stages
    wanted = f"--from={number}"
    lines = [one.line for stage in stages for one in stage.instructions if wanted in one.flags]
    where = f"{failure.dockerfile.path.name} line {lines[0]}" if lines else failure.dockerfile.path.name
    return (
        f"{where}: {wanted} names stage number {number}, and there is no such stage before that line.",
        "Stages count from 0: " + ", ".join(f"{stage.index} is {stage.label}" for stage in stages) + ".",
    )


def _failed_run(failure: _Failure) -> tuple[str, str]:
    said = [without_address(line.rstrip()) for line in failure.printed.splitlines() if line.strip()]
    shown = _shown(failure.instruction)
    message = f"{shown} ended with exit code {failure.exit_code} at {failure.where}."
    if said:
        message += "\n" + "\n".join(f"    {line}" for line in said[-8:])
    return message, run_hint(failure.printed, failure.exit_code, failure.cached_install)


def _unresolved_image(failure: _Failure) -> tuple[str, str] | None:
    """An image that could not be had: a typo in `--from` looks the same to BuildKit as a missing base image."""
    if not any(words in failure.error for words in _UNPULLED):
        return None
    stages = [stage.label for stage in failure.dockerfile.stages]
    edges = [
        edge
        for stage in failure.dockerfile.stages
        for edge in stage.edges
        if edge.stage_index is None and edge.source.lower() != "scratch"
    ]
    blamed = [edge for edge in edges if _blamed(edge.source, failure.reason)] or edges
    for edge in blamed:
        close = difflib.get_close_matches(edge.source.lower(), stages, n=1, cutoff=0.5)
        named_like_stage = not re.search(r"[:/@.]", edge.source)
        if edge.kind != "from" and named_like_stage:
            meant = f"Did you mean --from={close[0]}?" if close else f"The stages are: {', '.join(stages)}."
            return (
                f"{failure.dockerfile.path.name} line {edge.line}: no stage before this line is called "
                f"{edge.source!r}, so Docker took it for an image and tried to pull it.",
                meant,
            )
    if not blamed:
        return None
    return (
        f"{failure.dockerfile.path.name} line {blamed[0].line}: the image {blamed[0].source!r} is not on this "
        "engine and could not be pulled.",
        "Check its name; without a network or registry, prepare the course's base images: dmhelpers bases prepare",
    )


def _blamed(source: str, error: str) -> bool:
    name = source.lower().partition("@")[0].partition(":")[0].rsplit("/", 1)[-1]
    return re.search(rf"[/ \"]{re.escape(name)}(?:[:@\"\s]|$)", error.lower()) is not None


def _source_at(path: str, instruction: Instruction) -> str:
    """Return the source of a COPY that lies at or below a path: BuildKit may name only the folder that it lacked."""
    sources = (f"/{one.removeprefix('./').strip('/')}" for one in instruction.args[:-1])
    return next((one for one in sources if one.startswith(f"{path.rstrip('/')}/")), path)


def _missing_source(failure: _Failure, path: str) -> tuple[str, str]:
    instruction = failure.instruction
    origin = next((flag for flag in instruction.flags if flag.startswith("--from=")), None) if instruction else None
    if origin:
        name = origin.removeprefix("--from=")
        return (
            f"{failure.where}: there is no {path!r} in {name!r}, which it copies from.",
            f"Paths after --from start at that stage's root, not at its WORKDIR. Look inside: build it with "
            f"target={name!r} and list its files.",
        )
    return (
        f"{failure.where}: there is no {path.removeprefix('/')!r} in the build context.",
        "Check the name, whether it lies inside the project folder, and whether .dockerignore leaves it out.",
    )


def _malformed(failure: _Failure) -> DockerfileError:
    found = re.search(r"dockerfile parse error(?: on)?(?: line)? ?(\d+)?:? ?(.*)", failure.error)
    line = int(found[1]) if found and found[1] else None
    what = found[2].strip() if found else failure.error.strip()
    where = f"{failure.dockerfile.path.name}, line {line}" if line else failure.dockerfile.path.name
    return DockerfileError(f"{where}: {what}.", hint="Mend that line, then build again.", line=line)


def _shown(instruction: Instruction | None) -> str:
    if instruction is None:
        return "A step"
    text = " ".join(instruction.text.split())
    return text if len(text) <= 70 else text[:69] + "…"
