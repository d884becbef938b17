"""`dmhelpers record` and recorded mode, on an engine: what was recorded is told again where none can be reached."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from dmhelpers import cli
from dmhelpers.course import recording as making
from dmhelpers.course.notebook_run import Run
from dmhelpers.course.notebooks import read, shelf, write
from dmhelpers.engine.recorded.replaying import NOT_ASKED, Player
from dmhelpers.engine.recorded.store import Exchange, Manifest, Recording
from dmhelpers.errors import InputError
from tests.notebooks.recorded_outputs import differing, shown_text

NAME = "01_core_concept"
MANIFEST = Manifest("2026-01-02T03:04:05+00:00", "26.1.5", "overlay2", "linux/amd64", "1.45", "0.1.0")
LIMIT_BYTES = 1_000_000


PUZZLE = """\
import dmhelpers as dm
puzzle = dm.parsons("cache-order")
print(puzzle.answer([6, 8, 4, 1, 2, 3, 7]))
try:
    print(puzzle.answer([6, 8, 4, 1, 2, 3]))
except dm.DmHelpersError as error:
    print(type(error).__name__, error)
"""
RECORDED_ONLY = PUZZLE.split("try:")[0]


@pytest.mark.engine
@pytest.mark.one_store
def test_a_recorded_puzzle_is_judged_and_another_order_is_not(small_shelf, tmp_path, unchanged_engine):
    """The recorded answer has its verdict, though the edit in it is new each time; any other says what to do."""
    path = small_shelf.solution("05_building_and_measuring")
    notebook = read(path)
    cell = notebook["cells"][2]
    cell["source"] = [RECORDED_ONLY]
    notebook["cells"] = [cell]
    write(path, notebook)
    folder = tmp_path / "recording"
    assert making.record(small_shelf, ["05"], output=folder, say=print) == 0
    cell["source"] = [PUZZLE]
    write(path, notebook)
    done = making.replayed(path, path.stem, folder)
    assert done.failures == ()
    told = shown_text(done.notebook)
    assert "cache-order solved" in told
    assert "npm ci comes from the build cache" in told
    assert "NotRecorded" in told
    assert "does not build" not in told


@pytest.mark.engine
@pytest.mark.one_store
def test_a_recorded_notebook_runs_through_without_an_engine(tmp_path, monkeypatch, unchanged_engine):
    """Notebook 01, recorded and replayed: no exception, the stored outputs but for the marks, and nothing private."""
    monkeypatch.setenv("SOME_SECRET_TOKEN", "cherry-jam-4711")
    monkeypatch.setenv("HTTPS_PROXY_OF_MINE", "http://proxy.company.example:3128")
    folder = tmp_path / "recording"
    assert making.record(shelf(), ["01"], output=folder, say=print) == 0
    solution = shelf().solution(NAME)
    done = making.replayed(solution, NAME, folder)
    assert done.failures == ()
    assert differing(done.notebook, read(solution)) == []
    told = shown_text(done.notebook)
    assert told.count("Recorded mode: no engine runs here.") == 1
    assert len(re.findall(r"ecorded(?: on|:  on) 20", told)) > 10

    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LIMIT_BYTES
    everything = _unpacked(folder)
    words = ["cherry-jam-4711", "company.example", str(tmp_path), str(Path.cwd()), str(shelf().folder)]
    words += [os.environ.get("DMHELPERS_HOME", ""), socket.gethostname() if len(socket.gethostname()) > 7 else ""]
    words += ["RegistryConfig", "IndexServerAddress", "HttpProxy", "X-Registry"]
    assert [word for word in filter(None, words) if word in everything] == []


@pytest.mark.engine
@pytest.mark.one_store
def test_another_build_is_not_answered(tmp_path, unchanged_engine):
    """A cell whose Dockerfile was changed is an error that says what to do, and its claim is not made."""
    folder = tmp_path / "recording"
    making.record(shelf(), ["01"], output=folder, say=print)
    notebook = read(shelf().solution(NAME))
    [cell] = [one for one in notebook["cells"] if "wall --new" in "".join(one["source"])]
    cell["source"] = [line.replace("MOOD=busy", "MOOD=lazy") for line in cell["source"]]
    changed = tmp_path / f"{NAME}.ipynb"
    write(changed, notebook)
    failures = making.replayed(changed, NAME, folder).failures
    assert failures[0].cell_id == cell["id"]
    assert "NotRecorded" in failures[0].error
    assert "the build of wall:latest" in failures[0].error
    assert "dmhelpers record" in failures[0].error


def test_a_recording_of_another_course_is_not_written_over(tmp_path, monkeypatch):
    """Without --force a recording of another engine or version stays as it is."""
    recording = Recording(tmp_path)
    recording.write_manifest(MANIFEST)
    monkeypatch.setattr(making, "_manifest", lambda: replace(MANIFEST, engine="28.5.2"))
    with pytest.raises(InputError, match="--force"):
        making.record(shelf(), [], output=tmp_path, say=print)
    assert recording.manifest == MANIFEST


def test_forced_it_is_of_one_engine_only(tmp_path, monkeypatch):
    """With --force nothing of the other engine's recording is left, and what else lies in the folder stays."""
    recording = Recording(tmp_path)
    recording.write_manifest(MANIFEST.with_notebook("00_start_here", created=MANIFEST.created, code="c"))
    recording.write("00_start_here", [Exchange("http", "q", recording.keep(bytes(100_000)))])
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr(making, "_manifest", lambda: replace(MANIFEST, engine="28.5.2"))
    monkeypatch.setattr(making, "_record_one", lambda *_: True)
    monkeypatch.setattr("dmhelpers.engine.bases.ensure_many", lambda *_, **__: None)
    assert making.record(shelf(), ["01"], output=tmp_path, force=True, say=print) == 0
    assert recording.files() == ("manifest.json",)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert recording.manifest == replace(MANIFEST, engine="28.5.2")


