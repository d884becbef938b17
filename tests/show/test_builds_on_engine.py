"""`dm.build` on a real engine: its tables, its stages' states, and what it refuses before anything runs."""

from __future__ import annotations

import shlex
import subprocess
import sys
import uuid

import pandas as pd
import pytest

import dmhelpers as dm
from dmhelpers.engine.client import api
from dmhelpers.errors import (
    BuildFailed,
    BuildTimeLimitReached,
    DockerfileError,
    InputError,
    NameTaken,
    ProjectNotFound,
    StageNotFound,
)
from dmhelpers.units import docker_size

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("unchanged_engine")]

TWO_STAGES = """
    FROM scratch AS builder
    COPY fresh /made
    COPY again /made-too

    FROM scratch AS test
    COPY fresh /test

    FROM scratch AS runtime
    COPY --from=builder /made /app
    LABEL role=runtime
"""


@pytest.fixture
def tag():
    """Return a name that nobody has."""
    return f"dmhelpers-test-{uuid.uuid4().hex[:8]}:one"


@pytest.fixture
def demo(project):
    """Write a project of three stages that nobody built before."""
    return project({"Dockerfile": TWO_STAGES, "fresh": uuid.uuid4().hex, "again": uuid.uuid4().hex})


def quiet(folder, tag, **more):
    """Build without progress."""
    return dm.build(folder, tag=tag, progress="quiet", **more)


def states(build):
    """Return each stage's state."""
    return dict(zip(build.stages["stage"], build.stages["state"], strict=True))


def test_the_tables_of_a_build(demo, tag):
    """A build has its steps in file order, its stages with their states, and columns of the documented types."""
    build = quiet(demo, tag)
    assert list(build.steps.columns) == ["stage", "step", "line", "instruction", "state", "duration_s", "shared_with"]
    assert {name: str(build.steps[name].dtype) for name in ("step", "line", "duration_s")} == {
        "step": "int64",
        "line": "Int64",
        "duration_s": "float64",
    }
    rows = build.steps[["stage", "step", "line", "instruction"]].to_numpy().tolist()
    assert rows == [
        ["builder", 1, 2, "COPY fresh /made"],
        ["builder", 2, 3, "COPY again /made-too"],
        ["runtime", 1, 9, "COPY --from=builder /made /app"],
    ]
    assert list(build.stages.columns) == ["stage", "state", "duration_s"]
    assert states(build) == {"builder": "ran", "test": "not built", "runtime": "ran"}
    assert str(build.stages["duration_s"].dtype) == "float64"
    assert (build.stages["duration_s"] >= 0).all()
    assert build.duration_s > 0


def test_what_a_build_says_of_itself(demo, tag):
    """A build has the image's ID and name, and the command that a person would type for it."""
    build = quiet(demo, tag, target="builder")
    assert build.image_id == api().inspect_image(tag)["Id"]
    assert build.tag == tag
    assert build.command == f"docker build --target builder -t {tag} ."
    assert str(build).splitlines()[0].startswith(f"{tag} built in ")
    assert "builder: ran" in repr(build)
    assert "<td>builder</td>" in build._repr_html_()


def test_the_shown_command_builds_the_same(demo, tag):
    """The shown command, typed in the project's folder, builds the very same image."""
    build = quiet(demo, tag, target="builder", build_args={"A": "x y"})
    argv = shlex.split(build.command)
    assert argv[:2] == ["docker", "build"]
    assert "A=x y" in argv
    other = tag.replace(":one", ":two")
    argv[argv.index(tag)] = other
    argv[2:2] = ["--provenance=false", "--label", "io.dmhelpers.course=1"]
    subprocess.run(argv, cwd=demo, check=True, capture_output=True, timeout=300)
    try:
        assert api().inspect_image(other)["RootFS"] == api().inspect_image(tag)["RootFS"]
    finally:
        api().remove_image(other)


def test_a_second_build_comes_from_the_cache(demo, tag):
    """Built again, every stage that the target needs comes from the cache, and takes no time."""
    first = quiet(demo, tag)
    second = quiet(demo, tag)
    assert states(second) == {"builder": "cached", "test": "not built", "runtime": "cached"}
    assert set(second.steps["state"]) == {"cached"}
    assert second.steps["duration_s"].sum() == 0
    assert second.image_id == first.image_id


