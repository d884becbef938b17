"""Notebook 07: building one stage only."""

from __future__ import annotations

import re
from typing import Any

from dmhelpers.course.checks.probes import matching, need_built
from dmhelpers.course.checks.records import Exercise, Look, NotYet
from dmhelpers.course.checks.trials import copied, tried
from dmhelpers.engine.containers import run
from dmhelpers.errors import BuildFailed
from dmhelpers.measure.built import Built

NOTEBOOK = "07_targeting_a_stage"
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_COMPILER = "*/node_modules/typescript/package.json"


def look_at_builder_only(look: Look) -> None:
    """07-a: the tag holds the builder and not the last stage, and the answer is what its tsc says."""
    image, built = need_built(look, "learner/07-a")
    look.expect(
        built.stage.name == "builder" and not built.is_last,
        "it is the stage builder",
        f"it is the stage {built.stage.label}; the build is to stop at builder",
    )
    look.need(
        bool(matching(image.files(), _COMPILER)),
        "the compiler is in it",
        "the TypeScript compiler is not in the image",
    )
    shown = _VERSION.search(run(image.image_id, ["node_modules/.bin/tsc", "--version"], network=False).stdout)
    if shown is None:
        raise NotYet("node_modules/.bin/tsc does not run in the image")
    given = _VERSION.search(_text(look.answer))
    if given is None:
        look.lacks("the answer holds no version yet: run tsc --version in the image, and pass on what it prints")
    else:
        look.expect(
            given[0] == shown[0],
            f"the answer is the version of its compiler: {given[0]}",
            f"the answer says {given[0]}, and the compiler in the image is another version",
        )


def look_at_dev_stage(look: Look) -> None:
    """07-b: a build without a target leaves the stage dev out; a build of dev works and has the compiler."""
    image, built = need_built(look, "learner/07-b")
    names = [one.label for one in built.dockerfile.stages]
    look.need("dev" in names, "a stage named dev", f"no stage is named dev; the stages are {', '.join(names)}")
    look.expect(
        built.is_last and built.stage.name != "dev",
        f"the image is of the last stage, {built.stage.label}",
        f"the image is of the stage {built.stage.label}: a build without --target is to make the runtime",
    )
    state = built.stages.get("dev", "not built")
    if built.stage.name != "dev":
        look.expect(
            state == "not built",
            "dev: not built, in the build of it",
            f"dev: {state}, in the build of it: something that it needs depends on dev",
        )
    look.expect(
        not matching(image.files(), _COMPILER),
        "the compiler is not in it",
        "the TypeScript compiler is in the image that the plain build makes",
    )
    _try_dev(look, built)


def _try_dev(look: Look, built: Built) -> None:
    with copied(built) as folder:
        try:
            with tried(folder, built, target="dev") as trial:
                compiler = matching(trial.image.files(), _COMPILER)
        except BuildFailed as error:
            raise NotYet(f"--target dev does not build: {error.message}") from error
    look.expect(
        bool(compiler),
        "--target dev builds, and has the compiler",
        "--target dev builds, but what it makes has no TypeScript compiler to develop with",
    )


def _text(answer: Any) -> str:
    """Return what the learner passed on: text, or the result of `dm.run`."""
    return str(getattr(answer, "stdout", answer) or "")


EXERCISES = (
    Exercise(
        number="07-a",
        notebook=NOTEBOOK,
        title="Build the builder only",
        prompt="Build my-api only up to the stage builder, as learner/07-a, and run tsc --version in it. Pass on "
        "what it prints as the answer.",
        hints=(
            "docker build has an option that names the stage to stop at; dm.build calls it by the same word.",
            "The compiler is not on the PATH: npm keeps the commands of packages in node_modules/.bin, and npx finds "
            "them there.",
        ),
        images=("learner/07-a",),
        look=look_at_builder_only,
    ),
    Exercise(
        number="07-b",
        notebook=NOTEBOOK,
        title="A stage that is never shipped",
        prompt="Add a stage dev, with everything to develop with, that a plain build never builds. Build the plain "
        "image as learner/07-b.",
        hints=(
            "BuildKit builds what the target depends on, and the target is the last stage if you name none.",
            "Begin dev from the stage that has the compiler, place it above the last stage; copy nothing from it.",
        ),
        images=("learner/07-b",),
        look=look_at_dev_stage,
    ),
)
