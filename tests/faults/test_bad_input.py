"""What cannot be meant is refused before an engine is asked, with the value and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

import dmhelpers as dm
from dmhelpers.cli import main
from dmhelpers.errors import DockerfileError, InputError, ProjectNotFound, SampleNotFound, StageNotFound

pytestmark = pytest.mark.usefixtures("dead_engine")

TWO_STAGES = "FROM node:20-alpine AS builder\nRUN npm ci\nFROM node:20-alpine AS runtime\n"


def test_project_that_is_missing(project, explained) -> None:
    """A missing folder is named, and the one that was probably meant is offered."""
    folder = project({"Dockerfile": TWO_STAGES}, name="my-api")
    with explained(ProjectNotFound, str(folder.with_name("my-apo")), cure="Did you mean 'my-api'"):
        dm.build(folder.with_name("my-apo"))


def test_project_that_is_a_file(project, explained) -> None:
    """A file in the place of the project's folder is called one."""
    file = project({"Dockerfile": TWO_STAGES}) / "Dockerfile"
    with explained(ProjectNotFound, str(file), "is a file", cure="the folder that holds"):
        dm.stages(file)


@pytest.mark.parametrize(
    ("files", "wanted", "cure"),
    [
        ({"dockerfile.txt": TWO_STAGES}, "Dockerfile", "Did you mean 'dockerfile.txt'"),
        ({"package.json": "{}"}, "Dockerfile", "Create one"),
        ({"Dockerfile": TWO_STAGES}, "Dockerfile.tset", "Did you mean 'Dockerfile'"),
        ({"Dockerfile": TWO_STAGES}, "-f", "There is: 'Dockerfile'|Did you mean"),
        ({"Dockerfile/README": "a folder"}, "Dockerfile", "Create one"),
    ],
)
def test_project_without_the_dockerfile(project, explained, files, wanted, cure) -> None:
    """A missing Dockerfile is named with its folder, and what is there under a like name is offered."""
    folder = project(files)
    with explained(ProjectNotFound, repr(wanted), str(folder), cure=cure):
        dm.build(folder, file=wanted)


@pytest.mark.parametrize(
    ("text", "line", "named", "cure"),
    [
        ("FROM node:20-alpine\nRUM npm ci\n", 2, "RUM", "Did you mean 'RUN'"),
        ("FROM node:20-alpine\nENV NODE_ENV\n", 2, "ENV", "Mend that line"),
        ("FROM\nRUN true\n", 1, "FROM", "Write it like: FROM|Mend that line"),
        ("FROM node:20-alpine AS\n", 1, "AS", "Write it like: FROM"),
        ("FROM $UNSET AS builder\n", 1, "FROM", "Write it like: FROM"),
        (
            "RUN npm ci\nFROM node:20-alpine\n",
            1,
            "RUN stands before the first FROM",
            "put FROM and a base image above",
        ),
        # A file without FROM takes Engine 26.1's BuildKit, and with it the whole engine, down.
        ("ARG VERSION=20\n", None, "no FROM", "Begin it with FROM"),
        ("# syntax: none\n# only remarks\n", None, "Dockerfile", "FROM|Mend|Write"),
        ("", None, "Dockerfile", "FROM|Mend|Write"),
        ("  \n\n\t\n", None, "Dockerfile", "FROM|Mend|Write"),
    ],
)
def test_malformed_dockerfile(project, explained, text, line, named, cure) -> None:
    """A Dockerfile that cannot be read never reaches the engine; the error has the line and the cure."""
    folder = project({"Dockerfile": text.encode()})
    with explained(DockerfileError, "Dockerfile", named, cure=cure) as caught:
        dm.build(folder)
    assert caught.value.line == line
    assert line is None or f"line {line}" in caught.value.message


def test_dockerfile_that_is_no_text(project, explained) -> None:
    """A binary file called Dockerfile is refused like any other that cannot be read."""
    with explained(DockerfileError, "Dockerfile", cure="FROM|Mend|Write|There is"):
        dm.build(project({"Dockerfile": b"\x7fELF\x02\x01\x00\xff\xfe\x00binary\x00"}))


@pytest.mark.parametrize(
    ("wanted", "cure"),
    [("biulder", "Did you mean 'builder'"), (7, "There is: 'builder', 'runtime'"), ("-t", "There is")],
)
def test_unknown_stage(project, explained, wanted, cure) -> None:
    """A stage that the Dockerfile does not have is named beside those that it has."""
    folder = project({"Dockerfile": TWO_STAGES})
    with explained(StageNotFound, repr(str(wanted)), "builder, runtime", cure=cure):
        dm.build(folder, target=wanted)
    with explained(StageNotFound, repr(str(wanted)), cure=cure):
        dm.build(folder, rerun=[str(wanted)])


@pytest.mark.parametrize("tag", ["My-API:latest", "my api", "-t", "my-api:", ":latest", "my-api:a:b", ""])
def test_tag_that_cannot_be(project, explained, tag) -> None:
    """A tag that Docker would refuse, or read as an option, is refused with an example of a good one."""
    with explained(InputError, repr(tag), cure="lower-case letters.*my-api:latest"):
        dm.build(project({"Dockerfile": TWO_STAGES}), tag=tag)


@pytest.mark.parametrize("limit_s", [0, -1])
def test_time_limit_that_cannot_be(project, explained, limit_s) -> None:
    """A limit that lets nothing run is refused, for builds and for containers."""
    with explained(InputError, f"{limit_s} s", cure="more than 0"):
        dm.build(project({"Dockerfile": TWO_STAGES}), time_limit_s=limit_s)
    with explained(InputError, f"{limit_s} s", cure="more than 0"):
        dm.run("my-api:latest", "true", time_limit_s=limit_s)


@pytest.mark.parametrize(
    ("name", "cure"),
    [("my-app", "Did you mean 'my-api'"), ("zzz", "There is: "), ("../my-api", "my-api"), ("-", "There is|Did")],
)
def test_unknown_sample(tmp_path, explained, name, cure) -> None:
    """A sample that the course does not have is named, a close one offered, and no folder made."""
    with explained(SampleNotFound, repr(name), cure=cure):
        dm.sample(name, workspace=tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_unknown_sample_on_the_command_line(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says the same on standard error, ends with 1 and writes nothing."""
    output = tmp_path / "out"
    assert main(["measure", "my-app", "--output", str(output)]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert "'my-app'" in said[0]
    assert "Did you mean 'my-api'" in said[-1]
    assert not Path(output).exists()
