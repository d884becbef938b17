"""Reading Dockerfiles: stages, what they take from each other, and what is wrong with one that cannot be read."""

from __future__ import annotations

import json
import platform
import textwrap

import pytest

from dmhelpers.errors import DockerfileError, ProjectNotFound, StageNotFound
from dmhelpers.measure.dockerfile import parse_dockerfile, project_folder, read_dockerfile

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def parse(text, **build_args):
    """Read a dedented Dockerfile."""
    return parse_dockerfile(textwrap.dedent(text).lstrip("\n"), build_args=build_args)


def outline(dockerfile):
    """Return each stage as (label, base, first line, last line)."""
    return [(one.label, one.base, one.line, one.end_line) for one in dockerfile.stages]


def edges(dockerfile):
    """Return every edge as (stage, kind, source, index of the stage it takes from)."""
    return [
        (stage.label, edge.kind, edge.source, edge.stage_index) for stage in dockerfile.stages for edge in stage.edges
    ]


EXERCISE = """
    FROM node:20-alpine AS builder
    WORKDIR /app
    COPY package.json package-lock.json ./
    RUN npm ci
    COPY . .
    RUN npm run build

    FROM builder AS test
    RUN npm test

    FROM node:20-alpine AS runtime
    WORKDIR /app
    COPY package.json package-lock.json ./
    RUN npm ci --omit=dev
    COPY --from=builder /app/dist ./dist
    EXPOSE 3000
    CMD ["node", "dist/server.js"]
"""


def test_the_exercise_is_read_as_it_is_taught():
    """The exercise has three stages, the last is the default, and it needs `builder` but not `test`."""
    dockerfile = parse(EXERCISE)
    assert outline(dockerfile) == [
        ("builder", "node:20-alpine", 1, 6),
        ("test", "builder", 8, 9),
        ("runtime", "node:20-alpine", 11, 17),
    ]
    assert edges(dockerfile) == [
        ("builder", "from", "node:20-alpine", None),
        ("test", "from", "builder", 0),
        ("runtime", "from", "node:20-alpine", None),
        ("runtime", "copy", "builder", 0),
    ]
    assert dockerfile.find(None).label == "runtime"
    assert dockerfile.needed_by(dockerfile.find("runtime")) == {0, 2}
    assert dockerfile.needed_by(dockerfile.find("test")) == {0, 1}
    assert [one.label for one in dockerfile.chain(dockerfile.find("test"))] == ["builder", "test"]
    assert dockerfile.base_images(dockerfile.find("runtime")) == ("node:20-alpine",)


