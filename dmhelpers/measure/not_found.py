"""What a build could not find, in the learner's terms: an image, a stage, a file that a COPY names."""

from __future__ import annotations

import difflib
import re

from dmhelpers.measure.failure import Failure
from dmhelpers.measure.records import Instruction

UNPULLED = (
    "failed to resolve source metadata",
    "pull access denied",
    "failed to do request",
    "failed to authorize",
)


def no_such_number(failure: Failure, number: str) -> tuple[str, str]:
    """Return message and hint for a `--from` with a number that no stage above it has."""
    stages = failure.dockerfile.stages
    wanted = f"--from={number}"
    lines = [one.line for stage in stages for one in stage.instructions if wanted in one.flags]
    where = f"{failure.dockerfile.path.name} line {lines[0]}" if lines else failure.dockerfile.path.name
    return (
        f"{where}: {wanted} names stage number {number}, and there is no such stage before that line.",
        "Stages count from 0: " + ", ".join(f"{stage.index} is {stage.label}" for stage in stages) + ".",
    )


def unresolved_image(failure: Failure) -> tuple[str, str] | None:
    """An image that could not be had: a typo in `--from` looks the same to BuildKit as a missing base image."""
    if not any(words in failure.error for words in UNPULLED):
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


def source_at(path: str, instruction: Instruction) -> str:
    """Return the source of a COPY that lies at or below a path: BuildKit may name only the folder that it lacked."""
    sources = (f"/{one.removeprefix('./').strip('/')}" for one in instruction.args[:-1])
    return next((one for one in sources if one.startswith(f"{path.rstrip('/')}/")), path)


def missing_source(failure: Failure, path: str) -> tuple[str, str]:
    """Return message and hint for a COPY or ADD of what is not there."""
    instruction = failure.instruction
    origin = next((flag for flag in instruction.flags if flag.startswith("--from=")), None) if instruction else None
    if origin:
        name = origin.removeprefix("--from=")
        return (
            f"{failure.where}: there is no {path!r} in {name!r}, which it copies from.",
            f"Paths after --from start at that stage's root, not at its WORKDIR. Look inside: build it with "
            f"target={name!r} and list its files.",
        )
    above = [one.label for one in failure.dockerfile.stages if failure.stage and one.index < failure.stage.index]
    other = f" If it is to come from the stage {' or '.join(above)}, the line lacks --from." if above else ""
    return (
        f"{failure.where}: there is no {path.removeprefix('/')!r} in the build context.",
        f"Check the name, whether it lies inside the project folder, and whether .dockerignore leaves it out.{other}",
    )
