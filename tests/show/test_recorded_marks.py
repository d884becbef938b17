"""Nothing that is shown in recorded mode passes for a measurement."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dmhelpers as dm
from dmhelpers.engine.recorded.store import Manifest, Recording

LIMIT_S = 900
SCRIPT = Path(__file__).parent / "recorded_face.py"
MANIFEST = Manifest("2026-01-02T03:04:05+00:00", "26.1.5", "overlay2", "linux/amd64", "1.45", "0.1.0")
NOT_MEASURED = {
    "sample": "files of the course",
    "samples": "files of the course",
    "stages": "a Dockerfile's own text",
    "would_build": "a Dockerfile's own text",
    "stage_picker": "a Dockerfile's own text",
    "predict": "the learner's own guess",
    "hint": "words of the course",
    "progress": "the learner's own notes",
    "score": "the learner's own tries",
    "sharing": "what a workshop is told of the learner",
    "clinic": "advice on a Dockerfile's text; with build=True it is not recorded",
    "Build": "the class of what build returns",
    "DmHelpersError": "an error",
}


def play(folder, workspace, **environment):
    """Run the script in a process of its own and return what its calls showed."""
    project = workspace / "face"
    project.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(project)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, "DMHELPERS_NOTEBOOK": "face", "DMHELPERS_WORKSPACE": str(workspace), **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.engine
@pytest.mark.one_store
@pytest.mark.timeout(2 * LIMIT_S)
def test_every_public_call_says_that_it_is_recorded(tmp_path, unchanged_engine):
    """Tables, plots, builds, claims and checks carry the mark in each form in which they show themselves."""
    recording = Recording(tmp_path / "recording")
    recording.write_manifest(MANIFEST)
    environment = {"DMHELPERS_RECORD": str(recording.folder), "DMHELPERS_STATE": str(tmp_path / "state")}
    first = play(recording.folder, tmp_path / "one", **environment)
    told = [(name, part) for name, parts in first.items() for part in parts if isinstance(part, str)]
    assert [(name, part) for name, part in told if re.search(r"(?<![-/\w])[Rr]ecorded", part)] == []

    replay = {"DMHELPERS_ENGINE": "recorded", "DMHELPERS_RECORDING": str(recording.folder)}
    replay |= {"DOCKER_HOST": "unix:///nonexistent", "PATH": str(tmp_path), "DMHELPERS_HOME": str(tmp_path / "home")}
    again = play(recording.folder, tmp_path / "two", **replay)
    attrs, printed, answer = (again.pop(name) for name in ("attrs", "printed", "answer"))
    unmarked = [(name, part) for name, parts in again.items() for part in parts if "ecorded" not in part]
    assert unmarked == []
    assert len(attrs) >= 10
    mark = {"created": MANIFEST.created, "engine": "26.1.5", "platform": "linux/amd64"}
    assert all(dict(one) == mark for one in attrs)
    assert printed == ["made\n"] == first["printed"]
    assert first["answer"] == ["hello", ""]
    assert answer == ["hello", "recorded on 2026-01-02 with Docker Engine 26.1.5 (linux/amd64)"]
    assert set(dm.__all__) == (set(again) & set(dm.__all__)) | set(NOT_MEASURED)
