"""What a build was asked for: names that can be meant, and the command that is shown and run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from dmhelpers.errors import InputError
from dmhelpers.measure.request import BuildRequest, full_tag

FOLDER = Path("/a folder/my-api")


@pytest.mark.parametrize(
    ("tag", "full"),
    [
        ("my-api", "my-api:latest"),
        ("my-api:1.0", "my-api:1.0"),
        ("team/my_api:v1", "team/my_api:v1"),
        ("a.b__c--d/e:UPPER", "a.b__c--d/e:UPPER"),
        ("ghcr.example/team/api", "ghcr.example/team/api:latest"),
        ("localhost:5000/api", "localhost:5000/api:latest"),
        ("localhost:5000/api:1", "localhost:5000/api:1"),
    ],
)
def test_names(tag, full):
    """A name is written in full, with `latest` where it has no tag; a registry's port is no tag."""
    assert full_tag(tag, FOLDER) == full


@pytest.mark.parametrize(
    "tag",
    [
        *("", " ", "My-API", "my api", "my-api:", ":latest", "-x", "--help", "a/", "/a", "a:b:c", "a\n", "ä", "a:ä"),
        *("a:" + "b" * 129, "a@sha256:" + "0" * 64, "a//b", ".a", "a..b", "http://a/b", "host:/a", "host:5000/"),
    ],
)
def test_names_that_cannot_be(tag):
    """What Docker would not take for a name is refused with an example of one."""
    with pytest.raises(InputError, match="cannot be the name") as caught:
        full_tag(tag, FOLDER)
    assert "my-api:latest" in caught.value.hint


@pytest.mark.parametrize(
    ("folder", "full"),
    [("my-api", "my-api"), ("My Api (2)", "my-api-2"), ("日本", "project"), ("--x--", "x"), ("Grüße", "gr-e")],
)
def test_a_folder_gives_a_name(folder, full):
    """Without a tag the folder's name is used, as far as an image can have it."""
    assert full_tag(None, Path("/x") / folder) == f"{full}:latest"


def request(**more):
    """Return a request with these settings."""
    return BuildRequest(**{"folder": FOLDER, "file": "Dockerfile", "tag": "my-api:latest", "target": None, **more})


@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({}, "docker build -t my-api:latest ."),
        ({"target": "builder"}, "docker build --target builder -t my-api:latest ."),
        ({"file": "Dockerfile.single"}, "docker build -f Dockerfile.single -t my-api:latest ."),
        ({"no_cache": True}, "docker build --no-cache -t my-api:latest ."),
        ({"rerun": ["test"]}, "docker build --no-cache-filter test -t my-api:latest ."),
        ({"build_args": {"A": "b c"}}, "docker build --build-arg 'A=b c' -t my-api:latest ."),
    ],
)
def test_the_command_that_is_shown(more, command):
    """The shown command is what a person would type in the project's folder."""
    assert request(**more).shown_command() == command


def test_what_is_shown_is_what_is_run():
    """Every choice of the person's is in the command that is run as it is in the one that is shown."""
    asked = request(target="b", build_args={"A": "1"}, no_cache=True, rerun=["t"], file="D")
    shown = shlex.split(asked.shown_command())
    run = asked.client_args(metadata_file=Path("/m"), build_contexts={})
    for option in ("--target", "--build-arg", "--no-cache-filter"):
        assert run[run.index(option) + 1] == shown[shown.index(option) + 1]
    assert "--no-cache" in run
    assert f"--file={FOLDER / 'D'}" in run


def test_nothing_of_the_persons_is_read_as_an_option():
    """Paths stand behind a double dash or an equals sign, so that none is read as an option."""
    run = request(folder=Path("/x/--help"), file="-f").client_args(
        metadata_file=Path("/m"), build_contexts={"node:20-alpine": "docker-image://x"}
    )
    assert run[-2:] == ["--", "/x/--help"]
    assert "--file=/x/--help/-f" in run
    assert "--build-context=node:20-alpine=docker-image://x" in run


def test_what_the_course_makes_is_labelled():
    """An image of the course carries its label, and no provenance that would change its ID."""
    run = request().client_args(metadata_file=Path("/m"), build_contexts={})
    assert "--label=io.dmhelpers.course=1" in run
    assert "--provenance=false" in run
    assert "--progress=rawjson" in run
