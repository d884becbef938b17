"""What the challenge starts from: it lacks what the tasks are about, and needs nothing new from the network."""

from __future__ import annotations

import json

from dmhelpers.course.checks.challenge_trials import RIGHT, WRONG
from dmhelpers.course.sample_info import original
from dmhelpers.measure.dockerfile import read_dockerfile


def packages(name):
    """Return what a project's lockfile installs, by path."""
    locked = json.loads((original(name) / "package-lock.json").read_text())["packages"]
    return {path: one for path, one in locked.items() if path}


def test_postage_needs_no_package_that_my_api_does_not_have():
    """Its packages and versions are those of my-api, so a build of it downloads nothing new."""
    assert packages("postage") == packages("my-api")


def test_the_mistake_that_the_check_makes_is_still_one():
    """The line that the check changes stands in the sources once, and the change is one."""
    text = (original("postage") / "src" / "postage.ts").read_text()
    assert text.count(RIGHT) == 1
    assert text.replace(RIGHT, WRONG) != text


def test_clock_needs_the_standard_library_only():
    """No module is required, so nothing is downloaded."""
    assert "require" not in (original("clock") / "go.mod").read_text()


def test_nothing_is_solved_yet():
    """One stage ships the tools and the compiler, and each target of signpost generates for itself."""
    assert len(read_dockerfile(original("postage")).stages) == 1
    assert not (original("postage") / ".dockerignore").exists()
    assert [one.base for one in read_dockerfile(original("clock")).stages] == ["golang:1.22-alpine"]
    web, admin = read_dockerfile(original("signpost")).stages
    for stage in (web, admin):
        assert not [edge for edge in stage.edges if edge.stage_index is not None]
        assert any("generate.js" in one.text for one in stage.instructions if one.name == "RUN")
