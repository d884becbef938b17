"""Notebook 03: the builder stage, and the order of its lines."""

from __future__ import annotations

from dmhelpers.course.checks.edits import look_at_edit, note_compiled, note_install
from dmhelpers.course.checks.probes import matching, need_built
from dmhelpers.course.checks.records import Exercise, Look
from dmhelpers.course.checks.trials import copied

NOTEBOOK = "03_builder"
SOURCE = "src/server.ts"


def look_at_builder(look: Look) -> None:
    """03-a: a stage named builder whose image has the compiled code and the compiler under /app."""
    image, built = need_built(look, "learner/03-a")
    look.expect(
        built.stage.name == "builder",
        "it is the stage builder",
        f"it is the stage {built.stage.label}; name it builder, for the next notebook copies from that name",
    )
    look.expect(image.workdir == "/app", "its WORKDIR is /app", f"its WORKDIR is {image.workdir} instead of /app")
    files = image.files("/app")
    for path, meaning in (
        ("/app/dist/server.js", "the compiled server"),
        ("/app/dist/routes/api.js", "the compiled routes"),
        ("/app/node_modules/typescript/package.json", "the TypeScript compiler"),
        ("/app/node_modules/express/package.json", "Express"),
    ):
        look.expect(path in files, f"{path}, {meaning}", f"{path} is not in the image: {meaning}")


def look_at_order(look: Look) -> None:
    """03-b: after a change of one source file, npm's install comes from the cache and the compiler runs."""
    image, built = need_built(look, "learner/03-b")
    compiled = matching(image.files(), "*/dist/server.js")
    look.need(bool(compiled), "the compiled server", "the image has no dist/server.js")
    with copied(built) as folder:
        edited = look_at_edit(look, folder, built, SOURCE)
    note_compiled(look, edited, image.files(), compiled[0], SOURCE)
    note_install(look, edited, SOURCE)


EXERCISES = (
    Exercise(
        number="03-a",
        notebook=NOTEBOOK,
        title="Write the builder stage",
        prompt="Write the stage builder yourself: from node:20-alpine, in /app, install every package and compile "
        "the sources. Build it as learner/03-a.",
        hints=(
            "Four things happen in it, in this order: packages listed, packages installed, sources copied, sources "
            "compiled.",
            "npm ci reads package.json and package-lock.json; npm run build reads tsconfig.json and src/. Each must "
            "be in the stage before the step that reads it.",
        ),
        images=("learner/03-a",),
        look=look_at_builder,
    ),
    Exercise(
        number="03-b",
        notebook=NOTEBOOK,
        title="Order the lines for the cache",
        prompt="In this Dockerfile each change of a source file installs all packages again. Reorder it so that npm "
        "ci comes from the cache, and build it as learner/03-b.",
        hints=(
            "A step is run again when anything that was copied before it has changed.",
            "Which two files does npm ci need? Copy only these before it, and the sources after it.",
        ),
        images=("learner/03-b",),
        look=look_at_order,
    ),
)