STAGE_LISTS = {
    "stages without a name are numbered": (
        "FROM scratch\nCOPY a b\nFROM scratch\n",
        [("stage-0", "scratch", 1, 2), ("stage-1", "scratch", 3, 3)],
    ),
    "names are matched without regard to case": (
        "FROM scratch AS Builder\nFROM scratch\nCOPY --from=BUILDER /a /b\n",
        [("builder", "scratch", 1, 1), ("stage-1", "scratch", 2, 3)],
    ),
    "keywords too": ("from scratch as one\nfrom one As two\n", [("one", "scratch", 1, 1), ("two", "one", 2, 2)]),
    "a heredoc's FROM is none": (
        "FROM a AS x\nRUN <<EOF\nFROM b\nEOF\nCOPY <<-END /f\n\tFROM c\n\tEND\nFROM x\n",
        [("x", "a", 1, 7), ("stage-1", "x", 8, 8)],
    ),
    "two heredocs of one instruction": (
        "FROM a\nCOPY <<ONE <<TWO /d/\nFROM b\nONE\nFROM c\nTWO\nRUN true\n",
        [("stage-0", "a", 1, 7)],
    ),
    "a continued line holds comments and blank lines": (
        "FROM a AS x\nRUN one \\\n# FROM b\n\n  && two\nFROM x\n",
        [("x", "a", 1, 5), ("stage-1", "x", 6, 6)],
    ),
    "a comment's FROM is none": ("# FROM a\nFROM b\n  # FROM c\nRUN x\n", [("stage-0", "b", 2, 4)]),
    "another escape character": (
        "# escape=`\nFROM a AS x\nRUN dir c:\\ `\n  /s\nFROM x\n",
        [("x", "a", 2, 4), ("stage-1", "x", 5, 5)],
    ),
    "line ends of Windows": (
        "FROM a AS x\r\nRUN y \\\r\n z\r\nFROM x\r\n",
        [("x", "a", 1, 3), ("stage-1", "x", 4, 4)],
    ),
    "an ARG's default names the base": (
        "ARG V=20\nFROM node:${V}-alpine AS x\nFROM node:$V\n",
        [("x", "node:20-alpine", 2, 2), ("stage-1", "node:20", 3, 3)],
    ),
    "an ARG may name a stage": (
        "ARG KIND=prod\nFROM a AS base-prod\nFROM base-${KIND}\n",
        [("base-prod", "a", 2, 2), ("stage-1", "base-prod", 3, 3)],
    ),
    "an ARG uses an earlier one": ("ARG A=node\nARG B=$A:20\nFROM $B\n", [("stage-0", "node:20", 3, 3)]),
    "several ARGs on one line": ("ARG A=node B=20\nFROM $A:$B\n", [("stage-0", "node:20", 2, 2)]),
    "quotes are taken off": ('ARG A="node:20"\nFROM "$A"\n', [("stage-0", "node:20", 2, 2)]),
    "a default in place": ("ARG A\nFROM ${A:-node}:20\n", [("stage-0", "node:20", 2, 2)]),
    "a default in place that holds a variable": (
        "ARG A\nARG B=node\nFROM ${A:-${B}}:20\n",
        [("stage-0", "node:20", 3, 3)],
    ),
    "an alternative in place": ("ARG A=1\nFROM node${A:+:20}\n", [("stage-0", "node:20", 2, 2)]),
    "an alternative that is not taken": ("ARG A\nFROM node${A:+:20}\n", [("stage-0", "node", 2, 2)]),
    "the platform is preset": (
        "FROM a AS base-amd64\nFROM a AS base-arm64\nFROM base-$TARGETARCH\n",
        [
            ("base-amd64", "a", 1, 1),
            ("base-arm64", "a", 2, 2),
            ("stage-2", f"base-{ARCHITECTURE}", 3, 3),
        ],
    ),
    "a platform flag is not the base": ("FROM --platform=$BUILDPLATFORM a AS x\n", [("x", "a", 1, 1)]),
    "a digest and a registry's port": (
        "FROM host.example:5000/team/node:20@sha256:" + "a" * 64 + " AS x\n",
        [("x", "host.example:5000/team/node:20@sha256:" + "a" * 64, 1, 1)],
    ),
    "a stage named like its image": ("FROM a AS a\nFROM a\n", [("a", "a", 1, 1), ("stage-1", "a", 2, 2)]),
    "a stage named scratch": (
        "FROM scratch AS scratch\nFROM scratch\n",
        [("scratch", "scratch", 1, 1), ("stage-1", "scratch", 2, 2)],
    ),
    "ARGs between stages are not global": (
        "ARG A=one\nFROM $A AS x\nARG A=two\nFROM $A\n",
        [("x", "one", 2, 3), ("stage-1", "one", 4, 4)],
    ),
    "names with dots, dashes and underscores": ("FROM a AS a.b-c_d\n", [("a.b-c_d", "a", 1, 1)]),
    "a syntax line is a comment": ("# syntax=docker/dockerfile:1\nFROM a\n", [("stage-0", "a", 2, 2)]),
    "blank lines at the end are no stage's": ("FROM a\nRUN x\n\n\n", [("stage-0", "a", 1, 2)]),
    "no line break at the end": ("FROM a\nRUN x", [("stage-0", "a", 1, 2)]),
}


@pytest.mark.parametrize("rule", STAGE_LISTS)
def test_stage_lists(rule):
    """A Dockerfile's stages are those that BuildKit sees in it, with their names, bases and lines."""
    text, expected = STAGE_LISTS[rule]
    assert outline(parse_dockerfile(text)) == expected


