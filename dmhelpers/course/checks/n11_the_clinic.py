"""Notebook 11: a patient that is small and lives, and edits that install nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from dmhelpers.course.checks.edits import look_at_edit, note_compiled, note_install
from dmhelpers.course.checks.probes import Image, Service, beyond, matching, need_built, need_image, running
from dmhelpers.course.checks.records import Exercise, Look, NotYet
from dmhelpers.course.checks.trials import copied
from dmhelpers.course.sample_info import original
from dmhelpers.measure.clinic.context import read_context
from dmhelpers.measure.contents import contents_of
from dmhelpers.measure.images import read_history
from dmhelpers.measure.saved import read_image
from dmhelpers.units import docker_size, percent

NOTEBOOK = "11_the_clinic"
POOR = "patient:poor"
POOR_LEAST_BYTES = 40_000_000
LEAST_SAVED_FRACTION = 0.75
"""Right answers save more on both image stores; containerd's counts whole blocks of the small files that stay."""
CONTEXT_LIMIT_BYTES = 100_000
SOURCE = "src/pulse.ts"
_DEV_KINDS = ("dev dependencies", "type definitions")
_TOKEN = re.compile(r"\bUPLOAD_TOKEN=(\S+)")
_JUNK = {"recordings/heart-0.txt": 12_000_000, "node_modules/left-over/index.js": 5_000_000}


def look_at_treatment(look: Look) -> None:
    """11-a: beyond its base a fraction of the poor image, no dev dependencies, the token nowhere, and it lives."""
    poor = need_image(
        look, POOR, how=f'build it first, from the Dockerfile as it came: dm.build(patient, tag="{POOR}")'
    )
    image = need_image(look, "learner/11-a")
    before, after = beyond(poor), beyond(image)
    if before < POOR_LEAST_BYTES:
        raise NotYet(
            f"{POOR} adds only {docker_size(before)} to its base: build it again from the Dockerfile as it came"
        )
    saved = 1 - after / before
    sizes = f"{docker_size(after)} against {docker_size(before)}, {percent(saved)} less"
    look.expect(
        saved >= LEAST_SAVED_FRACTION,
        f"beyond the base at least {LEAST_SAVED_FRACTION:.0%} smaller than {POOR}: {sizes}",
        f"beyond the base it is to be at least {LEAST_SAVED_FRACTION:.0%} smaller than {POOR}, and it is {sizes}",
    )
    found = contents_of(image.image_id)
    dev = [path for path, kind in zip(found.paths, found.kinds, strict=True) if kind in _DEV_KINDS]
    look.expect(
        not dev, "no development packages in it", f"it still has development packages, such as {''.join(dev[:1])}"
    )
    places = list(_token_places(image, token()))
    look.expect(
        not places, "the token is in no variable, no history and no layer", f"the token is in {' and '.join(places)}"
    )
    with running(look, image, "patient") as service:
        _expect_pulse(look, service)


def look_at_everyday(look: Look) -> None:
    """11-b: with a day's clutter in the folder the context is small, and an edited source installs nothing."""
    image, built = need_built(look, "learner/11-b")
    with copied(built) as folder:
        _clutter(folder)
        context = read_context(folder, built.file)
        largest = "".join(f"; the largest: {name} {docker_size(size)}" for name, size in context.largest(1))
        look.expect(
            context.size_bytes < CONTEXT_LIMIT_BYTES,
            f"with recordings and installed packages in the folder, the build context has "
            f"{docker_size(context.size_bytes)}",
            f"with recordings and installed packages in the folder, the build context has "
            f"{docker_size(context.size_bytes)}, not less than {docker_size(CONTEXT_LIMIT_BYTES)}{largest}",
        )
        compiled = matching(image.files(), "*/dist/pulse.js")
        look.need(bool(compiled), "the compiled service", "the image has no dist/pulse.js")
        edited = look_at_edit(look, folder, built, SOURCE)
    note_compiled(look, edited, image.files(), compiled[0], SOURCE)
    note_install(look, edited, SOURCE)
    with running(look, image, "patient") as service:
        _expect_pulse(look, service)


def token() -> str:
    """Return the token that stands in the patient's Dockerfile as the course ships it."""
    found = _TOKEN.search((original("patient") / "Dockerfile").read_text(encoding="utf-8"))
    assert found is not None  # noqa: S101  a test of the sample holds it
    return found[1]


def _token_places(image: Image, value: str) -> Iterator[str]:
    if value in json.dumps(dict(image.config)):
        yield "its configuration, for anybody who starts it"
    if any(value in layer.created_by for layer in read_history(image.image_id).layers):
        yield "its history"
    wanted = (f"{image.workdir.rstrip('/')}/*", "*/Dockerfile*", "*/.env*", "*/.npmrc")
    layers = read_image(image.image_id, keep=wanted).layers
    entries = (entry for layer in layers for entry in layer.entries)
    paths = sorted({one.path for one in entries if one.content is not None and value.encode() in one.content})
    if paths:
        yield f"the file {paths[0]} of a layer"


def _clutter(folder: Path) -> None:
    for path, size_bytes in _JUNK.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"8" * size_bytes)


def _expect_pulse(look: Look, service: Service) -> None:
    answer = service.get("/pulse?intervals=1000,1000")
    rate = answer.body.get("beats_per_minute") if isinstance(answer.body, dict) else None
    look.expect(
        (answer.status, rate) == (200, 60),
        "it reads a pulse of 60",
        f"it answers GET /pulse?intervals=1000,1000 with {answer.status} and the pulse {rate}, not 60",
    )


EXERCISES = (
    Exercise(
        number="11-a",
        notebook=NOTEBOOK,
        title="Small, and alive",
        prompt="The proposed split builds an image that does not start. Bring it to life without giving up what it "
        "saved: build it as learner/11-a.",
        hints=(
            "The container says which file it misses as it starts. Is that file one that npm run build makes?",
            "What a second stage needs and no stage makes has to be copied from the build context, to the place "
            "where the program looks for it.",
        ),
        images=("learner/11-a",),
        look=look_at_treatment,
    ),
    Exercise(
        number="11-b",
        notebook=NOTEBOOK,
        title="Every day",
        prompt="Keep recordings, installed packages and whatever else no build needs out of the build context, and "
        "order the builder's lines so that an edited source installs nothing. Build it as learner/11-b.",
        hints=(
            "Two files: .dockerignore decides what a build gets to see, the order in the Dockerfile what it does "
            "again. .gitignore already lists the folders; Docker does not read it.",
            "npm ci needs package.json and package-lock.json and nothing else. Copy only these before it; what the "
            "compiler reads comes after it.",
        ),
        images=("learner/11-b",),
        look=look_at_everyday,
    ),
)
