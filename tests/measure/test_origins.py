"""Which stage and line a history row comes from: kept by image, and not believed where the rows differ."""

from __future__ import annotations

import pytest

from dmhelpers.measure import origins
from dmhelpers.measure.dockerfile import parse_dockerfile

IMAGE = "sha256:" + "a" * 64
DOCKERFILE = parse_dockerfile("FROM node:20 AS one\nRUN x\nONBUILD RUN fired\nFROM one AS two\nENV A=1\nCOPY a b\n")
ROWS = ["COPY a b # buildkit", "ENV A=1", "RUN |1 X=y /bin/sh -c fired # buildkit", "RUN /bin/sh -c x # buildkit"]
BASE_ROWS = ['CMD ["node"]', "/bin/sh -c #(nop) ADD file:1 in / "]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Keep what is remembered in the test's own folder."""
    monkeypatch.setenv("DMHELPERS_HOME", str(tmp_path))


def places(rows):
    """Return stage and line of each row, None where unknown."""
    return [one and (one.stage, one.line) for one in origins.origins_of(IMAGE, rows)]


def test_rows_are_counted_from_the_newest():
    """The newest rows are the chain's instructions, triggers among them; the base image's rows have no place."""
    origins.remember(IMAGE, DOCKERFILE, DOCKERFILE.find("two"))
    assert places(ROWS + BASE_ROWS) == [("two", 6), ("two", 5), ("two", 3), ("one", 2), None, None]


def test_an_unknown_image_has_no_places():
    """An image that the course did not build has no places."""
    assert places(ROWS) == [None] * 4


@pytest.mark.parametrize("rows", [ROWS[1:], ["RUN x", *ROWS[1:]], [*ROWS[:3], "COPY x"], []])
def test_other_rows_are_not_believed(rows):
    """Where the rows are other instructions than those that were built, no row gets a place."""
    origins.remember(IMAGE, DOCKERFILE, DOCKERFILE.find("two"))
    assert places(rows) == [None] * len(rows)


def test_the_latest_build_counts():
    """Built again from another Dockerfile, an image's places are the newer ones; forgotten, it has none."""
    origins.remember(IMAGE, DOCKERFILE, DOCKERFILE.find("two"))
    moved = parse_dockerfile("# moved\n" + DOCKERFILE.text)
    origins.remember(IMAGE, moved, moved.find("two"))
    assert places(ROWS)[0] == ("two", 7)
    origins.forget(IMAGE)
    origins.forget(IMAGE)
    assert places(ROWS) == [None] * 4