EDGES = {
    "a number names a stage for COPY": ("FROM s\nFROM s\nCOPY --from=0 a b\n", ("stage-1", "copy", "stage-0", 0)),
    "a name": ("FROM s AS x\nFROM s\nCOPY --from=x a b\n", ("stage-1", "copy", "x", 0)),
    "an image": ("FROM s\nCOPY --from=busybox:1 a b\n", ("stage-0", "copy", "busybox:1", None)),
    "other flags beside it": (
        "FROM s AS x\nFROM s\nCOPY --chown=1:1 --from=x --link a b\n",
        ("stage-1", "copy", "x", 0),
    ),
    "a mount": ("FROM s AS x\nFROM s\nRUN --mount=type=bind,from=x,target=/m a\n", ("stage-1", "mount", "x", 0)),
    "a mount whose first key it is": (
        "FROM s AS x\nFROM s\nRUN --mount=from=X,target=/m a\n",
        ("stage-1", "mount", "x", 0),
    ),
    "a mount in quotes": (
        'FROM s AS x\nFROM s\nRUN --mount=type=bind,"from=x",target=/m a\n',
        ("stage-1", "mount", "x", 0),
    ),
    "a cache mount that starts from a stage": (
        "FROM s AS x\nFROM s\nRUN --mount=type=cache,from=x,target=/m a\n",
        ("stage-1", "mount", "x", 0),
    ),
    "a number names an image for a mount": (
        "FROM s\nFROM s\nRUN --mount=from=0,target=/m a\n",
        ("stage-1", "mount", "0", None),
    ),
    "a number names an image for FROM": ("FROM s\nFROM 0\n", ("stage-1", "from", "0", None)),
    "of two stages with one name, the later": (
        "FROM s AS x\nFROM s AS x\nFROM s\nCOPY --from=x a b\n",
        ("stage-2", "copy", "x", 1),
    ),
    "a stage below is none yet": ("FROM s AS a\nCOPY --from=b x y\nFROM s AS b\n", ("a", "copy", "b", None)),
    "a stage is not its own source": ("FROM s AS a\nCOPY --from=a x y\n", ("a", "copy", "a", None)),
    "on a continued line": ("FROM s AS x\nFROM s\nCOPY \\\n  --from=x \\\n  a b\n", ("stage-1", "copy", "x", 0)),
}


@pytest.mark.parametrize("rule", EDGES)
def test_edges(rule):
    """What a stage takes from is a stage above it where BuildKit takes it for one, else an image."""
    text, expected = EDGES[rule]
    assert edges(parse_dockerfile(text))[-1 if expected[0] != "a" else 1] == expected


def test_an_empty_source_is_none():
    """`COPY --from=` with nothing behind it copies from the build context, as in BuildKit."""
    assert edges(parse("FROM s\nCOPY --from= a b\n")) == [("stage-0", "from", "s", None)]


def test_a_mount_without_a_source_is_no_edge():
    """Cache and secret mounts take from no stage."""
    text = "FROM s\nRUN --mount=type=cache,target=/root/.npm --mount=type=secret,id=t npm ci\n"
    assert edges(parse(text)) == [("stage-0", "from", "s", None)]


def test_an_edge_has_its_line():
    """An edge stands on the line of its instruction."""
    dockerfile = parse("FROM s AS x\n\nFROM s\nRUN a\nCOPY --from=x a b\n")
    assert [edge.line for stage in dockerfile.stages for edge in stage.edges] == [1, 3, 5]


def test_build_args_override_defaults():
    """A build argument replaces the default of an ARG before the first FROM, and of no undeclared one."""
    text = "ARG V=20\nFROM node:${V}${W}\n"
    assert parse(text, V="22", W="x").stages[0].base == "node:22"


def test_an_arg_without_a_value_can_be_given_one():
    """An ARG without a default takes the build argument, and leaves no base without one."""
    assert parse("ARG BASE\nFROM $BASE\n", BASE="scratch").stages[0].base == "scratch"
    with pytest.raises(DockerfileError) as caught:
        parse("ARG BASE\nFROM $BASE\n")
    assert caught.value.line == 2


