"""Notebook 05: how far one stage can be slimmed, and reading sizes off the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dmhelpers.course.checks.probes import NODE, need_built, need_image, running
from dmhelpers.course.checks.records import Exercise, Look, NotYet
from dmhelpers.course.quantities import plain, quantity
from dmhelpers.measure.images import list_images
from dmhelpers.units import docker_size

NOTEBOOK = "05_building_and_measuring"
LEAST_SAVED_BYTES = 10_000_000
SIZES = (NODE, "my-api:single", "my-api:latest")
_ROUNDING = 0.006
"""Docker prints three significant digits, so a printed size is at most half a unit of the third one off."""


def look_at_slim_stage(look: Look) -> None:
    """05-a: one stage on the same base, more than 10 MB smaller than the plain single stage, and it answers."""
    single = need_image(
        look, "my-api:single", how='build it first: dm.build(project, file="Dockerfile.single", tag="my-api:single")'
    )
    image, built = need_built(look, "learner/05-a")
    stages = built.dockerfile.stages
    look.expect(len(stages) == 1, "one stage", f"it has {len(stages)} stages; this time, stay with a single one")
    look.expect(
        stages[0].base == NODE, f"from {NODE}", f"it starts from {stages[0].base}, so two things changed at once"
    )
    saved = single.size_bytes - image.size_bytes
    sizes = f"{docker_size(image.size_bytes)} against {docker_size(single.size_bytes)}"
    look.expect(
        saved > LEAST_SAVED_BYTES,
        f"smaller than my-api:single by more than {docker_size(LEAST_SAVED_BYTES)}: {sizes}",
        f"it is to be smaller than my-api:single by more than {docker_size(LEAST_SAVED_BYTES)}, and it is {sizes}",
    )
    with running(look, image):
        pass


def look_at_sizes(look: Look) -> None:
    """05-b: the sizes in the answer are the engine's, as printed, and the difference is right."""
    given = look.answer if isinstance(look.answer, Mapping) else {}
    if not given:
        raise NotYet("no answer was given: fill in the table and pass it on with answer=…")
    measured: dict[str, tuple[int, ...]] = {}
    for name in SIZES:
        need_image(look, name)
        found = list_images(name)[0]
        measured[name] = (found.size_bytes, found.engine_size_bytes)
    for name in SIZES:
        _compare(look, name, given.get(name), measured[name])
    single, final = (measured[name] for name in SIZES[1:])
    differences = tuple(one - other for one, other in zip(single, final, strict=True))
    _compare(look, "saved", given.get("saved"), differences, slack=2_000_000)


def _compare(look: Look, name: str, given: Any, measured: tuple[int, ...], *, slack: int = 0) -> None:
    value = plain(given)
    if value is None:
        look.lacks(f"{name}: not filled in yet")
        return
    found = quantity(value)
    if found.kind != "size":
        look.lacks(f"{name}: {value!r} is no size; write it as Docker does, with its unit")
        return
    right = any(abs(found.value - one) <= _ROUNDING * one + slack for one in measured)
    look.expect(right, f"{name}: {found} is right", f"{name}: {found} is not what the engine says")


EXERCISES = (
    Exercise(
        number="05-a",
        notebook=NOTEBOOK,
        title="Slim a single stage",
        prompt="Make the single-stage image more than 10 MB smaller without a second stage, and build it as "
        "learner/05-a. It still has to answer.",
        hints=(
            "A later RUN cannot make an earlier layer smaller: what a step adds has to go within the same step.",
            "Install, compile and throw away in one RUN: npm can prune what only development needs, and clean its "
            "own cache.",
        ),
        images=("learner/05-a",),
        look=look_at_slim_stage,
    ),
    Exercise(
        number="05-b",
        notebook=NOTEBOOK,
        title="Read the sizes off the engine",
        prompt="Fill in the sizes of node:20-alpine, my-api:single and my-api:latest as your engine shows them, and "
        "what was saved between the last two.",
        hints=(
            "dm.images has one row an image; docker images prints the same sizes.",
            "What was saved is the single-stage size less the other one. Write units as Docker does: 12.3MB.",
        ),
        images=(),
        look=look_at_sizes,
    ),
)
