"""A folder is a test case: each sample project's own `verify` must end with 0 and leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dmhelpers.course.sample_info import original, sample_info, samples
from dmhelpers.engine import bases
from dmhelpers.engine.client import api

pytestmark = [pytest.mark.engine, pytest.mark.one_store]


def tags():
    """Return every name of an image on the engine."""
    return {tag for one in api().images() for tag in one.get("RepoTags") or ()}


def run_verify(name, home, **environment):
    """Run a project's verify as a learner would, with a ledger of its own."""
    # Its images may have the IDs of a person's own: in the tests' ledger, their clean-up would take those away.
    return subprocess.run(
        [sys.executable, original(name) / "verify"],
        capture_output=True,
        text=True,
        timeout=1500,
        env={**os.environ, "DMHELPERS_HOME": str(home), **environment},
        check=False,
    )


@pytest.mark.parametrize("name", samples())
def test_verify_ends_well_and_removes_its_images(name, tmp_path):
    """Each project builds, runs, and answers over HTTP; its images are gone afterwards."""
    bases.ensure(sample_info(name).base)
    before = tags()
    done = run_verify(name, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not {tag for tag in tags() - before if ":verify" in tag}


def test_verify_leaves_an_image_of_the_same_name_alone(tmp_path):
    """A person's own image under the tag that verify uses stays, and verify says that it is in the way."""
    bases.ensure(sample_info("go-server").base)
    client = api()
    client.import_image_from_data(b"\0" * 1024, repository="go-server", tag="verify")
    try:
        done = run_verify("go-server", tmp_path)
        assert done.returncode == 1
        assert "did not make" in done.stderr
        assert "Traceback" not in done.stderr
        assert "go-server:verify" in tags()
        assert "go-server:verify-single" not in tags()
    finally:
        client.remove_image("go-server:verify")


def test_verify_without_an_engine_says_what_to_do(tmp_path):
    """Where no engine answers, verify ends with 1 and the cure, not with a traceback."""
    done = run_verify("my-api", tmp_path, DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.returncode == 1
    assert done.stderr.startswith("FAIL  No Docker Engine answers")
    assert "Traceback" not in done.stderr