def test_recorded_mode_has_nothing_to_record(tmp_path, monkeypatch, capsys):
    """`dmhelpers record` in recorded mode is a wrong call that is explained."""
    recording = Recording(tmp_path)
    recording.write_manifest(MANIFEST)
    monkeypatch.setenv("DMHELPERS_ENGINE", "recorded")
    monkeypatch.setenv("DMHELPERS_RECORDING", str(tmp_path))
    assert cli.main(["record", "00"]) == 1
    assert "Unset DMHELPERS_ENGINE" in capsys.readouterr().err


def test_only_what_is_needed_is_recorded(tmp_path, monkeypatch, small_shelf):
    """A notebook that is recorded in this version and can be played is left; one that cannot, or is named, is not."""
    name = "05_building_and_measuring"
    recorded, why = [], {"said": ""}

    def record_one(where, one, recording, say):
        recorded.append(one)
        code = making.code_digest(where.solution(one))
        recording.write_manifest(recording.manifest.with_notebook(one, created=MANIFEST.created, code=code))
        return True

    monkeypatch.setattr(making, "_manifest", lambda: MANIFEST)
    monkeypatch.setattr(making, "_record_one", record_one)
    monkeypatch.setattr(making, "_unplayable", lambda *_: why["said"])
    monkeypatch.setattr("dmhelpers.engine.bases.ensure_many", lambda *_, **__: None)

    def asked(*numbers, **options):
        recorded.clear()
        assert making.record(small_shelf, numbers, output=tmp_path / "recording", say=print, **options) == 0
        return list(recorded)

    assert asked() == [name]
    assert asked() == []
    assert asked("05") == [name]
    assert asked(force=True) == [name]
    why["said"] = "NotRecorded: this was not asked"
    assert asked() == [name]


def test_a_caught_question_makes_a_recording_unplayable_too(monkeypatch, small_shelf, tmp_path):
    """A cell that prints the course's errors does not fail of one; the recording lacks the answer all the same."""
    told = {"id": "05-2", "outputs": [{"text": [f"{NOT_ASKED}recorded: x"]}]}
    printed = {"cells": [{"id": "05-1", "outputs": []}, told]}
    monkeypatch.setattr(making, "replayed", lambda *_: Run("05", printed, (), 1.0))
    assert "cell 05-2" in making._unplayable(small_shelf, "05_building_and_measuring", Recording(tmp_path))
    printed["cells"].pop()
    assert making._unplayable(small_shelf, "05_building_and_measuring", Recording(tmp_path)) == ""


@pytest.mark.engine
@pytest.mark.one_store
def test_a_notebook_that_fails_leaves_its_recording(tmp_path, small_shelf, unchanged_engine):
    """Where a cell raises, what was recorded of that notebook before stays, and it is said why."""
    name, said = "05_building_and_measuring", []
    path, output = small_shelf.solution(name), tmp_path / "recording"
    notebook = read(path)
    notebook["cells"][6]["source"] = ['len(dm.images("node"))']
    write(path, notebook)
    assert making.record(small_shelf, [], output=output, say=said.append) == 0
    before = {one: (output / one).read_bytes() for one in Recording(output).files()}
    notebook["cells"][6]["source"] = ['len(dm.images("node")) / 0']
    write(path, notebook)
    assert making.record(small_shelf, [], output=output, say=said.append) == 1
    assert {one: (output / one).read_bytes() for one in Recording(output).files()} == before
    assert "ZeroDivisionError" in said[-1]


def _unpacked(folder):
    import zstandard

    packed = [zstandard.ZstdDecompressor().decompress(path.read_bytes()) for path in folder.rglob("*.zst")]
    assert Player(Recording(folder)).manifest.engine
    assert all(isinstance(one, Exchange) for one in Recording(folder).read(NAME))
    return b"\n".join([*packed, (folder / "manifest.json").read_bytes()]).decode("utf-8", "replace")
