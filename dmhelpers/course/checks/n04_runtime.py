"""Notebook 04: the runtime stage, and the user that it runs as."""

from __future__ import annotations

from dmhelpers.course.checks.probes import Image, beyond, matching, need_image, running
from dmhelpers.course.checks.records import Exercise, Look
from dmhelpers.units import docker_size

NOTEBOOK = "04_runtime"
HIDDEN_LIMIT_BYTES = 10_000_000


def look_at_runtime(look: Look) -> None:
    """04-a: compiled code and Express, no compiler, declarations or sources, in no layer; and it answers."""
    image = need_image(look, "learner/04-a")
    look_at_files(look, image)
    with running(look, image):
        pass


def look_at_files(look: Look, image: Image) -> None:
    """Note what a runtime image is to have and not to have; also that no layer below hides more than it shows."""
    files = image.files()
    for pattern, meaning in (("*/dist/server.js", "the compiled server"), ("*/node_modules/express/*", "Express")):
        look.expect(bool(matching(files, pattern)), f"{meaning} is there", f"{meaning} is not in {image.workdir}")
    sources = [one for one in matching(files, "*.ts") if "/node_modules/" not in one]
    for found, meaning in (
        (matching(files, "*/node_modules/typescript/*"), "the TypeScript compiler"),
        (matching(files, "*/node_modules/@types/*"), "packages of type declarations"),
        (sources, "TypeScript sources"),
    ):
        look.expect(
            not found, f"no {meaning.removeprefix('the ')}", f"it still has {meaning}, such as {''.join(found[:1])}"
        )
    hidden = beyond(image) - sum(files.values()) - sum(image.files("/root").values())
    look.expect(
        hidden < HIDDEN_LIMIT_BYTES,
        "no layer below hides more than its files show",
        f"its layers weigh {docker_size(hidden)} more than its files: what a step deleted is still in a layer below",
    )


def look_at_user(look: Look) -> None:
    """04-b: the container answers, and its process is the user node."""
    image = need_image(look, "learner/04-b")
    with running(look, image) as service:
        _, number = service.execute("id", "-u")
        _, name = service.execute("id", "-un")
    who = name.strip() or f"user {number.strip()}"
    look.expect(
        number.strip() == "1000" or name.strip() == "node",
        "in the container, whoami says node",
        f"in the container, whoami says {who}",
    )


EXERCISES = (
    Exercise(
        number="04-a",
        notebook=NOTEBOOK,
        title="Write the runtime stage",
        prompt="Write the second stage yourself: a clean base, only the packages that it takes to run, and dist from "
        "the builder. Build it as learner/04-a.",
        hints=(
            "The stage begins from node:20-alpine, not from builder: what it does not copy, it does not have.",
            "npm ci has an option that leaves the development packages out. Of the builder, one folder is enough; "
            "and CMD says what to start.",
        ),
        images=("learner/04-a",),
        look=look_at_runtime,
    ),
    Exercise(
        number="04-b",
        notebook=NOTEBOOK,
        title="Run as node, not as root",
        prompt="Change one line so that the container runs as the user node, which the base image brings. Build it "
        "as learner/04-b.",
        hints=(
            "One instruction sets the user for the steps after it and for the container.",
            "Place it after the steps that write to /app, which belongs to root.",
        ),
        images=("learner/04-b",),
        look=look_at_user,
    ),
)
