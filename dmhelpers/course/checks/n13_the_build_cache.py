"""Notebook 13: an edited test that compiles nothing, and packages that are not asked for twice."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from dmhelpers.course.checks.probes import matching, need_built
from dmhelpers.course.checks.records import Exercise, Look, NotYet
from dmhelpers.course.checks.trials import copied, trial_build, tried, write_dockerfile
from dmhelpers.errors import BuildFailed
from dmhelpers.measure.built import Built
from dmhelpers.measure.contents import contents_of
from dmhelpers.measure.dockerfile import read_dockerfile
from dmhelpers.measure.records import Stage, Step

NOTEBOOK = "13_the_build_cache"
_INSTALL = re.compile(r"\bnpm\s+(?:ci|install|i|clean-install)\b")
_COMPILE = re.compile(r"\bnpm\s+run\s+build\b|\btsc\b")
_TEST = re.compile(r"\bnpm\s+(?:run\s+)?t(?:est)?\b|\bnode\s+.*--test\b")
_FETCHED = re.compile(r"npm http fetch GET .*\(cache (\w+)\)")
_KEPT = ("hit", "stale")
"""What npm says of an answer that it takes from its cache without asking the registry."""


def look_at_tests(look: Look) -> None:
    """13-a: after a change of one test, the tests run, and neither npm's install nor the compiler does."""
    image, built = need_built(look, "learner/13-a")
    look.need(bool(matching(image.files(), "*/test/*.test.js")), "the tests are in it", "it has no test/*.test.js")
    with copied(built) as folder:
        tests = sorted(folder.glob("test/**/*.test.js"))
        look.need(bool(tests), "the project has tests to edit", "the project has no test/*.test.js to edit")
        steps = _after_an_edit(folder, built, tests[0])
    name = f"test/{tests[0].name}"
    for form, what in ((_INSTALL, "a step that installs the packages"), (_COMPILE, "a step that compiles")):
        look.need(bool(_of(steps, form)), what, f"no step of it is {what}")
    again = ", ".join(f"{one.instruction} (line {one.line})" for one in _ran(steps, _INSTALL, _COMPILE))
    look.expect(
        not again,
        f"after a change of {name}, packages and compiled code come from the build cache",
        f"after a change of {name} alone, these ran again: {again}. What is copied before them has changed",
    )
    look.expect(
        bool(_ran(steps, _TEST)),
        "the tests ran again",
        f"after a change of {name} no step ran the tests: npm test is to follow what brings them",
    )


def look_at_mount(look: Look) -> None:
    """13-b: with another package list, npm asks the registry for nothing that it had, yet can begin from nothing."""
    image, built = need_built(look, "learner/13-b")
    kept = [path for path in contents_of(image.image_id).paths if "/_cacache/" in path]
    look.expect(not kept, "npm's cache is not in the image", f"npm's cache is in the image: {len(kept)} files of it")
    with copied(built) as folder:
        _keep_one_package(folder)
        stages = list(_installing(folder, built))
        look.need(bool(stages), "a step that installs the packages", "no step of it runs npm ci")
        for stage, text in stages:
            _expect_kept(look, folder, built, stage, text)
            _expect_beginning(look, folder, built, stage, text)


def answers(log: str) -> tuple[int, int]:
    """Return how many answers npm took from its cache, and how many from the registry, by what it printed."""
    said = _FETCHED.findall(log)
    kept = sum(one in _KEPT for one in said)
    return kept, len(said) - kept


def _after_an_edit(folder: Path, built: Built, source: Path) -> tuple[Step, ...]:
    original = source.read_text(encoding="utf-8")
    for _ in range(2):
        source.write_text(f"{original}\n// changed by the check {uuid.uuid4().hex}\n", encoding="utf-8")
        with tried(folder, built, target=built.target) as trial:
            steps = trial.record.steps
        if not _ran(steps, _INSTALL, _COMPILE):
            break
        # The engine may have dropped a layer in the meantime. Then it is gone for the unchanged test too.
        source.write_text(original, encoding="utf-8")
        with tried(folder, built, target=built.target) as trial:
            if not _ran(trial.record.steps, _INSTALL, _COMPILE):
                break
    return steps


def _of(steps: tuple[Step, ...], *forms: re.Pattern[str]) -> list[Step]:
    return [one for one in steps if any(form.search(one.instruction) for form in forms)]


def _ran(steps: tuple[Step, ...], *forms: re.Pattern[str]) -> list[Step]:
    return [one for one in _of(steps, *forms) if one.state != "cached"]


