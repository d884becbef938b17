"""Reading single files of an image through a container that is never started."""

from __future__ import annotations

import pytest

from dmhelpers.engine import ledger
from dmhelpers.engine.info import engine_info
from dmhelpers.errors import ImageNotFound
from dmhelpers.measure.build import run_build
from dmhelpers.measure.peek import file_content, files_under

pytestmark = pytest.mark.engine


@pytest.fixture
def image(project, unchanged_engine):
    """Build a small image without a command or a shell, with a link in it."""
    folder = project(
        {"Dockerfile": "FROM scratch\nCOPY tree /\n", "tree/app/a.txt": "one", "tree/app/in/b.txt": "three"}
    )
    (folder / "tree" / "app" / "link").symlink_to("in/b.txt")
    (folder / "tree" / "loop").symlink_to("loop")
    return run_build(folder, tag="dmhelpers-test-peek:1").image_id


def test_the_files_of_a_folder_with_their_bytes(image):
    """Files and links below the folder, by absolute path; a folder that is not there has none."""
    assert files_under(image, "/app") == {"/app/a.txt": 3, "/app/in/b.txt": 5, "/app/link": 0}
    assert files_under(image, "/app/in/") == {"/app/in/b.txt": 5}
    assert files_under(image, "/nowhere") == {}
    assert files_under(image, "/").items() >= {("/app/a.txt", 3), ("/app/in/b.txt", 5)}


def test_a_file_s_content_through_links(image):
    """A link leads to its file; a folder, a loop and a missing path have no content."""
    assert file_content(image, "/app/a.txt") == b"one"
    assert file_content(image, "/app/link") == b"three"
    assert [file_content(image, path) for path in ("/app", "/loop", "/none")] == [None, None, None]


def test_no_container_is_left(image):
    """The container that is read through is gone from the engine and from the ledger."""
    files_under(image, "/app/in")
    assert ledger.recorded(engine_info().engine_id, "container") == frozenset()


def test_an_image_that_is_not_there():
    """A name that no image has is the usual error."""
    with pytest.raises(ImageNotFound):
        files_under("dmhelpers-test-nowhere:1", "/app")
