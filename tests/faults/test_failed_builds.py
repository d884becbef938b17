"""Builds that fail on an engine: the error has the Dockerfile line and the cure, and nothing stays behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import dmhelpers as dm
from dmhelpers.engine.client import api, docker_cli
from dmhelpers.errors import BuildFailed, DockerfileError, ImageNotFound, NameTaken

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("unchanged_engine")]

TAG = "faults-failed:1"


def build(project, dockerfile: str, /, *, tag: str = TAG, **files: str) -> dm.Build:
    """Build a project of these files; `package_json` is written as package.json."""
    named = {name.replace("_", "."): text for name, text in files.items()}
    return dm.build(project({"Dockerfile": dockerfile, **named}), tag=tag)


def test_failing_run(project, explained) -> None:
    """A RUN that fails is told with its line, stage and exit code, and with what it printed last."""
    with explained(
        BuildFailed,
        "exit code 3",
        "Dockerfile line 3 (stage builder)",
        "it cannot be",
        cure="Read the lines above.*log",
    ) as caught:
        build(
            project,
            """
            FROM node:20-alpine AS builder
            WORKDIR /app
            RUN echo first; echo it cannot be >&2; exit 3
            FROM node:20-alpine AS runtime
            COPY --from=builder /app /app
            """,
        )
    assert (caught.value.stage, caught.value.line, caught.value.exit_code) == ("builder", 3, 3)
    assert "it cannot be" in caught.value.log
    assert_untagged(TAG)


def test_failing_run_of_several_lines(project, explained) -> None:
    """The line of a RUN that goes over several lines is the one that it begins on."""
    with explained(BuildFailed, "exit code 4", "line 2", cure="printed nothing.*target=") as caught:
        build(project, "FROM node:20-alpine\nRUN true && \\\n    true && \\\n    exit 4\n")
    assert caught.value.line == 2


def test_failure_keeps_the_image_that_had_the_tag(project, explained) -> None:
    """A build that fails leaves the tag with the image that had it."""
    good = build(project, "FROM scratch\nCOPY Dockerfile /\n")
    with explained(BuildFailed, "exit code 1", cure="log|printed nothing"):
        build(project, "FROM node:20-alpine\nRUN false\n")
    assert api().inspect_image(TAG)["Id"] == good.image_id


def test_command_that_is_not_there(project, explained) -> None:
    """Exit code 127 is told as what it means."""
    with explained(BuildFailed, "exit code 127", "no-such-tool", cure="127 means.*does not exist in this stage"):
        build(project, "FROM node:20-alpine\nRUN no-such-tool --version\n")


def test_user_who_may_not_write(project, explained) -> None:
    """A step that fails because its user may not write is told so, and where USER belongs."""
    with explained(BuildFailed, "ermission denied", "line 4", cure="USER below the steps"):
        build(project, "FROM node:20-alpine\nWORKDIR /app\nUSER node\nRUN mkdir /app/packages\n")


def test_copy_that_lacks_its_stage(project, explained) -> None:
    """A COPY of what only a stage above may have is asked whether it lacks --from."""
    with explained(
        BuildFailed, "line 3 (stage last)", "app/dist", cure="from the stage builder, the line lacks --from"
    ):
        build(project, "FROM scratch AS builder\nFROM scratch AS last\nCOPY /app/dist ./dist\n")


def test_no_typescript_compiler(project, explained) -> None:
    """`tsc: not found` is told as TypeScript left out of the stage, at the line that wanted it."""
    with explained(
        BuildFailed, "tsc: not found", "line 4 (stage builder)", cure="dev dependency.*npm ci.* before this line"
    ) as caught:
        build(
            project,
            """
            FROM node:20-alpine AS builder
            WORKDIR /app
            COPY package.json ./
            RUN npm run build
            """,
            package_json='{"name": "no-tsc", "version": "1.0.0", "scripts": {"build": "tsc"}}',
        )
    assert caught.value.exit_code == 127


def test_compiler_left_out_on_purpose(project, explained) -> None:
    """A stage that leaves dev packages out is told so, also when its install comes from the build cache."""
    dockerfile = """
        FROM node:20-alpine AS builder
        WORKDIR /app
        COPY package.json ./
        ENV NODE_ENV=production
        RUN npm install
        RUN npm run build
        """
    for _ in ("ran", "cached"):
        with explained(BuildFailed, "tsc: not found", "line 6 (stage builder)", cure="NODE_ENV=production"):
            build(
                project,
                dockerfile,
                package_json='{"name": "no-tsc", "version": "1.0.0", "scripts": {"build": "tsc"}}',
            )


def test_stage_without_a_shell(project, explained) -> None:
    """A RUN on scratch is told as a missing shell."""
    with explained(BuildFailed, "line 2", cure="no shell.*earlier stage"):
        build(project, "FROM scratch\nRUN true\n")


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("nope.txt", "nope.txt"),
        ("../secret.txt", "secret.txt"),
        ("/etc/hostname", "etc/hostname"),
        ("src/routes/", "src/routes"),
    ],
)
def test_copy_source_that_is_not_in_the_context(project, explained, source, named) -> None:
    """A COPY of what the build context lacks, or of what lies outside it, names the path and the line."""
    outside = project({"secret.txt": "not for images"}, name="outside").parent / "secret.txt"
    outside.write_text("not for images")
    with explained(
        BuildFailed, "line 2", repr(named), "build context", cure="inside the project.*dockerignore"
    ) as caught:
        build(project, f"FROM scratch\nCOPY {source} /app/\n")
    assert caught.value.line == 2


def test_copy_through_a_link_out_of_the_context(project, explained, tmp_path: Path) -> None:
    """A link that leads out of the project is not followed: nothing outside reaches the image."""
    (tmp_path / "secret.txt").write_text("not for images")
    folder = project({"Dockerfile": "FROM scratch\nCOPY link/secret.txt /\n"})
    (folder / "link").symlink_to(tmp_path)
    with explained(BuildFailed, "line 2", "secret.txt", cure="inside the project"):
        dm.build(folder, tag=TAG)


def test_copy_source_that_is_not_in_the_stage(project, explained) -> None:
    """A path that the other stage does not have is told apart from one that the context does not have."""
    with explained(
        BuildFailed, "line 4", "'/dist'", "'builder'", cure="stage's root, not at its WORKDIR.*target='builder'"
    ):
        build(
            project,
            """
            FROM node:20-alpine AS builder
            WORKDIR /app
            FROM scratch
            COPY --from=builder /dist /dist
            """,
        )


def test_typo_in_from(project, explained) -> None:
    """A stage's name with a typo is told as that, not as an image that could not be pulled."""
    with explained(
        BuildFailed, "line 4", "'biulder'", "no stage before this line", cure="Did you mean --from=builder"
    ) as it:
        build(
            project,
            """
            FROM scratch AS builder
            COPY Dockerfile /
            FROM scratch
            COPY --from=biulder /Dockerfile /
            """,
        )
    assert it.value.line == 4