def _keep_one_package(folder: Path) -> None:
    """Shorten the copy's lists to one package that needs no other: an install of it takes a moment."""
    try:
        package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
        place = next(place for place, one in lock["packages"].items() if _stands_alone(place, one))
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise NotYet("the project's package.json and package-lock.json are not those of my-api") from error
    needs = {place.removeprefix("node_modules/"): lock["packages"][place]["version"]}
    root = {"name": package.get("name", "one"), "version": package.get("version", "1.0.0"), "dependencies": needs}
    (folder / "package.json").write_text(json.dumps(root), encoding="utf-8")
    short = {**lock, "packages": {"": root, place: lock["packages"][place]}}
    (folder / "package-lock.json").write_text(json.dumps(short), encoding="utf-8")


def _stands_alone(place: str, entry: dict[str, object]) -> bool:
    top = place.startswith("node_modules/") and place.count("/") == 1
    return top and "dependencies" not in entry and not entry.get("dev")


def _installing(folder: Path, built: Built) -> Iterator[tuple[Stage, str]]:
    """Yield each needed stage that installs, and the Dockerfile's text up to the last install in it."""
    dockerfile = read_dockerfile(folder, file=built.file)
    needed = dockerfile.needed_by(dockerfile.find(built.target))
    for stage in dockerfile.stages:
        ends = [one.end_line for one in stage.instructions if one.name == "RUN" and _INSTALL.search(one.text)]
        if ends and stage.index in needed:
            yield stage, "\n".join(dockerfile.text.splitlines()[: ends[-1]])


def _install(folder: Path, built: Built, stage: Stage, text: str, **settings: str) -> str:
    """Build up to the install, with settings of npm's, and return what was printed."""
    mark = f"changed by the check {uuid.uuid4().hex}"
    wanted = {"npm_config_loglevel": "http", **settings, "CHECKED": mark}
    lines = text.splitlines()
    at = stage.instructions[0].end_line
    lines[at:at] = [f'ENV {name}="{value}"' for name, value in wanted.items()]
    write_dockerfile(folder, built, "\n".join(lines) + "\n")
    with trial_build(folder, file=built.file, target=stage.index) as trial:
        return trial.record.log


def _expect_kept(look: Look, folder: Path, built: Built, stage: Stage, text: str) -> None:
    for _ in range(2):  # a mount that the engine emptied in the meantime is filled by the first try
        # A registry may call an answer fresh for minutes; npm is told to ask anyhow, unless it was told not to.
        kept, asked = answers(_install(folder, built, stage, text, npm_config_prefer_online="true"))
        if kept and not asked:
            break
    look.expect(
        bool(kept) and not asked,
        f"{stage.label}: with another package list, npm finds what it needs in its cache",
        f"{stage.label}: with another package list, npm asks the registry for what an earlier build had fetched"
        if asked
        else f"{stage.label}: with another package list, npm ci takes nothing from a cache",
    )


def _expect_beginning(look: Look, folder: Path, built: Built, stage: Stage, text: str) -> None:
    try:
        _install(folder, built, stage, text, npm_config_cache="/empty/npm")
    except BuildFailed as error:
        look.lacks(f"{stage.label}: with an empty cache it does not build: {error.message}")
    else:
        look.saw(f"{stage.label}: with an empty cache it builds too")


EXERCISES = (
    Exercise(
        number="13-a",
        notebook=NOTEBOOK,
        title="Edit a test, compile nothing",
        prompt="In Dockerfile.test each change of a test compiles the sources again. Order stages and lines so that "
        "only the tests run, and build the stage test as learner/13-a.",
        hints=(
            "What does the compiler read, and what does it get to see? Whatever is copied before it counts.",
            "Two folders, two COPY lines: one before the compiler, one as late as possible, before what reads it.",
        ),
        images=("learner/13-a",),
        look=look_at_tests,
    ),
    Exercise(
        number="13-b",
        notebook=NOTEBOOK,
        title="Fetch once",
        prompt="When package.json changes, npm ci has to run again, but it need not fetch again. Keep what it "
        "fetched across builds and out of the image; a first build, with nothing kept, has to work too. Build it as "
        "learner/13-b.",
        hints=(
            "A folder that outlives the step and is in no layer: which option of RUN gives you one, and where does "
            "npm keep what it fetched?",
            "With the folder kept, npm still asks about each package. One option lets it trust what it has and fetch "
            "only what is missing; a similar one forbids it to fetch at all.",
        ),
        images=("learner/13-b",),
        look=look_at_mount,
    ),
)
