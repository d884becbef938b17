"""What is sent to the builder: the build context against what the Dockerfile takes of it."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from dmhelpers.measure.clinic.context import BuildContext
from dmhelpers.measure.clinic.pieces import matching
from dmhelpers.measure.clinic.placing import Placed
from dmhelpers.measure.clinic.records import Found
from dmhelpers.measure.clinic.rulebook import signs
from dmhelpers.measure.clinic.subject import Subject, found_at, found_at_from
from dmhelpers.units import docker_size

LARGE_BYTES = 10_000_000
"""What is remade or unused below this is not worth advice, unless it is most of what is sent."""
NOTICED_BYTES = 1_000_000
TIMES_LARGER = 4
"""How many times larger than what is used a context has to be."""


def check_sending(subject: Subject) -> Iterator[Found]:
    """Find folders sent that every build makes again, or a context far larger than what is used of it."""
    context = subject.context
    used = used_files(subject)
    used_bytes = sum(context.sizes[at] for at in used)
    waste: dict[str, int] = {}
    for at in used:
        folder = _remade_folder(context, context.paths[at])
        if folder is not None:
            waste[folder] = waste.get(folder, 0) + context.sizes[at]
    wasted = sum(waste.values())
    ignored = context.ignore_file or "There is no .dockerignore"
    ignored = f"{ignored} lets them through" if context.ignore_file else ignored
    if wasted >= LARGE_BYTES or (wasted >= NOTICED_BYTES and wasted >= used_bytes - wasted):
        text = f"{docker_size(used_bytes)} are sent, {docker_size(wasted)} of them {_folders(waste)}. {ignored}."
        yield _at_first(subject, set(waste), "large-context", text, wasted)
    rest = context.size_bytes - used_bytes
    if rest >= LARGE_BYTES and context.size_bytes >= TIMES_LARGER * used_bytes:
        sizes = dict(context.largest())
        text = (
            f"The context holds {docker_size(context.size_bytes)}, COPY takes {docker_size(used_bytes)} of it. "
            f"The largest: {_folders(sizes)}."
        )
        yield _at_first(subject, None, "unused-context", text, rest)


def used_files(subject: Subject) -> list[int]:
    """Return which files of the context the needed stages take by COPY, ADD and bind mounts: what BuildKit sends."""
    context = subject.context
    taken: set[int] = set()
    for stage in subject.needed:
        for brought in subject.brought(stage):
            for piece in brought.pieces if brought.from_stage is None else ():
                if piece.excludes:
                    wanted = {path for path, _ in piece.files(context)}
                    taken |= {at for at in context.span(piece.source) if context.paths[at] in wanted}
                else:
                    taken.update(context.span(piece.source))
        for run in subject.runs(stage):
            for source in _bound(run.placed):
                for path in matching(context, source):
                    taken.update(context.span(path))
    return sorted(taken)


def _bound(placed: Placed) -> Iterator[str]:
    for mount in placed.mounts("bind"):
        if not mount.get("from"):
            yield mount.get("source") or mount.get("src") or "."


def _remade_folder(context: BuildContext, path: str) -> str | None:
    """Return the outermost folder on a path that a build makes again, with a slash; None if there is none."""
    named = signs("context")
    parts = path.split("/")
    if not any(part in named["remade"] or part in named["remade_beside"] for part in parts):
        return None
    for depth, part in enumerate(parts):
        if part in named["remade"]:
            return "/".join(parts[: depth + 1]) + ("/" if depth + 1 < len(parts) else "")
        beside = named["remade_beside"].get(part, ()) if depth + 1 < len(parts) else ()
        if any(context.has_file("/".join([*parts[:depth], name])) for name in beside):
            return "/".join(parts[: depth + 1]) + "/"
    return None


def _folders(sizes: dict[str, int]) -> str:
    largest = sorted(sizes.items(), key=lambda one: (-one[1], one[0]))[:3]
    return ", ".join(f"{name} {docker_size(size)}" for name, size in largest)


def _at_first(subject: Subject, folders: set[str] | None, rule: str, text: str, size_bytes: int) -> Found:
    """Return it at the first COPY or ADD that takes one of the folders; at the first from the context for None."""
    for stage in subject.needed:
        for brought in subject.brought(stage):
            if brought.from_stage is not None or not brought.pieces:
                continue
            sources = [piece.source for piece in brought.pieces]
            if folders is None or any(_takes(source, folder) for source in sources for folder in folders):
                return found_at(brought.placed, rule, text, evidence_bytes=size_bytes)
    return found_at_from(subject.target, rule, text, evidence_bytes=size_bytes)


def _takes(source: str, folder: str) -> bool:
    name = folder.rstrip("/")
    return not source or source == name or name.startswith(f"{source}/") or fnmatchcase(source, f"{name}/*")
