"""What a tag was built from: known to later processes, replaced by newer builds, bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmhelpers.measure import built as notes
from dmhelpers.measure.built import Built, built_from, remember

TEXT = "FROM scratch AS one\nFROM scratch AS two\n"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Give each test a state folder of its own."""
    monkeypatch.setenv("DMHELPERS_HOME", str(tmp_path))
    return tmp_path


def made(tag, image_id, *, target=None, built_at=1.0):
    """Return a finished build of that tag."""
    return Built(image_id, tag, Path("/somewhere/api"), "Dockerfile", target, TEXT, {"one": "not built"}, built_at)


def test_a_build_is_known_by_its_tag_and_id():
    """What was remembered comes back whole, with the Dockerfile as it was then."""
    remember(made("learner/03-a:latest", "sha256:1", target="one"))
    found = built_from("learner/03-a:latest", "sha256:1")
    assert found == made("learner/03-a:latest", "sha256:1", target="one")
    assert (found.stage.name, found.is_last) == ("one", False)


def test_without_a_target_it_is_the_last_stage():
    """A plain build is of the last stage."""
    assert made("a:b", "sha256:1").stage.name == "two"
    assert made("a:b", "sha256:1").is_last


def test_a_tag_that_moved_to_another_image_is_not_known():
    """The note of an older image says nothing about the one that has the tag now."""
    remember(made("a:b", "sha256:1"))
    assert built_from("a:b", "sha256:2") is None


def test_a_tag_given_by_hand_is_known_by_the_image():
    """An image that got another name with `docker tag` is still what was built, by its newest build."""
    remember(made("a:b", "sha256:1", built_at=1.0))
    remember(made("c:d", "sha256:1", built_at=2.0))
    assert built_from("my:own", "sha256:1").tag == "c:d"
    assert built_from("a:b", "sha256:1").tag == "a:b"


def test_a_damaged_note_is_none(home):
    """A note that cannot be read is the same as none."""
    remember(made("a:b", "sha256:1"))
    for path in (home / "state" / "builds").iterdir():
        path.write_text("{")
    assert built_from("a:b", "sha256:1") is None


def test_only_the_latest_tags_are_kept(home, monkeypatch):
    """Programs that make up tags do not fill the state folder."""
    monkeypatch.setattr(notes, "_KEPT", 3)
    for number in range(6):
        remember(made(f"a:{number}", f"sha256:{number}"))
    assert len(list((home / "state" / "builds").iterdir())) == 3
    assert built_from("a:5", "sha256:5") is not None
