"""The recording that comes with the course, in recordings/: what it holds, and that every notebook reads from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dmhelpers.course import recording as making
from dmhelpers.course.notebooks import NAMES, read, shelf, write
from dmhelpers.engine.recorded.store import Recording
from tests.notebooks.recorded_outputs import differing, shown_text, unmarked

FOLDER = Path(__file__).parent.parent.parent / making.COMES_WITH
LIMIT_BYTES = 2_500_000
CURE = "record it anew, where an engine runs: make recording"


def everything(recording):
    """Return all text of a recording, unpacked."""
    import zstandard

    packed = (FOLDER / name for name in recording.files() if name.endswith(".zst"))
    told = [zstandard.ZstdDecompressor().decompress(path.read_bytes()) for path in packed]
    return b"\n".join(told).decode("utf-8", "replace")


def test_the_recording_is_of_these_notebooks():
    """It has every notebook, in the version that lies here, and nothing else; else it says how to make it anew."""
    recording = Recording(FOLDER)
    assert making.stale(shelf(), recording.manifest) == (), CURE
    assert recording.notebooks() == shelf().written() == tuple(recording.manifest.notebooks), CURE


def test_the_recording_is_small_and_tells_nothing_of_a_machine():
    """It is small enough for a clone, and names no package registry, no folder of a person and no proxy."""
    recording = Recording(FOLDER)
    assert sum((FOLDER / name).stat().st_size for name in recording.files()) < LIMIT_BYTES
    text = everything(recording)
    addresses = set(re.findall(r"//[\w.-]*(?:registry|mirror|proxy|pypi|npmjs)[\w.-]*", text))
    assert addresses <= {"//registry-1.docker.io"}  # what the engine itself says of a name that nobody has
    assert re.findall(r"\b(?:10|192\.168|172\.17)(?:\.\d+){2,3}:\d+", text) == []
    words = ["RegistryConfig", "IndexServerAddress", "HttpProxy", "X-Registry", "/Users/", "/overlay2/"]
    assert [word for word in words if word in text] == []
    assert set(re.findall(r"/home/(\w+)", text)) <= {"node"}  # the user of the base image


@pytest.mark.parametrize("name", Recording(FOLDER).notebooks())
def test_a_solution_reads_from_the_recording(name):
    """No cell raises, each output is the stored one but for its mark, and what was measured carries the mark."""
    solution = shelf().solution(name)
    done = making.replayed(solution, name, FOLDER)
    assert [(one.cell_id, one.error) for one in done.failures] == [], CURE
    assert differing(done.notebook, read(solution)) == [], CURE
    assert unmarked(done.notebook) == []
    assert shown_text(done.notebook).count("Recorded mode: no engine runs here.") == 1


def test_a_learner_copy_reads_from_one_file(tmp_path):
    """Open exercises say in recorded mode what they say on an engine, and a build of one's own is not answered."""
    packed = tmp_path / "recording.zip"
    Recording(FOLDER).pack(packed)
    name = "03_builder"
    notebook = read(shelf().folder / f"{name}.ipynb")
    own = {**notebook["cells"][-1], "cell_type": "code", "id": "own", "outputs": [], "execution_count": None}
    own["source"] = ["%%dockerfile mine --new\n", "FROM node:20-alpine\n", "RUN echo mine\n"]
    notebook["cells"].append(own)
    path = tmp_path / f"{name}.ipynb"
    write(path, notebook)
    done = making.replayed(path, name, packed)
    assert done.failures[-1].cell_id == "own"
    for failure in done.failures:  # a stub that can be built is a build of one's own too
        assert "NotRecorded: This was not asked when the course was recorded on" in failure.error
        assert ": the build of " in failure.error
        assert "dmhelpers record" in failure.error
    verdicts = re.findall(r"(?m)^(\d\d-[a-z]) (done|not yet): ", shown_text(done.notebook))
    assert {verdict for _, verdict in verdicts} == {"not yet"}
    assert len(verdicts) >= 2


def test_the_same_recording_is_the_same_file(tmp_path):
    """One file of a recording, made twice, is equal byte for byte, and holds what the folder holds."""
    recording = Recording(FOLDER)
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    recording.pack(one)
    recording.pack(two)
    assert one.read_bytes() == two.read_bytes()
    packed = Recording(one)
    assert packed.manifest == recording.manifest
    assert packed.notebooks() == recording.notebooks()
    assert packed.read(NAMES[0]) == recording.read(NAMES[0])


def test_of_another_version_it_says_so(small_shelf):
    """A notebook whose code is not the recorded one is named; other words and outputs change nothing."""
    name = "05_building_and_measuring"
    path = small_shelf.solution(name)
    notes = {"created": "2026-01-02T03:04:05+00:00", "code": making.code_digest(path)}
    manifest = Recording(FOLDER).manifest
    kept = manifest.with_notebook(name, **notes)
    assert making.stale(small_shelf, kept) == ()
    notebook = read(path)
    notebook["cells"][1]["source"] = ["Other words."]
    write(path, notebook)
    assert making.stale(small_shelf, kept) == ()
    notebook["cells"][4]["source"] = ["guess = 4"]
    write(path, notebook)
    assert making.stale(small_shelf, kept) == (name,)
