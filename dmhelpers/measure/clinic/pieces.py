"""What of the build context lands where in a stage: by its own COPY and ADD, and by way of other stages."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from dmhelpers.measure.clinic.context import BuildContext
from dmhelpers.measure.clinic.placing import Placed, place
from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.records import Stage

_WILD = re.compile(r"[*?\[]")
_ADDRESS = re.compile(r"^(?:\w+://|git@|\w[\w.-]*@[\w.-]+:)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A file or folder of the context (`source`, ``""`` for all of it), and its place in the image.

    The lines are those of the COPY that brought it into the stage looked at; `excludes` are a COPY's own patterns.
    """

    source: str
    place: str
    line: int
    end_line: int
    excludes: tuple[str, ...] = ()

    def files(self, context: BuildContext) -> Iterator[tuple[str, int]]:
        """Give the files of it, each with its bytes."""
        for at in context.span(self.source):
            path = context.paths[at]
            if not self.excludes or not self._is_excluded(path):
                yield path, context.sizes[at]

    def _is_excluded(self, path: str) -> bool:
        inside = path.removeprefix(self.source).lstrip("/") or path
        parents = inside.split("/")
        tried = ["/".join(parents[:depth]) for depth in range(1, len(parents) + 1)]
        return any(fnmatchcase(one, pattern) for one in tried for pattern in self.excludes)


@dataclass(frozen=True, slots=True)
class Brought:
    """What one COPY or ADD takes; `from_stage` is the stage that it takes from, None for the context."""

    placed: Placed
    pieces: tuple[Piece, ...]
    from_stage: Stage | None = None


class Pieces:
    """What each stage of a Dockerfile has of the context; worked out when asked for, once."""

    def __init__(self, dockerfile: Dockerfile, context: BuildContext) -> None:
        self._dockerfile = dockerfile
        self._context = context
        self._known: dict[int, tuple[Brought, ...]] = {}

    def of(self, stage: Stage) -> tuple[Brought, ...]:
        """Return what the COPY and ADD of a stage's chain bring, in order."""
        # A stage takes from earlier ones only: in file order, each finds what it asks for worked out.
        for one in self._dockerfile.stages[: stage.index + 1]:
            if one.index not in self._known:
                self._known[one.index] = ()
                self._known[one.index] = tuple(
                    self._brought(placed)
                    for placed in place(self._dockerfile, one)
                    if placed.instruction.name in ("COPY", "ADD")
                )
        return self._known[stage.index]

    def _brought(self, placed: Placed) -> Brought:
        instruction = placed.instruction
        flags = [one.partition("=") for one in instruction.flags]
        named = next((value for name, _, value in flags if name == "--from" and value), None)
        words = [placed.value(word) for word in instruction.args if not word.startswith("<<")]
        if len(words) < 2 or words[-1] is None:
            return Brought(placed, ())
        sources = [one for one in words[:-1] if one is not None and not _ADDRESS.match(one)]
        excludes = tuple(value.strip("/") for name, _, value in flags if name == "--exclude")
        parents = any(name == "--parents" for name, _, _ in flags)
        if named is None:
            pieces = self._from_context(placed, sources, words[-1], excludes, parents=parents)
            return Brought(placed, tuple(pieces))
        stage = self._stage_of(placed)
        if stage is None:
            return Brought(placed, ())
        taken = [one for source in sources for one in self._from_stage(placed, stage, source, words[-1])]
        unique = dict.fromkeys(replace(one, excludes=one.excludes + excludes) for one in taken)
        return Brought(placed, tuple(unique), stage)

    def _stage_of(self, placed: Placed) -> Stage | None:
        line = placed.instruction.line
        edges = [one for one in placed.stage.edges if one.kind == "copy" and one.line == line]
        index = edges[0].stage_index if edges else None
        return None if index is None else self._dockerfile.stages[index]

    def _from_context(
        self, placed: Placed, sources: list[str], target: str, excludes: tuple[str, ...], *, parents: bool
    ) -> Iterator[Piece]:
        found = [one for source in sources for one in matching(self._context, source)]
        place = placed.absolute(target)
        line, end_line = placed.instruction.line, placed.instruction.end_line
        folder = target.endswith(("/", ".")) or len(sources) > 1 or len(found) > 1 or place == placed.workdir
        for source in found:
            where = place
            if parents:
                where = posixpath.join(place, source)
            elif folder and self._context.has_file(source):
                where = posixpath.join(place, posixpath.basename(source))
            yield Piece(source, where, line, end_line, excludes)

    def _from_stage(self, placed: Placed, stage: Stage, source: str, target: str) -> Iterator[Piece]:
        if _WILD.search(source):
            return
        wanted, place = posixpath.normpath(posixpath.join("/", source)), placed.absolute(target)
        prefix = wanted.rstrip("/") + "/"
        for brought in self.of(stage):
            for piece in brought.pieces:
                moved = replace(piece, line=placed.instruction.line, end_line=placed.instruction.end_line)
                if piece.place == wanted or piece.place.startswith(prefix):
                    inside = piece.place[len(wanted) :].lstrip("/")
                    yield replace(moved, place=posixpath.normpath(posixpath.join(place, inside)))
                elif wanted.startswith(piece.place.rstrip("/") + "/"):
                    inside = wanted[len(piece.place.rstrip("/")) + 1 :]
                    deeper = posixpath.join(piece.source, inside) if piece.source else inside
                    if self._context.span(deeper):
                        yield replace(moved, source=deeper, place=place)


def matching(context: BuildContext, source: str) -> list[str]:
    """Return the paths of the context that a COPY's source names: one, or those that its pattern fits.

    Only what is there is returned. A pattern's `*` and `?` stop at a slash.
    """
    path = posixpath.normpath(source.lstrip("/")) if source.strip("/") else "."
    if path == ".":
        return [""]
    if path.startswith("../"):
        return []
    if not _WILD.search(path):
        return [path] if context.span(path) else []
    parts = path.split("/")
    fixed = "/".join(parts[: next(at for at, part in enumerate(parts) if _WILD.search(part))])
    found: dict[str, None] = {}
    for at in context.span(fixed):
        have = context.paths[at].split("/")
        if len(have) >= len(parts) and all(fnmatchcase(one, part) for one, part in zip(have, parts, strict=False)):
            found["/".join(have[: len(parts)])] = None
    return list(found)
