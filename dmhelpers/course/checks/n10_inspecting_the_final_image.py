"""Notebook 10: proving what is not in an image, and finding what need not be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dmhelpers.course.checks.probes import matching, need_image, running
from dmhelpers.course.checks.records import Exercise, Look, NotYet
from dmhelpers.course.quantities import plain
from dmhelpers.engine.containers import run
from dmhelpers.units import docker_size

NOTEBOOK = "10_inspecting_the_final_image"
FINAL = "my-api:latest"
LEAST_SAVED_BYTES = 1_000_000
CACHE_LIMIT_BYTES = 50_000
_CACHES = ("/root/.npm", "/home/node/.npm")


def look_at_absence(look: Look) -> None:
    """10-a: the exit code of `which tsc` and the number of packages, as the image itself gives them."""
    given = look.answer if isinstance(look.answer, Mapping) else {}
    if not given:
        raise NotYet("no answer was given: fill in the two values and pass them on with answer=…")
    image = need_image(look, FINAL)
    exit_code = run(image.image_id, ["which", "tsc"], network=False).exit_code
    _compare(look, "which_tsc", given.get("which_tsc"), {exit_code}, "the exit code of which tsc")
    # npm leaves an empty @types folder behind: `ls` counts it, a count of package.json files does not.
    listed = run(image.image_id, ["ls", "node_modules"], network=False).stdout.split()
    described = matching(image.files(f"{image.workdir}/node_modules"), "*/package.json")
    packages = {one for one in described if one.count("/node_modules/") == 1 and _is_direct(one)}
    counts = {len(listed), len(packages)}
    _compare(look, "packages", given.get("packages"), counts, "the number of packages in node_modules")


def look_at_leftovers(look: Look) -> None:
    """10-b: no npm cache in it, more than 1 MB smaller than the image of the course, and it answers."""
    final = need_image(look, FINAL, how=f'build it first: dm.build(project, tag="{FINAL}")')
    image = need_image(look, "learner/10-b")
    cache = sum(size for folder in _CACHES for size in image.files(folder).values())
    look.expect(
        cache < CACHE_LIMIT_BYTES, "npm's cache is not in it", f"npm's cache is still in it: {docker_size(cache)}"
    )
    saved = final.size_bytes - image.size_bytes
    sizes = f"{docker_size(image.size_bytes)} against {docker_size(final.size_bytes)}"
    least = docker_size(LEAST_SAVED_BYTES)
    look.expect(
        saved > LEAST_SAVED_BYTES,
        f"smaller than {FINAL} by more than {least}: {sizes}",
        f"it is to be smaller than {FINAL} by more than {least}, and it is {sizes}",
    )
    with running(look, image):
        pass


def _is_direct(path: str) -> bool:
    inside = path.partition("/node_modules/")[2]
    return inside.count("/") == (2 if inside.startswith("@") else 1)


def _compare(look: Look, name: str, given: Any, measured: set[int], meaning: str) -> None:
    value = plain(getattr(given, "exit_code", given))
    if value is None:
        look.lacks(f"{name}: not filled in yet ({meaning})")
        return
    if not str(value).isdecimal():
        look.lacks(f"{name}: {value!r} is no whole number; write the digits alone")
        return
    right = str(value) in {str(one) for one in measured}
    look.expect(right, f"{name}: {value} is right", f"{name}: {value} is not {meaning}")


EXERCISES = (
    Exercise(
        number="10-a",
        notebook=NOTEBOOK,
        title="Prove that it is not there",
        prompt="Fill in the exit code of which tsc in my-api:latest, and how many packages its node_modules has.",
        hints=(
            "dm.run gives the exit code and what was printed; an exit code other than 0 is an answer too.",
            "ls node_modules prints a line a package: count the lines.",
        ),
        images=(),
        look=look_at_absence,
    ),
    Exercise(
        number="10-b",
        notebook=NOTEBOOK,
        title="Find what nobody needs",
        prompt="my-api:latest still carries more than 1 MB that it never reads. Find it, and build an image without "
        "it as learner/10-b.",
        hints=(
            "Look at what the largest layer added outside /app: which folder is it, and which program wrote it?",
            "A file that a later step deletes is still in the layer below. Delete it in the step that makes it, or "
            "let that step write to a cache mount.",
        ),
        images=("learner/10-b",),
        look=look_at_leftovers,
    ),
)
