"""What an image ships of its own, and which stages it was put together from."""

from __future__ import annotations

from fnmatch import fnmatchcase

from dmhelpers.course.checks.probes import NODE, Image, find_image
from dmhelpers.measure.built import Built
from dmhelpers.measure.saved import final_files, read_image


def own_paths(image: Image, *patterns: str, everywhere: bool = False) -> list[str]:
    """Return the files that match a pattern and are not those of node:20-alpine; ``*`` also stands for ``/``.

    Args:
        image: Where to look.
        patterns: As for `fnmatch`, on absolute paths.
        everywhere: Whether files count that a later layer has deleted or covered.
    """
    saved = read_image(image.image_id)
    if everywhere:
        paths = {one.path for layer in saved.layers for one in layer.entries}
    else:
        paths = {one.path for one in final_files(saved)}
    found = sorted(path for path in paths if any(fnmatchcase(path, one) for one in patterns))
    base = find_image(NODE) if found else None
    return found if base is None else [path for path in found if path not in _paths(base)]


def root_base(built: Built) -> str:
    """Return the image that the built stage stands on in the end, through all stages between; or ``scratch``."""
    stages = built.dockerfile.stages
    stage = built.stage
    while (below := _below(built, stage.index)) is not None:
        stage = stages[below]
    return stage.base


def reads_from(built: Built) -> set[str]:
    """Return the stages that the built one takes files from by COPY or a mount, and those that stand behind these."""
    stages, found = built.dockerfile.stages, set[str]()
    seen, waiting = set[tuple[int, bool]](), [(built.stage.index, False)]
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        for edge in stages[here[0]].edges:
            if edge.stage_index is not None:
                copied = here[1] or edge.kind != "from"
                if copied:
                    found.add(stages[edge.stage_index].label)
                waiting.append((edge.stage_index, copied))
    return found


def _below(built: Built, index: int) -> int | None:
    edges = built.dockerfile.stages[index].edges
    return next((one.stage_index for one in edges if one.kind == "from"), None)


def _paths(image: Image) -> frozenset[str]:
    return frozenset(one.path for one in final_files(read_image(image.image_id)))
