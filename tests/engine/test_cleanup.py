"""`dm.cleanup`: what the course made goes, and nothing else does."""

from __future__ import annotations

import uuid

import pytest

import dmhelpers as dm
from dmhelpers.engine import ledger
from dmhelpers.engine.build_cache import CacheRecord, cache_records
from dmhelpers.engine.cleanup import _not_removed, _still_in_use
from dmhelpers.engine.client import api, docker_cli
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import EngineRefused, NameTaken
from dmhelpers.measure.events import moment
from tests.conftest import let_go_of

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("unchanged_engine")]


@pytest.fixture
def built(project):
    """Build an image of the course and return its build."""
    name = f"dmhelpers-test-{uuid.uuid4().hex[:8]}:one"
    folder = project({"Dockerfile": "FROM scratch AS only\nCOPY a /\n", "a": uuid.uuid4().hex * 1000})
    return dm.build(folder, tag=name, progress="quiet")


def image_ids():
    """Return the IDs of all images on the engine."""
    return {one["Id"] for one in api().images(all=True)}


def test_what_the_course_made_goes(built):
    """Images of the course go, with their build cache; what went is named, with the bytes freed."""
    cleaned = dm.cleanup()
    assert built.tag in cleaned.images
    assert built.image_id not in image_ids()
    assert cleaned.cache_records >= 1
    assert cleaned.freed_bytes >= 32_000
    assert "freed" in str(cleaned)
    assert ledger.recorded(engine_info().engine_id, "image") == frozenset()


def test_a_second_clean_up_finds_nothing(built):
    """Clean-up twice in a row removes nothing the second time, and fails on nothing."""
    dm.cleanup()
    cleaned = dm.cleanup()
    assert (cleaned.containers, cleaned.images, cleaned.volumes, cleaned.networks) == ((), (), (), ())
    assert cleaned.cache_records == 0


def test_an_image_whose_name_was_taken_over_goes_too(built, project):
    """An image of the course that lost its name to a newer one goes as well."""
    folder = project({"Dockerfile": "FROM scratch\nCOPY b /\n", "b": uuid.uuid4().hex})
    dm.build(folder, tag=built.tag, progress="quiet")
    dm.cleanup()
    assert built.image_id not in image_ids()


def test_what_others_built_on_ours_stays(built, foreign, tmp_path):
    """An image that somebody built FROM ours inherits the label, and stays, with its layers; so do its containers."""
    theirs = foreign.built_from(built.tag, tmp_path / "theirs")
    container = foreign.container(theirs)
    before = api().inspect_image(theirs)
    assert before["Config"]["Labels"]["io.dmhelpers.course"] == "1"
    cleaned = dm.cleanup()
    assert built.tag in cleaned.images
    assert api().inspect_image(theirs)["RootFS"] == before["RootFS"]
    assert api().inspect_container(container)["Image"] == before["Id"]


def test_an_image_that_somebody_named_too_stays_under_that_name(built):
    """Our name goes; the name that a person gave the same image stays, with the image, and clean-up says so."""
    client, theirs = api(), f"somebodys-{uuid.uuid4().hex[:8]}"
    client.tag(built.image_id, theirs, "kept")
    try:
        cleaned = dm.cleanup()
        assert client.inspect_image(built.image_id)["RepoTags"] == [f"{theirs}:kept"]
        assert cleaned.images == (built.tag,)
        assert f"{theirs}:kept" in str(cleaned)
    finally:
        client.remove_image(f"{theirs}:kept")


def test_a_name_that_somebody_gave_an_image_of_ours_is_not_taken(built, project):
    """A person's own name for an image of the course is theirs: a build under it is refused."""
    client, theirs = api(), f"somebodys-{uuid.uuid4().hex[:8]}"
    client.tag(built.image_id, theirs, "kept")
    try:
        with pytest.raises(NameTaken, match=theirs):
            dm.build(project({"Dockerfile": "FROM scratch\n"}), tag=f"{theirs}:kept", progress="quiet")
    finally:
        client.remove_image(f"{theirs}:kept")


def test_somebodys_container_of_ours_stays(built, foreign):
    """A container that somebody made from an image of ours is theirs, and stays."""
    container = foreign.container(built.tag)
    cleaned = dm.cleanup()
    assert container not in cleaned.containers
    assert api().inspect_container(container)["Id"] == container


def test_an_unlabelled_image_stays_though_it_stands_in_the_ledger(foreign):
    """The ledger alone does not remove: an image without the label stays."""
    theirs = foreign.image()
    image_id = api().inspect_image(theirs)["Id"]
    ledger.record(engine_info().engine_id, "image", [image_id])
    try:
        assert theirs not in dm.cleanup().images
        assert image_id in image_ids()
    finally:
        ledger.forget(engine_info().engine_id, "image", [image_id])


def test_a_labelled_image_that_the_ledger_does_not_know_stays(built, foreign):
    """The label alone does not remove: somebody else's course on the same engine keeps its images."""
    engine_id = engine_info().engine_id
    ledger.forget(engine_id, "image", [built.image_id])
    try:
        assert built.tag not in dm.cleanup().images
        assert built.image_id in image_ids()
    finally:
        ledger.record(engine_id, "image", [built.image_id])