def test_no_cache_runs_everything_again(demo, tag):
    """`no_cache` runs every needed step again."""
    quiet(demo, tag)
    assert states(quiet(demo, tag, no_cache=True)) == {"builder": "ran", "test": "not built", "runtime": "ran"}


def test_rerun_runs_one_stage_again(demo, tag):
    """`rerun` runs the named stage again and takes the rest from the cache."""
    quiet(demo, tag)
    steps = quiet(demo, tag, rerun=["RUNTIME"]).steps
    assert set(steps[steps["stage"] == "builder"]["state"]) == {"cached"}
    assert set(steps[steps["stage"] == "runtime"]["state"]) == {"ran"}


@pytest.mark.parametrize("target", ["test", "TEST", 1, "1"])
def test_a_target_by_name_or_number(demo, tag, target):
    """A target is given by name in any case or by number, and only what it needs is built."""
    build = quiet(demo, tag, target=target)
    assert states(build) == {"builder": "not built", "test": "ran", "runtime": "not built"}
    assert "--target test" in build.command


def test_the_last_stage_needs_no_name(project, tag):
    """A last stage without a name can be asked for by number; another one cannot, and is refused with its line."""
    folder = project({"Dockerfile": "FROM scratch\nCOPY a /\nFROM scratch\nCOPY a /b\n", "a": uuid.uuid4().hex})
    assert states(quiet(folder, tag, target=1)) == {"stage-0": "not built", "stage-1": "ran"}
    for more in ({"target": 0}, {"rerun": ["stage-0"]}):
        with pytest.raises(StageNotFound, match="line 1"):
            quiet(folder, tag, **more)


def test_shared_steps(project, tag):
    """A step that two stages have in common is run once, counted once, and shown in both."""
    text = """
        FROM scratch AS one
        COPY a /a
        COPY b /b
        FROM scratch AS two
        ENV DIFFERENT=1
        COPY a /a
        COPY --from=one /b /c
    """
    build = quiet(project({"Dockerfile": text, "a": uuid.uuid4().hex, "b": uuid.uuid4().hex}), tag)
    shared = build.steps[build.steps["instruction"] == "COPY a /a"]
    assert list(shared["stage"]) == ["one", "two"]
    assert sorted(shared["shared_with"]) in (["", "one"], ["", "two"])
    assert states(build) == {"one": "ran", "two": "ran"}


def test_build_args_reach_the_build(project, tag):
    """A build argument decides which stage the last one starts from."""
    stages = "FROM scratch AS base-small\nCOPY a /s\nFROM scratch AS base-big\nCOPY a /b\nFROM base-$KIND\n"
    text = f"ARG KIND=small\n{stages}"
    folder = project({"Dockerfile": text, "a": uuid.uuid4().hex})
    assert states(quiet(folder, tag, build_args={"KIND": "big"}))["base-small"] == "not built"
    assert states(quiet(folder, tag))["base-big"] == "not built"