def test_a_declared_platform_arg_keeps_its_value():
    """`ARG TARGETARCH` without a default keeps what BuildKit presets."""
    assert parse("ARG TARGETARCH\nFROM base-$TARGETARCH\n").stages[0].base == f"base-{ARCHITECTURE}"


def test_needs_go_through_copies_mounts_and_bases():
    """A stage needs what it needs directly and what that needs, and nothing beside it."""
    dockerfile = parse(
        """
        FROM s AS a
        FROM a AS b
        FROM s AS c
        RUN --mount=from=b,target=/m x
        FROM s AS unused
        FROM s AS d
        COPY --from=c x y
        """
    )
    assert dockerfile.needed_by(dockerfile.find("d")) == {0, 1, 2, 4}
    assert dockerfile.needed_by(dockerfile.find("a")) == {0}


def test_base_images_of_a_target():
    """The images of a target are those that its needed stages start from or copy from, each once, without scratch."""
    dockerfile = parse(
        """
        FROM node:20 AS a
        COPY --from=busybox /bin/sh /
        FROM golang:1 AS unused
        FROM node:20 AS b
        COPY --from=a x y
        FROM scratch
        COPY --from=b x y
        """
    )
    assert dockerfile.base_images(dockerfile.find(None)) == ("node:20", "busybox")
    assert dockerfile.base_images(dockerfile.find("unused")) == ("golang:1",)


def test_find_by_name_and_number():
    """A stage is found by its name in any case, by its number as int or text, or by BuildKit's word for it."""
    dockerfile = parse("FROM s AS one\nFROM s\nFROM s AS three\n")
    for target in ("ONE", "one", 0, "0"):
        assert dockerfile.find(target).index == 0
    for target in (1, "1", "stage-1", "Stage-1"):
        assert dockerfile.find(target).index == 1
    assert dockerfile.find(None).index == 2


@pytest.mark.parametrize("target", ["tset", "", "7", 7, "²", "-1", "stage-0"])
def test_an_unknown_stage_is_refused(target):
    """A target that is no stage is refused with the names of the stages."""
    with pytest.raises(StageNotFound) as caught:
        parse("FROM s AS builder\nFROM s AS test\n").find(target)
    assert "builder, test" in caught.value.message


def test_a_near_stage_is_offered():
    """A mistyped stage's name is answered with the close one."""
    with pytest.raises(StageNotFound) as caught:
        parse("FROM s AS builder\nFROM s AS test\n").find("biulder")
    assert "'builder'" in str(caught.value).splitlines()[-1]


def test_a_stage_without_a_name_cannot_be_named():
    """A stage that BuildKit cannot find by name, having none or a later namesake, is refused with its line."""
    dockerfile = parse("FROM s AS x\nFROM s\nFROM s AS x\nFROM s AS stage-1\n")
    assert dockerfile.name_of(dockerfile.find("X")) == "x"
    assert dockerfile.name_of(dockerfile.find(3)) == "stage-1"
    for number, line in ((0, 1), (1, 2)):
        with pytest.raises(StageNotFound, match=f"line {line}") as caught:
            dockerfile.name_of(dockerfile.find(number))
        assert caught.value.hint.endswith("FROM s AS NAME")


