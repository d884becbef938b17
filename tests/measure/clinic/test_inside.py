"""What a build shows, on a real engine: bytes, seconds and the user; and that nothing of it is left."""

from __future__ import annotations

import io
import json
import re
import tarfile
import uuid
from dataclasses import asdict

import pytest

from dmhelpers.errors import BaseImageError, BuildFailed
from dmhelpers.measure.clinic import examine, inside
from dmhelpers.measure.clinic.context import read_context
from dmhelpers.measure.clinic.inside import read_measured
from dmhelpers.measure.clinic.subject import Subject
from dmhelpers.measure.dockerfile import read_dockerfile
from dmhelpers.measure.entries import FileEntry, SavedImage, SavedLayer
from dmhelpers.measure.records import BuildRecord
from tests.measure.clinic.test_cases import copy_of, expected_of
from tests.measure.clinic.test_examine import fingerprint

MADE_UP = """
    FROM example.com/base:1
    WORKDIR /app
    COPY . .
    RUN npm ci
    CMD ["node", "a.js"]
    """
ROWS = ["base", "WORKDIR /app", "COPY . . # buildkit", "RUN /bin/sh -c npm ci # buildkit", 'CMD ["node" "a.js"]']


def subject_of(folder):
    """Return what the checks look at, for a folder with a Dockerfile."""
    dockerfile = read_dockerfile(folder)
    return Subject(dockerfile, dockerfile.find(None), read_context(folder, "Dockerfile"))


def saved_image(rows, user=""):
    """Return an image of four layers, the first of them the base's, with these history rows."""
    files = ("/usr/bin/x", "/app/.dir", "/app/src/a.ts", "/root/.npm/_cacache/x")
    sizes = (1000, 0, 20, 300_000)
    layers = tuple(
        SavedLayer(f"sha256:{at}", (FileEntry(path, size, "file", layer=at),))
        for at, (path, size) in enumerate(zip(files, sizes, strict=True))
    )
    history = [{"created_by": row, "empty_layer": row.startswith("CMD")} for row in rows]
    return SavedImage(layers, {"config": {"User": user}, "history": history})


def record_of(steps=()):
    """Return the record of a build."""
    return BuildRecord("sha256:1", "clinic/x:1", "stage-0", "docker build .", 1.0, steps, (), "", (), "names")


def test_layers_are_told_by_counting_from_the_end(project):
    """The last rows of the history are the Dockerfile's instructions; what stands before them is the base's."""
    measured = read_measured(subject_of(project({"Dockerfile": MADE_UP})), record_of(), saved_image(ROWS, "node"))
    assert sorted(measured.layers) == [2, 3, 4]
    assert [(one.kind, one.size_bytes) for one in measured.layers[4]] == [("package-manager caches", 300_000)]
    assert {one.kind: one.size_bytes for one in measured.summary.kinds}["base image"] == 1000
    assert [(one.kind, one.size_bytes) for one in measured.left] == [
        ("package-manager caches", 300_000),
        ("sources", 20),
    ]
    assert measured.user == "node"


@pytest.mark.parametrize("rows", [ROWS[:1] + ROWS[2:], [*ROWS[:3], "COPY x y", ROWS[4]], ROWS[1:], []])
def test_nothing_is_claimed_where_the_history_differs(project, rows):
    """A history that does not end with the Dockerfile's instructions gives no layer a line."""
    measured = read_measured(subject_of(project({"Dockerfile": MADE_UP})), record_of(), saved_image(rows))
    assert measured.layers == {}


def with_heavy_tool(folder):
    """Give the Node case the development package that its lock file names, and a file that no cache knows."""
    (folder / "vendor").mkdir()
    with tarfile.open(folder / "vendor" / "heavy-tool-1.0.0.tgz", "w:gz") as archive:
        for name, raw in (
            ("package.json", b'{"name":"heavy-tool","version":"1.0.0"}'),
            ("heavy.js", b"0" * 3_000_000),
        ):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    (folder / "src" / "new.js").write_text(f"// {uuid.uuid4()}\n")
    return folder


def images_of_the_clinic():
    """Return the names of images that the clinic gave and did not take away."""
    from dmhelpers.engine.client import get_json

    names = [name for one in get_json("/images/json") for name in one.get("RepoTags") or ()]
    return [name for name in names if name.startswith("clinic/clinic-test-")]


@pytest.fixture
def built(tmp_path, unchanged_engine):
    """Copy a case under a name of this test's own, and examine it with a build; nothing of the project may change."""

    def build(name, prepare=lambda folder: folder, file="Dockerfile"):
        folder = tmp_path / f"clinic-test-{name}"
        if not folder.exists():
            prepare(copy_of(name, folder))
        before = fingerprint(folder)
        diagnosis = examine(folder, file=file, build=True)
        assert fingerprint(folder) == before
        assert images_of_the_clinic() == []
        return folder, diagnosis

    return build


@pytest.mark.engine
@pytest.mark.one_store
@pytest.mark.parametrize("name", ["node-good", "go-good"])
def test_a_good_one_is_good_inside_too(built, name):
    """Built and looked into, a good Dockerfile gets no advice, and its image is measured."""
    _, found = built(name)
    assert found.advice == ()
    assert found.image.size_bytes >= sum(one.size_bytes for one in found.image.kinds) > 0


