"""The patient: what is wrong with it is wrong on purpose, and what is not has to stay well."""

from __future__ import annotations

import json
import runpy

from dmhelpers.course.sample_files import copy
from dmhelpers.course.sample_info import original
from dmhelpers.measure.dockerfile import read_dockerfile

PATIENT = original("patient")
MEGABYTE = 1_000_000


def test_its_faults_are_still_there():
    """Nobody has cured the patient: each fault that the lesson speaks of stands in its Dockerfile, or beside it."""
    build, test, shipped = read_dockerfile(PATIENT).stages
    lines = [one.text for one in build.instructions]
    added, installed = lines.index("ADD . ."), lines.index("RUN npm ci")
    assert added < installed < lines.index("RUN npm run build")
    assert any(one.startswith("ENV UPLOAD_TOKEN=not-a-real-token-") for one in lines)
    assert (shipped.base, test.base) == ("build", "build")
    assert not any(one.name == "USER" for stage in (build, shipped) for one in stage.instructions)
    assert not (PATIENT / ".dockerignore").exists()


def test_it_needs_no_package_that_my_api_does_not_have():
    """Its packages and versions are those of my-api, so a build of it downloads nothing new."""
    mine, other = (
        json.loads((original(name) / "package-lock.json").read_text())["packages"] for name in ("patient", "my-api")
    )
    assert {path: one for path, one in mine.items() if path} == {path: one for path, one in other.items() if path}


def test_its_recordings_are_made_where_they_are_wanted_and_always_the_same(tmp_path):
    """`record` fills a copy with 12 MB, the same bytes at every call; git ignores them."""
    copies = [tmp_path / name for name in ("one", "two")]
    for folder in copies:
        copy(PATIENT, folder)
        made = runpy.run_path(str(folder / "record"))["record"]()
        assert abs(made - 12 * MEGABYTE) < MEGABYTE / 10
    one, two = ({path.name: path.read_bytes() for path in (folder / "recordings").iterdir()} for folder in copies)
    assert one == two
    assert len(one) == 8
    assert "recordings/" in (PATIENT / ".gitignore").read_text().split()