def test_containers_volumes_and_networks(foreign):
    """Labelled containers, volumes and networks of the ledger go; those that the ledger does not know stay."""
    client, engine_id = api(), engine_info().engine_id
    suffix = uuid.uuid4().hex[:8]
    image = foreign.image()
    container = client.create_container(image, ["/x"], labels=COURSE_LABELS)["Id"]
    volumes = [client.create_volume(f"dmhelpers-{kind}-{suffix}", labels=COURSE_LABELS)["Name"] for kind in "ab"]
    networks = [client.create_network(f"dmhelpers-{kind}-{suffix}", labels=COURSE_LABELS)["Id"] for kind in "ab"]
    ledger.record(engine_id, "container", [container])
    ledger.record(engine_id, "volume", volumes[:1])
    ledger.record(engine_id, "network", networks[:1])
    try:
        cleaned = dm.cleanup()
        assert cleaned.containers == (container,)
        assert cleaned.volumes == (volumes[0],)
        assert cleaned.networks == (networks[0],)
        assert volumes[1] in {one["Name"] for one in client.volumes()["Volumes"]}
        assert networks[1] in {one["Id"] for one in client.networks()}
    finally:
        client.remove_volume(volumes[1])
        client.remove_network(networks[1])


def test_build_cache_of_others_stays(built, tmp_path):
    """Only build cache records that our builds made go; another build's stay."""
    (tmp_path / "b").write_text(uuid.uuid4().hex)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY b /somebodys-own-name\n")
    asked = ["buildx", "build", "--provenance=false", "--output=type=cacheonly", str(tmp_path)]
    docker_cli(asked, timeout_s=120)

    def theirs():
        return {one.record_id for one in let_go_of(lambda one: "somebodys-own-name" in one.description)}

    made = theirs()
    # What an earlier test left, because somebody's image was built on it, may stay.
    [step] = built.record.steps
    newest = {
        one.record_id
        for one in let_go_of(lambda one: step.instruction in one.description and moment(one.created) >= step.started)
    }
    assert made
    assert newest
    dm.cleanup()
    assert theirs() == made
    assert not newest & {one.record_id for one in cache_records()}
    from dmhelpers.engine.build_cache import remove_cache_records

    remove_cache_records(made)


def test_cache_of_a_run_that_a_later_build_exports_goes(project):
    """BuildKit gives a RUN's record a new ID when a second build exports it; clean-up still knows it, by its time."""
    from dmhelpers.engine import bases

    base, mark = "node:20-alpine", uuid.uuid4().hex
    bases.ensure_many([base])
    stages = f"FROM {base} AS tools\nRUN echo {mark} > /made\n\nFROM {base} AS final\nCOPY --from=tools /made /\n"
    folder = project({"Dockerfile": stages})
    name = f"dmhelpers-test-{uuid.uuid4().hex[:8]}"
    dm.build(folder, tag=f"{name}:final", progress="quiet")
    dm.build(folder, tag=f"{name}:tools", target="tools", progress="quiet")
    dm.cleanup()
    assert [one for one in cache_records() if mark in one.description] == []


def test_base_images_stay(shell_project):
    """Base images that the course prepared stay."""
    from dmhelpers.engine import bases

    folder = shell_project("RUN true\n")
    build = dm.build(folder, tag=f"dmhelpers-test-{uuid.uuid4().hex[:8]}:one", progress="quiet")
    before = {one.name: one.present for one in bases.status()}
    cleaned = dm.cleanup()
    assert build.tag in cleaned.images
    assert {one.name: one.present for one in bases.status()} == before


def test_freed_bytes_are_not_counted_twice(shell_project):
    """Layers that stay, such as a base image's, are not counted as freed."""
    folder = shell_project("RUN true\n")
    for number in range(3):
        dm.build(folder, tag=f"dmhelpers-test-{uuid.uuid4().hex[:8]}:{number}", progress="quiet")
    assert dm.cleanup().freed_bytes < 50_000_000


def test_cache_that_the_engine_holds_is_said():
    """Records that the engine does not let go of are counted, with what to do; others that stay are not."""
    held = [CacheRecord(name, "", "regular", "2026-01-01T00:00:00Z", 1, in_use=name != "c") for name in "abc"]
    [said] = _still_in_use(held)
    assert said.startswith("2 build cache records")
    assert "restart" in said
    assert _still_in_use(held[2:]) == ()


def test_what_could_not_be_removed_is_told_with_its_cure():
    """On a full disk the cure is room and a restart, else what the engine's own error says to do."""
    full = _not_removed("a:1", EngineRefused("It said: no space left on device", hint="x"))
    assert full.startswith("a:1: It said: no space left on device Make room")
    assert "restart the engine" in full
    assert _not_removed("a:1", EngineRefused("It is away.", hint="Start it.")) == "a:1: It is away. Start it."