def test_base_image_that_cannot_be_pulled(project, explained) -> None:
    """A base image that nobody has is named with its line and the way to the course's own."""
    name = "localhost:1/no-such-base:1"
    with explained(
        BuildFailed, "line 1", repr(name), "could not be pulled", cure="dmhelpers bases prepare"
    ) as caught:
        build(project, f"FROM {name} AS builder\nCOPY Dockerfile /\n")
    assert caught.value.line == 1


def test_number_of_a_stage_that_is_not_there(project, explained) -> None:
    """A stage number that is too high is refused with the last one that there is."""
    with explained(DockerfileError, "line 3", "--from=5", "the last one is 0", cure="count from 0.*--from=builder"):
        build(project, "FROM scratch\nCOPY Dockerfile /\nCOPY --from=5 /Dockerfile /again\n")


@pytest.mark.parametrize(
    ("line", "named"),
    [("COPY onlyone", "COPY requires"), ("HEALTHCHECK foo", "HEALTHCHECK"), ("STOPSIGNAL", "STOPSIGNAL")],
)
def test_line_that_only_buildkit_refuses(project, explained, line, named) -> None:
    """What our parser lets through and BuildKit does not is still an error of the Dockerfile, with the line."""
    with explained(DockerfileError, "Dockerfile, line 2", named, cure="Mend that line") as caught:
        build(project, f"FROM scratch\n{line}\n")
    assert caught.value.line == 2


def test_tag_of_somebody_else(project, explained) -> None:
    """A build never takes a name away from an image that the course did not make."""
    client = api()
    client.import_image_from_data(_empty_tar(), repository="faults-theirs", tag="1")
    theirs = client.inspect_image("faults-theirs:1")["Id"]
    try:
        with explained(NameTaken, "'faults-theirs:1'", cure="Choose another tag.*docker tag faults-theirs:1"):
            build(project, "FROM scratch\nCOPY Dockerfile /\n", tag="faults-theirs:1")
        dm.cleanup()
        assert client.inspect_image("faults-theirs:1")["Id"] == theirs
    finally:
        client.remove_image(theirs, force=True)


@pytest.mark.parametrize("call", [dm.history, lambda name: dm.compare(name), lambda name: dm.run(name, "true")])
def test_unknown_image_and_tag(project, explained, call) -> None:
    """An image or a tag that the engine does not have is named, and a close one offered."""
    build(project, "FROM scratch\nCOPY Dockerfile /\n")
    for name, cure in (("faults-faild:1", "Did you mean 'faults-failed:1'"), ("faults-failed:2", "faults-failed:1")):
        with explained(ImageNotFound, repr(name), cure=cure):
            call(name)


@pytest.mark.parametrize("name", ["-", "--help", "not an image", "UPPER", "", "a?b=c", "../../info"])
def test_name_that_no_image_can_have(explained, name) -> None:
    """A name that no image can have, or that looks like an option, is an image that is not there."""
    for call in (dm.history, lambda one: dm.run(one, "true")):
        with explained(ImageNotFound, repr(name), cure="check the name"):
            call(name)


@pytest.mark.parametrize(
    "name", ["with some spaces", "проект-öäü-日本", "-dash", "--help", "quote'\"$HOME;x", "a,b=c"]
)
def test_folders_of_any_name(project, tmp_path, monkeypatch: pytest.MonkeyPatch, name) -> None:
    """Spaces, Unicode, a leading dash, quotes: a project's folder may have any name, also as a relative path."""
    project({"Dockerfile": "FROM scratch\nCOPY hello.txt /\n", "hello.txt": "hello"}, name=name)
    monkeypatch.chdir(tmp_path)
    built = dm.build(name, tag=TAG)
    assert list(built.stages["state"]) in (["ran"], ["cached"])
    assert [one["stage"] for _, one in dm.stages(Path(name)).iterrows()] == ["stage-0"]


def test_dockerfile_of_any_name(project) -> None:
    """A Dockerfile may be called like an option too."""
    folder = project({"-f": "FROM scratch\nCOPY . /\n", "ünd so.txt": "x"})
    assert dm.build(folder, file="-f", tag=TAG).tag == TAG


def assert_untagged(tag: str) -> None:
    """Hold that the engine has no image of that name."""
    assert docker_cli(["images", "--quiet", tag], timeout_s=120).stdout == ""


def _empty_tar() -> bytes:
    return os.urandom(0) + bytes(10240)
