"""Notebook 09: one file in an empty image, and how small it gets."""

from __future__ import annotations

from dmhelpers.course.checks.probes import Image, find_image, need_image, running
from dmhelpers.course.checks.records import Exercise, Look, NotYet
from dmhelpers.measure.saved import final_files, read_image
from dmhelpers.units import docker_size, percent

NOTEBOOK = "09_multi_stage_for_go"
LIMIT_BYTES = 10_000_000
LEAST_REDUCTION = 0.20


def look_at_scratch(look: Look) -> None:
    """09-a: exactly one file, below 10 MB, and it answers."""
    image = need_image(look, "learner/09-a")
    size = docker_size(image.size_bytes)
    limit = docker_size(LIMIT_BYTES)
    small = look.expect(
        image.size_bytes < LIMIT_BYTES, f"below {limit}: {size}", f"it weighs {size}, not below {limit}"
    )
    if small:
        _expect_one_file(look, image)
    with running(look, image, "go-server"):
        pass


def look_at_stripped(look: Look) -> None:
    """09-b: at least a fifth smaller than the plain program's image, and it answers."""
    image = need_image(look, "learner/09-b")
    plain = find_image("go-server:latest") or find_image("learner/09-a")
    if plain is None:
        raise NotYet("there is neither go-server:latest nor learner/09-a to compare with: build one of them first")
    reduction = 1 - image.size_bytes / plain.size_bytes
    sizes = f"{docker_size(image.size_bytes)} against {docker_size(plain.size_bytes)} of {plain.name}"
    look.expect(
        reduction >= LEAST_REDUCTION,
        f"at least {percent(LEAST_REDUCTION, digits=0)} smaller: {sizes}",
        f"it is to be at least {percent(LEAST_REDUCTION, digits=0)} smaller, and it is {sizes}",
    )
    with running(look, image, "go-server"):
        pass


def _expect_one_file(look: Look, image: Image) -> None:
    files = [one.path for one in final_files(read_image(image.image_id))]
    look.expect(
        len(files) == 1,
        f"exactly one file: {', '.join(files)}",
        f"it has {len(files)} files, among them {', '.join(files[:4])}",
    )


EXERCISES = (
    Exercise(
        number="09-a",
        notebook=NOTEBOOK,
        title="Write the scratch stage",
        prompt="Write the last stage for go-server: nothing but the program, in an empty image. Build it as "
        "learner/09-a.",
        hints=(
            "The empty image has a name that FROM knows, and no shell: no RUN works in it.",
            "Copy the one file that the builder compiled, and name it as what the container starts, in the form with "
            "square brackets.",
        ),
        images=("learner/09-a",),
        look=look_at_scratch,
    ),
    Exercise(
        number="09-b",
        notebook=NOTEBOOK,
        title="Take out what only a debugger reads",
        prompt="Make the image at least 20 % smaller by how the program is compiled, and build it as learner/09-b.",
        hints=(
            "The program carries a table of symbols and debugging data that it does not need to run.",
            "go build passes options to the linker with -ldflags: one leaves out the symbol table, one the debugging "
            "data.",
        ),
        images=("learner/09-b",),
        look=look_at_stripped,
    ),
)
