"""Which answer a question gets, and that none is made up."""

from __future__ import annotations

import pytest

from dmhelpers.engine.recorded.replaying import Player
from dmhelpers.engine.recorded.store import Exchange, Manifest, Recording
from dmhelpers.errors import EngineUnavailable, InputError, NotRecorded

MANIFEST = Manifest("2026-01-02T03:04:05+00:00", "26.1.5", "overlay2", "linux/amd64", "1.45", "0.1.0")


@pytest.fixture
def played(tmp_path):
    """Make a recording of notebooks and return a player of it."""

    def make(notebook="", **notebooks):
        recording = Recording(tmp_path)
        recording.write_manifest(MANIFEST)
        for name, exchanges in notebooks.items():
            recording.write(name, exchanges)
        return Player(recording, notebook)

    return make


def test_a_question_gets_its_answers_in_their_order_and_then_the_last(played):
    """The same question twice is the next answer; when there is no next one, the last stays true."""
    player = played(a=[Exchange("http", "q", number) for number in (1, 2)])
    assert [player.answer("http", "q") for _ in range(3)] == [1, 2, 2]


def test_after_a_build_the_answers_are_those_after_it(played):
    """A build that is done again, or out of order, is followed by what was answered after it then."""
    log = [
        Exchange("http", "state", "none"),
        Exchange("build", "b1", 0),
        Exchange("http", "state", "after b1"),
        Exchange("build", "b2", 0),
        Exchange("http", "state", "after b2"),
    ]
    player = played(a=log)
    player.answer("build", "b2")
    assert player.answer("http", "state") == "after b2"
    player.answer("build", "b1")
    assert player.answer("http", "state") == "after b1"


def test_a_tag_that_means_another_image_is_not_answered_for(played):
    """What was asked of one image is never the answer for another that has its name now."""
    log = [Exchange("create", "run", number, images={"a:1": f"sha256:{number}"}) for number in (1, 2)]
    player = played(a=log)
    player.tags["a:1"] = "sha256:2"
    assert player.answer("create", "run") == 2
    player.tags["a:1"] = "sha256:3"
    with pytest.raises(NotRecorded):
        player.answer("create", "run")


def test_what_was_not_recorded_says_what_to_do(played):
    """The error names what was asked, when the recording was made, and as its last line what to do."""
    with pytest.raises(NotRecorded) as caught:
        played(a=[]).answer("build", "b", asked="the build of x:1")
    message, hint = str(caught.value).splitlines()
    assert "the build of x:1" in message
    assert "recorded on 2026-01-02 with Docker Engine 26.1.5 (linux/amd64)" in message
    assert "dmhelpers record" in hint
    assert isinstance(caught.value, EngineUnavailable)


def test_the_notebook_is_found_by_what_it_builds(played):
    """Without a name, the log that knows the question answers; what both know is taken as done in it."""
    player = played(
        a=[Exchange("build", "b", "a"), Exchange("http", "q", 1)],
        b=[Exchange("build", "b", "b"), Exchange("http", "q", 2), Exchange("build", "only b", 0)],
    )
    assert player.answer("build", "b") == "a"
    player.answer("build", "only b")
    assert player.answer("http", "q") == 2


def test_a_named_notebook_is_not_answered_from_another(played):
    """Where the notebook is known, another notebook's log is not looked into."""
    player = played("work/a.ipynb", a=[], b=[Exchange("http", "q", 1)])
    with pytest.raises(NotRecorded):
        player.answer("http", "q")


def test_time_passes_as_it_did(played):
    """The clock of recorded mode goes by what the engine took, not by how quickly it is told again."""
    player = played(a=[Exchange("build", "b", 0, 12.5)])
    player.answer("build", "b")
    assert player.passed_s == 12.5


def test_a_folder_without_a_recording_says_how_to_make_one(tmp_path):
    """No recording, or a damaged one, is an error with its cure."""
    for text in (None, "{", '{"form": 1}'):
        if text is not None:
            (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(InputError, match="dmhelpers record"):
            Player(Recording(tmp_path))


def test_large_answers_are_kept_once(tmp_path):
    """Equal bytes are one file; what no log names any more goes."""
    recording = Recording(tmp_path)
    data = bytes(range(256)) * 200
    kept = recording.keep(data)
    assert recording.keep(data) == kept
    assert recording.bytes_of(kept) == data
    assert [recording.bytes_of(recording.keep(one)) for one in (b"a", b"\xff")] == [b"a", b"\xff"]
    recording.write("a", [Exchange("http", "q", kept)])
    recording.drop_unused()
    assert recording.bytes_of(kept) == data
    recording.write("a", [])
    recording.drop_unused()
    assert list((tmp_path / "blobs").iterdir()) == []
