"""Notebook 03: the builder stage, and the order of its lines."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from pathlib import Path

from dmhelpers.course.checks.probes import matching, need_built
from dmhelpers.course.checks.records import Exercise, Look, NotYet
from dmhelpers.course.checks.trials import copied, tried
from dmhelpers.measure.built import Built
from dmhelpers.measure.records import Step

NOTEBOOK = "03_builder"
SOURCE = "src/server.ts"
_INSTALL = re.compile(r"\bnpm\s+(?:ci|install|i|clean-install)\b")


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
        if not (folder / SOURCE).is_file():
            raise NotYet(f"the project has no {SOURCE}")
        known = _installs(_steps(folder, built))
        look.need(bool(known), "a step that installs the packages", "no step of it runs npm ci")
        again, after = _after_a_change(folder, built)
    changed = after.get(compiled[0]) != image.files()[compiled[0]]
    look.expect(
        changed,
        f"a changed {SOURCE} is compiled again",
        f"a changed {SOURCE} does not reach the image: the sources are not copied before they are compiled",
    )
    lines = ", ".join(f"line {one.line}" for one in again)
    look.expect(
        not again,
        "npm ci comes from the build cache after that change",
        f"after a change of {SOURCE} alone, npm ci ran again ({lines}): what is copied before it has changed",
    )


def _after_a_change(folder: Path, built: Built) -> tuple[list[Step], Mapping[str, int]]:
    """Change the source and build: return the installs that ran again, and the files of the image."""
    source = folder / SOURCE
    original = source.read_text(encoding="utf-8")
    for _ in range(2):
        source.write_text(f'{original}\nconsole.log("changed by the check {uuid.uuid4().hex}");\n', encoding="utf-8")
        with tried(folder, built, target=built.target) as trial:
            again = [one for one in _installs(trial.record.steps) if one.state != "cached"]
            files = trial.image.files()
        if not again:
            break
        # The engine may have dropped the layer in the meantime. Then it is gone for the unchanged source too.
        source.write_text(original, encoding="utf-8")
        if all(one.state == "cached" for one in _installs(_steps(folder, built))):
            break
    return again, files


def _steps(folder: Path, built: Built) -> tuple[Step, ...]:
    with tried(folder, built, target=built.target) as trial:
        return trial.record.steps


def _installs(steps: tuple[Step, ...]) -> list[Step]:
    return [one for one in steps if _INSTALL.search(one.instruction)]


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