MALFORMED = {
    "nothing": ("", None, "FROM"),
    "comments alone": ("# a\n\n# b\n", None, "FROM"),
    # BuildKit of Engine 26.1 panics on this one and takes the engine down with it: it must never get there.
    "arguments alone": ("ARG A=1\n", None, "FROM"),
    "RUN before FROM": ("ARG A\nRUN x\nFROM s\n", 2, "FROM"),
    "FROM without a base": ("FROM s\nFROM\n", 2, "FROM node"),
    "AS without a name": ("FROM s AS\n", 1, "AS builder"),
    "another word than AS": ("FROM s IS x\n", 1, "AS builder"),
    "a comment behind FROM": ("FROM s # my base\n", 1, "AS builder"),
    "a name that is a number": ("FROM s AS 1\n", 1, "letter first"),
    "a name with a variable": ("ARG N=x\nFROM s AS $N\n", 2, "letter first"),
    "a name with a symbol": ("FROM s AS b%d\n", 1, "letters"),
    "an unknown instruction": ("FROM s\nCOYP a b\n", 2, "'COPY'"),
    "a mistyped FROM": ("FORM s\n", 1, "'FROM'"),
    "an open heredoc": ("FROM s\nRUN <<EOF\ntrue\n", 2, "line"),
    "a number that is no stage": ("FROM s\nFROM s\nCOPY --from=7 a b\n", 3, "--from=builder"),
    "a variable that is empty": ("FROM ${NOPE}\n", 1, "FROM node"),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_dockerfile_is_refused(fault):
    """A Dockerfile that cannot be read is refused with its line, and a hint that says what to write."""
    text, line, word = MALFORMED[fault]
    with pytest.raises(DockerfileError) as caught:
        parse_dockerfile(text)
    assert caught.value.line == line
    assert word in caught.value.hint
    assert line is None or f"line {line}" in caught.value.message


def test_a_file_with_a_byte_order_mark(project):
    """A byte order mark, which some editors write first, is no part of the first instruction."""
    folder = project({"Dockerfile": b"\xef\xbb\xbfFROM scratch AS a\r\nCOPY x y\r\n"})
    assert outline(read_dockerfile(folder)) == [("a", "scratch", 1, 2)]


def test_a_dockerfile_of_another_name(project):
    """`file` names another Dockerfile of the project; a mistyped one is answered with what there is."""
    folder = project({"Dockerfile": "FROM a\n", "Dockerfile.single": "FROM b\n"})
    assert read_dockerfile(folder, file="Dockerfile.single").stages[0].base == "b"
    with pytest.raises(ProjectNotFound) as caught:
        read_dockerfile(folder, file="Dockerfile.singel")
    assert "'Dockerfile.single'" in caught.value.hint


def test_a_folder_without_a_dockerfile(project):
    """A project without a Dockerfile is refused with a next step."""
    with pytest.raises(ProjectNotFound) as caught:
        read_dockerfile(project({"readme": "x"}))
    assert "Create one" in caught.value.hint


def test_a_missing_folder_is_answered_with_its_neighbours(project):
    """A mistyped folder is answered with a close one; a file is said to be one."""
    folder = project({"Dockerfile": "FROM a\n"}, name="my-api")
    with pytest.raises(ProjectNotFound, match="my-ap") as caught:
        project_folder(folder.with_name("my-ap"))
    assert "'my-api'" in caught.value.hint
    with pytest.raises(ProjectNotFound, match="is a file"):
        project_folder(folder / "Dockerfile")


@pytest.mark.parametrize("name", ["with space", "Ünïcode-日本", "-dash", "quote'd", "tab\tbed"])
def test_folders_with_unusual_names(project, name):
    """A project's folder may have spaces, accents, quotes, or a dash in front."""
    folder = project({"Dockerfile": "FROM a\n"}, name=name)
    assert read_dockerfile(folder).stages[0].base == "a"
    assert read_dockerfile(str(folder)).path == folder / "Dockerfile"


@pytest.mark.engine
@pytest.mark.parametrize("rule", STAGE_LISTS)
def test_stages_are_those_that_buildkit_lists(project, rule):
    """BuildKit's own list of targets has the same stages in the same order, on the same lines."""
    from dmhelpers.engine.client import docker_cli
    from dmhelpers.engine.info import engine_info

    if engine_info().buildx < (0, 16):
        pytest.skip(f"buildx {engine_info().buildx_version} cannot list targets; 0.16 can")
    text, _ = STAGE_LISTS[rule]
    if text.startswith("# syntax"):
        pytest.skip("a syntax line makes BuildKit pull a frontend")
    folder = project({"Dockerfile": text.encode()})
    answer = docker_cli(["buildx", "build", "--call=targets,format=json", "--", str(folder)], timeout_s=120)
    targets = json.loads(answer.stdout)["targets"]
    stages = read_dockerfile(folder).stages
    assert [(one.get("name"), one["location"]["ranges"][0]["start"]["line"]) for one in targets] == [
        (one.name, one.line) for one in stages
    ]
    assert [one.get("default", False) for one in targets] == [one is stages[-1] for one in stages]
