"""BuildKit's errors in the learner's terms, with the Dockerfile line and what to do."""

from __future__ import annotations

import re

from dmhelpers.engine import messages
from dmhelpers.errors import BuildFailed, DmHelpersError, DockerfileError, EngineUnavailable
from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.events import Progress
from dmhelpers.measure.failure import Failure
from dmhelpers.measure.not_found import UNPULLED, missing_source, no_such_number, source_at, unresolved_image
from dmhelpers.measure.records import Instruction, Stage, Step
from dmhelpers.measure.run_hints import run_hint, without_address

_EXCERPT_LINE = re.compile(r"^\s*(\d+) \| >>> ", re.MULTILINE)
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
_INSTALL = re.compile(r"\bnpm (?:ci|install)\b")
_OMITS_DEV = re.compile(r"--omit[= ]dev\b|--production\b|--only=prod|\bNODE_ENV[= ][\"']?production\b")
_NO_SPACE = ("no space left on device", "ENOSPC", "No space left on device")


def build_error(progress: Progress, dockerfile: Dockerfile, steps: tuple[Step, ...]) -> DmHelpersError:
    """Return the course's error for a build that failed; `BuildFailed` in most cases.

    Args:
        progress: All that BuildKit reported.
        dockerfile: The file that was built.
        steps: The steps found so far, the failed one among them if there was one.
    """
    failure = _failure(progress, dockerfile, steps)
    unpulled = any(words in failure.error for words in UNPULLED)  # a registry may refuse connections too
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


def _failure(progress: Progress, dockerfile: Dockerfile, steps: tuple[Step, ...]) -> Failure:
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
    return Failure(
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


def _explain(failure: Failure) -> tuple[str, str]:
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
        return no_such_number(failure, number[1])
    unresolved = unresolved_image(failure)
    if unresolved:
        return unresolved
    missing = _NOT_FOUND.search(failure.error) or _NOT_WALKED.search(failure.error)
    if missing and failure.instruction and failure.instruction.name in ("COPY", "ADD"):
        return missing_source(failure, source_at(missing[1], failure.instruction))
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


def _failed_run(failure: Failure) -> tuple[str, str]:
    said = [without_address(line.rstrip()) for line in failure.printed.splitlines() if line.strip()]
    shown = _shown(failure.instruction)
    message = f"{shown} ended with exit code {failure.exit_code} at {failure.where}."
    if said:
        message += "\n" + "\n".join(f"    {line}" for line in said[-8:])
    return message, run_hint(failure.printed, failure.exit_code, failure.cached_install)


def _malformed(failure: Failure) -> DockerfileError:
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