@pytest.mark.parametrize("name", ["with space", "Ünïcode-日本", "-dash", "UPPER.dots"])
def test_folders_with_unusual_names(project, name, tag):
    """A project's folder may be called anything: a dash in front is no option."""
    folder = project({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": uuid.uuid4().hex}, name=name)
    assert states(quiet(folder, tag)) == {"stage-0": "ran"}


def test_a_relative_dash_path(project, tag, monkeypatch):
    """A path that begins with a dash is a path, given alone too."""
    folder = project({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": uuid.uuid4().hex}, name="--help")
    monkeypatch.chdir(folder.parent)
    assert quiet("--help", tag).tag == tag


def test_a_default_name(project):
    """Without a tag an image is called like its folder, with `latest`."""
    name = f"Dmhelpers Test {uuid.uuid4().hex[:8]}"
    folder = project({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "1"}, name=name)
    assert quiet(folder, None).tag == name.lower().replace(" ", "-") + ":latest"


REFUSED = {
    "a missing folder": (ProjectNotFound, {"project": "nowhere"}),
    "another Dockerfile": (ProjectNotFound, {"file": "Dockerfile.none"}),
    "an unknown stage": (StageNotFound, {"target": "biulder"}),
    "an unknown stage to run again": (StageNotFound, {"rerun": ["nope"]}),
    "no time at all": (InputError, {"time_limit_s": 0}),
    "upper case in a tag": (InputError, {"tag": "My-API"}),
    "a space in a tag": (InputError, {"tag": "my api"}),
    "an empty tag": (InputError, {"tag": ""}),
    "an option for a tag": (InputError, {"tag": "--help"}),
    "letters that Docker does not know": (InputError, {"tag": "my-api:größe"}),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_cannot_be_meant_is_refused(demo, tag, fault):
    """A wrong argument is refused with an error of the course before a build begins."""
    kind, wrong = REFUSED[fault]
    arguments = {"project": demo, "tag": tag, **wrong}
    with pytest.raises(kind) as caught:
        dm.build(arguments.pop("project"), progress="quiet", **arguments)
    assert caught.value.hint
    assert "\n" in str(caught.value)


@pytest.mark.parametrize("text", ["ARG A=1\n", "", "# nothing\n", "RUN x\nFROM scratch\n"])
def test_a_dockerfile_without_a_stage_never_reaches_the_engine(project, tag, text, monkeypatch):
    """A Dockerfile without FROM is refused here: Engine 26.1 itself would fall over some such file."""
    from dmhelpers.measure import recorded_run

    monkeypatch.setattr(recorded_run, "run_client", lambda *_, **__: pytest.fail("the builder was asked"))
    with pytest.raises(DockerfileError):
        quiet(project({"Dockerfile": text}), tag)


def test_a_foreign_name_is_not_taken(demo, foreign):
    """A tag of an image that the course did not make is refused, and that image keeps its name."""
    theirs = foreign.image()
    held = api().inspect_image(theirs)["Id"]
    with pytest.raises(NameTaken, match=theirs) as caught:
        quiet(demo, theirs)
    assert f"docker tag {theirs}" in caught.value.hint
    assert api().inspect_image(theirs)["Id"] == held


def test_our_own_name_is_taken_over(project, tag):
    """A tag of the course's own image goes to the new one, and both go at clean-up."""
    first = quiet(project({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": uuid.uuid4().hex}), tag)
    second = quiet(project({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": uuid.uuid4().hex}), tag)
    assert first.image_id != second.image_id
    assert api().inspect_image(tag)["Id"] == second.image_id


def test_a_missing_source(project, tag):
    """A COPY of what is not there fails with stage, line, and the name that is missing; nothing is tagged."""
    text = (
        "FROM scratch AS first\nCOPY here /\n\nFROM scratch AS second\nCOPY --from=first /here /\nCOPY absent.txt /\n"
    )
    with pytest.raises(BuildFailed, match=r"absent\.txt") as caught:
        quiet(project({"Dockerfile": text, "here": "1"}), tag)
    assert (caught.value.stage, caught.value.line, caught.value.exit_code) == ("second", 6, None)
    assert "build context" in str(caught.value)
    assert dm.images(tag).empty


def test_a_missing_source_in_a_stage(project, tag):
    """A COPY --from of what the stage does not have names the stage, and how its paths are counted."""
    text = "FROM scratch AS first\nCOPY here /\nFROM scratch\nCOPY --from=first /absent /\n"
    with pytest.raises(BuildFailed, match="/absent") as caught:
        quiet(project({"Dockerfile": text, "here": "1"}), tag)
    assert caught.value.line == 4
    assert "'first'" in str(caught.value)
    assert "root" in caught.value.hint


def test_a_stage_below(project, tag):
    """A COPY --from of a stage that stands further below fails with its line."""
    text = "FROM scratch AS first\nCOPY --from=second /a /\nFROM scratch AS second\nCOPY a /\n"
    with pytest.raises(BuildFailed, match="second") as caught:
        quiet(project({"Dockerfile": text, "a": "1"}), tag, target="first")
    assert caught.value.line == 2
    assert "above" in caught.value.hint


def test_a_failing_run(shell_project, tag):
    """A RUN that fails raises with stage, line, exit code and what it printed; its log is kept."""
    folder = shell_project("RUN echo about to fail; exit 7\n")
    with pytest.raises(BuildFailed, match="about to fail") as caught:
        quiet(folder, tag)
    assert (caught.value.stage, caught.value.line, caught.value.exit_code) == ("stage-0", 3, 7)
    assert "about to fail" in caught.value.log


def test_a_time_limit(shell_project, tag, limit_begins):
    """A RUN that never ends is cancelled at the time limit, and nothing is tagged."""
    folder = shell_project("RUN sleep 300\n")
    limit_begins("sleep 300")
    with pytest.raises(BuildTimeLimitReached, match="sleep 300"):
        quiet(folder, tag, time_limit_s=1)
    assert dm.images(tag).empty


def test_a_step_over_several_lines(shell_project, tag):
    """Steps over several lines, heredocs among them, stand on their first line."""
    folder = shell_project("RUN <<END\necho one\nFROM none\nEND\nRUN echo two \\\n # a comment\n && echo three\n")
    with pytest.raises(BuildFailed, match="FROM: not found") as caught:
        quiet(folder, tag)
    assert caught.value.line == 3
    folder = shell_project("RUN <<END\necho one\nEND\nRUN echo two \\\n# a comment\n && echo three\n")
    build = quiet(folder, tag)
    assert list(build.steps["line"]) == [1, 2, 3, 6]
    assert "one\n" in build.log
    assert "three\n" in build.log


def test_progress_goes_to_standard_error(demo, tag, capsys):
    """`progress="plain"` prints a line when a step starts and ends on standard error, `"quiet"` nothing."""
    dm.build(demo, tag=tag, progress="plain")
    told = capsys.readouterr()
    assert told.out == ""
    assert "[builder 1/2] COPY fresh /made" in told.err
    dm.build(demo, tag=tag, progress="quiet")
    assert capsys.readouterr() == ("", "")


def test_a_build_is_known_to_another_process(demo, tag):
    """Another process knows stages and lines of the image's layers, and cleans up what this one made."""
    quiet(demo, tag)
    code = f"""
import dmhelpers as dm
print(list(dm.history({tag!r})["stage"]))
print(dm.cleanup().images)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert "'runtime'" in done.stdout.splitlines()[0]
    assert tag in done.stdout.splitlines()[1]


def test_tables_are_pandas(demo, tag):
    """Steps and stages are DataFrames with a plain index."""
    build = quiet(demo, tag)
    for frame in (build.steps, build.stages):
        assert isinstance(frame, pd.DataFrame)
        assert list(frame.index) == list(range(len(frame)))


def test_the_graph_says_what_the_stages_of_a_build_weigh(project, tag):
    """The target and the stage that it stands on weigh their layers; what is not known weighs nothing."""
    text = TWO_STAGES.replace("FROM scratch AS runtime", "FROM builder AS runtime").replace("=builder", "=test")
    folder = project(
        {"Dockerfile": text.replace("/made /app", "/test /app"), "fresh": "a" * 5000, "again": "b" * 300}
    )
    made = quiet(folder, tag)
    drawn = str(dm.stage_graph(folder, build=made)).splitlines()
    history = dm.history(tag)
    below = history.loc[history["stage"] == "builder", "size_bytes"].sum()
    assert drawn[1].endswith(f", {docker_size(below)}")
    assert next(one for one in drawn if one.startswith("1 test")).partition(": ")[2].count(",") == 0
    assert f", {docker_size(history['size_bytes'].sum())}" in next(
        one for one in drawn if one.startswith("2 runtime")
    )
    assert drawn[-1] == f"Sizes, unpacked: from the layers of {tag}."
    named = str(dm.stage_graph(folder, build=made, sizes={"test": tag}))
    assert named.endswith(f"Sizes, unpacked: from the layers of {tag}; test from the image {tag}.")
    dm.cleanup()
    assert "Sizes" not in str(dm.stage_graph(folder, build=made))
