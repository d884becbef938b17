"""An engine that loses a layer while it stores an image: what is half stored goes, and the build is run once more."""

from __future__ import annotations

import uuid
from contextlib import suppress

import docker.errors
import pytest

from dmhelpers.engine.client import api
from dmhelpers.engine.info import engine_info
from dmhelpers.measure import build, outcome
from dmhelpers.measure.build_plan import inspected
from dmhelpers.measure.events import Progress
from dmhelpers.measure.images import list_images

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("unchanged_engine")]

TAG = "dmhelpers-test-half:1"
LOST = (
    'failed to prepare extraction snapshot "extract-747183107-YklL sha256:8d4d4672": parent snapshot sha256:2e8217da '
    "does not exist: not found"
)
"""What Engine 26.1.5 said on containerd's store, under load, as other images were removed; digests shortened."""


@pytest.fixture
def fresh(project):
    """Write a project whose image is a new one each time."""
    return lambda: project({"Dockerfile": "FROM scratch\nCOPY fresh /\n", "fresh": uuid.uuid4().hex})


def failed(error: str) -> Progress:
    """Return the progress of a build whose export ended with this error."""
    progress = Progress()
    progress.feed({"vertexes": [{"digest": "sha256:1", "name": "exporting to image", "error": error}]})
    return progress


def test_what_is_half_stored_loses_its_name(fresh):
    """The image that stands under the name is removed, so that the next build is not refused because of it."""
    build.run_build(fresh(), tag=TAG)
    with pytest.raises(outcome.HalfStored, match="lost a layer"):
        outcome.require_stored(failed(LOST), engine_info(), tag=TAG, replaced_id=None)
    assert inspected(TAG) is None
    assert list_images(TAG) == ()


@pytest.mark.one_store
def test_the_image_of_before_has_its_name_again(fresh):
    """Where the name was the course's before, the image that had it has it again."""
    before = build.run_build(fresh(), tag=TAG).image_id
    build.run_build(fresh(), tag=TAG)
    with pytest.raises(outcome.HalfStored):
        outcome.require_stored(failed(LOST), engine_info(), tag=TAG, replaced_id=before)
    assert inspected(TAG)["Id"] == before


def test_an_image_of_before_that_is_gone_is_no_further_fault(fresh):
    """Where the engine kept no image that had the name before, the half-stored one goes all the same."""
    before = build.run_build(fresh(), tag=TAG).image_id
    build.run_build(fresh(), tag=TAG)
    with suppress(docker.errors.ImageNotFound):
        api().remove_image(before, force=True)
    with pytest.raises(outcome.HalfStored):
        outcome.require_stored(failed(LOST), engine_info(), tag=TAG, replaced_id=before)
    assert inspected(TAG) is None


def test_another_failure_is_none_of_it(fresh):
    """A build that failed for another reason is not taken for this, and no image is touched."""
    made = build.run_build(fresh(), tag=TAG).image_id
    outcome.require_stored(failed("exit code: 1"), engine_info(), tag=TAG, replaced_id=None)
    assert inspected(TAG)["Id"] == made


def test_the_build_is_run_once_more_and_no_more(fresh, monkeypatch):
    """The first time it is said and built again; the second time it is the build's own failure."""
    real, tries, said = build._build, [], []

    def losing(times):
        def once(*args):
            tries.append(1)
            if len(tries) <= times:
                outcome.require_stored(failed(LOST), engine_info(), tag=TAG, replaced_id=None)
            return real(*args)

        return once

    monkeypatch.setattr(build, "_build", losing(1))
    assert build.run_build(fresh(), tag=TAG, say=said.append).image_id == inspected(TAG)["Id"]
    assert (len(tries), [one for one in said if "once more" in one] != []) == (2, True)
    tries.clear()
    monkeypatch.setattr(build, "_build", losing(2))
    with pytest.raises(outcome.HalfStored):
        build.run_build(fresh(), tag=TAG)
    assert len(tries) == 2
