"""Notebook 08: tests that stop a build, and builds in the order that CI needs."""

from __future__ import annotations

from pathlib import Path

from dmhelpers.course.checks.probes import Image, matching, need_built, running
from dmhelpers.course.checks.records import Exercise, Look, NotYet
from dmhelpers.course.checks.trials import copied, tried
from dmhelpers.errors import BuildFailed
from dmhelpers.measure.built import Built

NOTEBOOK = "08_test_stage"
BROKEN = "broken on purpose by the check"
_COMPILER = "*/node_modules/typescript/package.json"


def look_at_gate(look: Look) -> None:
    """08-a: a plain build of it works, and no longer works once a unit test in a copy is broken."""
    image, built = need_built(look, "learner/08-a")
    look.expect(
        built.is_last,
        f"the image is of the last stage, {built.stage.label}",
        f"the image is of the stage {built.stage.label}; a plain build is to run the tests",
    )
    _expect_no_compiler(look, image)
    _break_a_test(look, built)
    look.end_if_missing()
    with running(look, image):
        pass


def look_at_order(look: Look) -> None:
    """08-b: the test stage and the runtime of one Dockerfile, each under its tag, the tests first."""
    test, test_built = need_built(look, "learner/08-b:test")
    final, final_built = need_built(look, "learner/08-b:latest")
    look.expect(
        test_built.stage.name == "test",
        "learner/08-b:test is the stage test",
        f"learner/08-b:test is the stage {test_built.stage.label}",
    )
    look.expect(
        final_built.is_last and final_built.stage.name != "test",
        f"learner/08-b:latest is the stage {final_built.stage.label}",
        f"learner/08-b:latest is the stage {final_built.stage.label}, not the last one of its Dockerfile",
    )
    _expect_no_compiler(look, final)
    look.expect(
        bool(matching(test.files(), "*/test/*.test.js")),
        "the tests are in learner/08-b:test",
        "learner/08-b:test has no tests in it",
    )
    same = (test_built.folder, test_built.file, test_built.text) == (
        final_built.folder,
        final_built.file,
        final_built.text,
    )
    look.expect(same, "both were built from one Dockerfile", "the two were built from different Dockerfiles")
    look.expect(
        test_built.built_at <= final_built.built_at,
        "the tests were built first",
        "the image was built before the tests: whatever they say, it is already there",
    )


def _expect_no_compiler(look: Look, image: Image) -> None:
    look.expect(
        not matching(image.files(), _COMPILER),
        f"no TypeScript compiler in {image.name}",
        f"{image.name} ships the TypeScript compiler: it starts from a stage that has it",
    )


def _break_a_test(look: Look, built: Built) -> None:
    with copied(built) as folder:
        tests = _test_files(folder)
        if not tests:
            raise NotYet("the project has no test/*.test.js to break")
        try:
            with tried(folder, built):
                look.saw("a plain build works while the tests pass")
        except BuildFailed as error:
            raise NotYet(f"a plain build of it fails though the tests are whole: {error.message}") from error
        for path in tests:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(f'\nrequire("node:test").it("{BROKEN}", () => {{ throw new Error("{BROKEN}"); }});\n')
        try:
            with tried(folder, built) as trial:
                states = {one.stage: one.state for one in trial.record.stages}
        except BuildFailed as error:
            _judge_failure(look, error)
            return
    state = states.get("test", "not there")
    look.lacks(f"with a unit test broken in a copy, a plain build still makes the image (stage test: {state})")


def _judge_failure(look: Look, error: BuildFailed) -> None:
    look.expect(
        BROKEN in error.log,
        f"with a unit test broken in a copy, a plain build stops in the stage {error.stage}",
        f"with a unit test broken in a copy, a plain build stops, but not because of the test: {error.message}",
    )


def _test_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("test/**/*.test.js"))


EXERCISES = (
    Exercise(
        number="08-a",
        notebook=NOTEBOOK,
        title="Make the tests count",
        prompt="Change the Dockerfile so that a plain build stops when a test fails, without shipping the compiler. "
        "Build it as learner/08-a; the check breaks a test in a copy.",
        hints=(
            "BuildKit skips a stage that the last one does not depend on. What makes one stage depend on another?",
            "Let the last stage copy something from the stage that ran the tests: an empty file that it leaves when "
            "they pass, or dist itself.",
        ),
        images=("learner/08-a",),
        look=look_at_gate,
    ),
    Exercise(
        number="08-b",
        notebook=NOTEBOOK,
        title="The order that CI needs",
        prompt="Write the two builds of a CI pipeline, from Dockerfile.test: first the tests as learner/08-b:test, "
        "then the image as learner/08-b:latest.",
        hints=(
            "The first build stops at a stage; the second names none.",
            "dm.build takes tag, target and file. A cell stops at its first error, as a CI job does: the order of "
            "the two lines is the gate.",
        ),
        images=("learner/08-b:test", "learner/08-b:latest"),
        look=look_at_order,
    ),
)