@pytest.mark.engine
@pytest.mark.one_store
def test_a_poor_node_project_is_measured(built):
    """What a second stage would leave is measured by kind, the install is timed, an empty cache is no advice."""
    folder, found = built("node-single-stage", with_heavy_tool)
    by_rule = {one.rule: one for one in found.advice}
    wanted = {one["rule"]: one["line"] for one in expected_of("node-single-stage")["advice"]}
    del wanted["package-cache"]  # npm keeps no cache of a package that came from a file
    assert {one.rule: one.line for one in found.advice} == wanted
    assert 3_000_000 <= by_rule["dev-dependencies"].evidence_bytes < 3_100_000
    assert by_rule["single-stage"].evidence_bytes > by_rule["dev-dependencies"].evidence_bytes
    assert "Measured: 3MB of dev dependencies" in by_rule["single-stage"].evidence
    assert 0 < by_rule["cache-order"].evidence_s < 900
    assert re.search(r"Line 5 took \d", by_rule["cache-order"].evidence)

    (folder / "Dockerfile.split").write_text(found.split)
    _, split = built("node-single-stage", file="Dockerfile.split")
    assert split.image.size_bytes <= found.image.size_bytes - 3_000_000
    assert {one.rule for one in split.advice} == {"cache-order"}


@pytest.mark.engine
@pytest.mark.one_store
def test_a_poor_go_project_is_measured(built):
    """The toolchain of the base counts as left behind, and what only the image shows is found; the split builds."""
    folder, found = built("go-single-stage")
    by_rule = {one.rule: one for one in found.advice}
    wanted = {one["rule"]: one["line"] for one in expected_of("go-single-stage")["advice"]}
    assert {one.rule: one.line for one in found.advice} == {**wanted, "package-cache": 4}
    assert by_rule["build-tools"].evidence_bytes > 100_000_000
    assert by_rule["single-stage"].evidence_bytes > by_rule["build-tools"].evidence_bytes
    assert by_rule["package-cache"].evidence_bytes > 1_000_000
    assert found.advice[0].rule == "single-stage"

    (folder / "Dockerfile.split").write_text(found.split)
    _, split = built("go-single-stage", file="Dockerfile.split")
    assert split.image.size_bytes < 10_000_000
    assert {one.severity for one in split.advice} <= {"medium", "low"}


@pytest.mark.engine
@pytest.mark.one_store
def test_a_build_that_fails_leaves_nothing_and_tells_no_secret(project, unchanged_engine):
    """A failing step is the build's own error with its line, without the secret that the step held."""
    name = f"clinic-test-{uuid.uuid4().hex[:8]}"
    text = "FROM node:20-alpine\nENV API_TOKEN=tok3n-of-mine\nRUN echo tok3n-of-mine $API_TOKEN && exit 3\n"
    with pytest.raises(BuildFailed) as caught:
        examine(project({"Dockerfile": text}, name=name), build=True)
    assert (caught.value.line, caught.value.exit_code) == (3, 3)
    assert "tok3n" not in str(caught.value) + caught.value.log + "".join(map(str, caught.value.args))
    assert images_of_the_clinic() == []


@pytest.mark.engine
@pytest.mark.one_store
def test_the_image_goes_when_the_look_inside_is_interrupted(project, unchanged_engine, monkeypatch):
    """Ctrl-C while the image is read removes it all the same."""
    seen = []

    def interrupted(*_, **__):
        seen.extend(images_of_the_clinic())
        raise KeyboardInterrupt

    monkeypatch.setattr(inside, "read_image", interrupted)
    text = "FROM node:20-alpine\nCOPY a /a\nUSER node\n"
    with pytest.raises(KeyboardInterrupt):
        examine(project({"Dockerfile": text, "a": uuid.uuid4().hex}, name="clinic-test-stop"), build=True)
    assert len(seen) == 1
    assert images_of_the_clinic() == []


@pytest.mark.engine
@pytest.mark.one_store
def test_a_base_that_cannot_be_had(project, unchanged_engine):
    """A base image that no registry gives is an error of the tree."""
    with pytest.raises((BaseImageError, BuildFailed)) as caught:
        examine(project({"Dockerfile": "FROM localhost:1/none:1\nUSER 1\n"}, name="clinic-test-none"), build=True)
    assert caught.value.hint


@pytest.mark.engine
@pytest.mark.one_store
def test_the_image_says_whom_it_runs_as(project, foreign, unchanged_engine):
    """Of an unknown base only the built image tells that root is left; the person's own images stay."""
    base = foreign.image()
    own = foreign.image(f"clinic/clinic-own-{uuid.uuid4().hex[:8]}:latest")
    files = {"Dockerfile": f"FROM {base}\nCOPY a /a\n", "a": "1"}
    folder = project(files, name=own.partition("/")[2].partition(":")[0])
    assert examine(folder).advice == ()
    found = examine(folder, build=True)
    assert [(one.line, one.rule) for one in found.advice] == [(1, "root-user")]
    assert {base, own} <= set(foreign.names)
    from dmhelpers.measure.images import image_id_of

    assert image_id_of(own) != image_id_of(base)
    assert json.loads(json.dumps(asdict(found)))["image"]["size_bytes"] > 0
