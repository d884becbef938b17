"""Other tools beside the clinic: their words as they are, and what is said where they are not there."""

from __future__ import annotations

import json
import os
import stat
from types import SimpleNamespace

import pytest

from dmhelpers.engine.client import Completed, Endpoint
from dmhelpers.errors import EngineUnavailable
from dmhelpers.measure.clinic import examine, lint

TEXT = "FROM node\nENV TOKEN=abcdef\n"
HADOLINT = [  # what hadolint 2.15.1 answers to the text above, but for the last one
    {
        "code": "DL3006",
        "column": 1,
        "file": "-",
        "level": "warning",
        "line": 1,
        "message": "Always tag the version of an image explicitly",
    },
    {"code": "SC2086", "column": 1, "file": "-", "level": "info", "line": 2, "message": "Double quote abcdef"},
]
CHECKS = {
    "warnings": [
        {
            "ruleName": "SecretsUsedInArgOrEnv",
            "description": "Sensitive data should not be used in the ARG or ENV commands",
            "url": "https://docs.docker.com/go/dockerfile/rule/secrets-used-in-arg-or-env/",
            "detail": 'Do not use ARG or ENV instructions for sensitive data (ENV "TOKEN")',
            "location": {"sourceIndex": 0, "ranges": [{"start": {"line": 2}, "end": {"line": 2}}]},
        },
        {"ruleName": "Odd", "description": "Said without a place"},
    ],
    "sources": [],
}


@pytest.fixture
def engine(monkeypatch):
    """Stand in for an engine with this buildx, and for what its checks answer."""

    def stand_in(buildx=(0, 16), stdout="", stderr="", exit_code=0):
        asked = []

        def answer(args, **_):
            asked.append(list(args))
            return Completed(tuple(args), exit_code, stdout, stderr)

        version = SimpleNamespace(buildx=buildx, buildx_version=".".join(map(str, buildx)))
        monkeypatch.setattr(lint, "engine_info", lambda: version)
        monkeypatch.setattr(lint, "endpoint", lambda: Endpoint("unix:///x", "test"))
        monkeypatch.setattr(lint, "docker_cli", answer)
        return asked

    return stand_in


@pytest.fixture
def hadolint(monkeypatch, tmp_path):
    """Put a program named hadolint on PATH that answers this, or take every one away for None."""

    def stand_in(answer):
        folder = tmp_path / "programs"
        folder.mkdir()
        monkeypatch.setattr(lint.sys, "executable", str(folder / "python"))
        monkeypatch.setenv("PATH", str(folder) + os.pathsep + "/usr/bin" + os.pathsep + "/bin")
        if answer is not None:
            (folder / "answer").write_text(answer)
            program = folder / "hadolint"
            program.write_text(f'#!/bin/sh\nfor last; do :; done\ntest -f "$last" && cat {folder}/answer\n')
            program.chmod(program.stat().st_mode | stat.S_IXUSR)

    return stand_in


def test_their_words_stand_as_they_are(project, engine, hadolint):
    """Findings of both tools are given by line, in their own words, and the clinic's advice is the same with them."""
    asked = engine(stdout=json.dumps(CHECKS), exit_code=1)
    hadolint(json.dumps(HADOLINT))
    folder = project({"Dockerfile": TEXT})
    found = examine(folder, lint=True)
    assert [(one.tool, one.rule, one.line) for one in found.findings] == [
        ("BuildKit", "Odd", None),
        ("hadolint", "DL3006", 1),
        ("BuildKit", "SecretsUsedInArgOrEnv", 2),
        ("hadolint", "SC2086", 2),
    ]
    assert found.findings[1].message == "Always tag the version of an image explicitly"
    assert found.findings[1].page.endswith("/DL3006")
    assert found.advice == examine(folder).advice
    assert "--call=check,format=json" in asked[0]
    assert asked[0][-2:] == ["--", str(folder)]


def test_their_words_tell_no_secret(project, engine, hadolint):
    """Where another tool quotes a line with a secret, its value is hidden."""
    engine(stdout=json.dumps(CHECKS), stderr="abcdef")
    hadolint(json.dumps(HADOLINT))
    found = examine(project({"Dockerfile": TEXT}), lint=True)
    assert found.findings[-1].message == "Double quote [hidden]"


def test_what_is_not_there_is_said_with_how_to_get_it(project, engine, hadolint):
    """An older buildx and a missing hadolint are notes that say what to install; they are no errors."""
    engine(buildx=(0, 13))
    hadolint(None)
    found = examine(project({"Dockerfile": TEXT}), lint=True)
    assert found.findings == ()
    assert any("buildx 0.16 or newer; this is 0.13" in one for one in found.notes)
    assert any("pip install 'dmhelpers[lint]'" in one for one in found.notes)


def test_no_engine_is_a_note_too(project, hadolint, monkeypatch):
    """Without an engine BuildKit's checks are left out, and the rest stands."""

    def away():
        raise EngineUnavailable("No engine.", hint="Start one.")

    monkeypatch.setattr(lint, "engine_info", away)
    hadolint("[]")
    found = examine(project({"Dockerfile": TEXT}), lint=True)
    assert "BuildKit's own checks were not asked: No engine. Start one." in found.notes
    assert found.advice


@pytest.mark.parametrize("answer", ["", "not JSON", "{", '{"other": 1}'])
def test_an_answer_that_is_none(project, engine, hadolint, answer):
    """A tool that answers with something else is a note with its last line."""
    engine(stdout=answer, stderr="first\nERROR: unsupported subrequest")
    hadolint(answer)
    notes = " ".join(examine(project({"Dockerfile": TEXT}), lint=True).notes)
    assert "BuildKit's own checks gave no report (ERROR: unsupported subrequest)" in notes
    assert "hadolint gave no report" in notes
