"""Loading on the engine: all or nothing, nobody's image is overwritten, and a second time costs nothing."""

from __future__ import annotations

import io
import json
import tarfile
import uuid
from dataclasses import replace
from hashlib import sha256

import pytest
import zstandard

from dmhelpers.engine import ledger
from dmhelpers.engine.bases import removal
from dmhelpers.engine.bases.shelf import inspect
from dmhelpers.engine.client import api
from dmhelpers.engine.embedded import state
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import PACK, PACK_MIRROR
from dmhelpers.engine.pack import service
from dmhelpers.engine.pack.loading import load
from dmhelpers.engine.pack.records import PackedImage, PackedLayer
from dmhelpers.engine.probe import image_archive
from dmhelpers.errors import NameTaken, PackError

pytestmark = [pytest.mark.engine, pytest.mark.one_store, pytest.mark.usefixtures("unchanged_engine")]


@pytest.fixture
def small(make_pack, monkeypatch, tmp_path):
    """Give a pack with one tiny image of a name that is nobody's, and remove what it loads."""
    monkeypatch.setenv("DMHELPERS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DMHELPERS_HOME", str(tmp_path / "home"))
    platform = engine_info().platform
    name = f"dmhelpers-test-{uuid.uuid4().hex[:8]}:1"
    with tarfile.open(fileobj=io.BytesIO(image_archive(platform.partition("/")[2], name))) as tar:
        parts = {one.name: tar.extractfile(one).read() for one in tar}
    layer, config = parts["layer.tar"], parts[json.loads(parts["manifest.json"])[0]["Config"]]
    diff_id, digest = sha256(layer).hexdigest(), sha256(config).hexdigest()
    packed = PackedLayer(f"layers/{diff_id}.tar.zst", f"sha256:{diff_id}", len(layer))
    image = PackedImage(name, "local", f"sha256:{digest}", (), f"images/{digest}.json", (packed,))
    contents = {packed.path: zstandard.compress(layer), image.config: config, "npm/packuments/a.json.zst": b""}
    contents["npm/packuments/a.json.zst"] = zstandard.compress(b"{}")

    def make(*, layer_bytes=None, **more):
        changed = contents if layer_bytes is None else {**contents, packed.path: zstandard.compress(layer_bytes)}
        return make_pack(changed, images=(image,), platform=more.pop("platform", platform), **more)

    make.image_name = name
    yield make
    loaded = service.recall()
    if loaded is not None:
        service.end(loaded)
    if inspect(name) is not None:
        removal.remove(name)
    assert inspect(name) is None


def images():
    """Return the names and IDs of all images."""
    return sorted((one["Id"], tuple(one.get("RepoTags") or ())) for one in api().images(all=True))


def quiet(file, **more):
    """Load without a word."""
    return load(file, progress=lambda _: None, **more)


def test_load_names_the_mirror_in_the_image(small):
    """The image gets its name, the mirror's variables and labels, not a byte of files, and stands in the ledger."""
    report = quiet(small(), check=False)
    image = inspect(small.image_name)
    loaded = service.recall()
    assert report.fresh
    assert f"NPM_CONFIG_REGISTRY={loaded.mirror}/" in image["Config"]["Env"]
    assert image["Config"]["Labels"][PACK] == loaded.pack_id[:12]
    assert image["Config"]["Labels"][PACK_MIRROR] == loaded.mirror
    assert image["Id"] in ledger.recorded(engine_info().engine_id, "base")
    assert service.answers(loaded.mirror)


def test_the_second_time_only_looks(small, monkeypatch):
    """A pack that is loaded is not loaded again; a mirror that was ended is started at its address."""
    file = small()
    quiet(file, check=False)
    before, loaded = images(), service.recall()
    service.end(loaded)
    assert not service.answers(loaded.mirror)
    monkeypatch.setattr("dmhelpers.engine.pack.archive.Pack.check", lambda *_, **__: pytest.fail("verified again"))
    assert not quiet(file, check=False).fresh
    assert images() == before
    assert service.answers(loaded.mirror)
    assert service.recall().mirror == loaded.mirror


def test_another_mirror_and_none(small, tmp_path):
    """With `--mirror URL` the image names that one, with `off` it is the pack's own image; neither writes to disk."""
    file = small()
    quiet(file, mirror="http://192.0.2.1:4873/", check=False)
    assert not (tmp_path / "home" / "cache" / "packs").exists()
    assert "NPM_CONFIG_REGISTRY=http://192.0.2.1:4873/" in inspect(small.image_name)["Config"]["Env"]
    quiet(file, mirror="off")
    assert not inspect(small.image_name)["Config"].get("Env")
    assert [one[1] for one in images()].count((small.image_name,)) == 1


def test_a_persons_image_is_not_overwritten(small, foreign):
    """Where the engine has an image of that name that the course did not bring, nothing is loaded at all."""
    foreign.image(small.image_name)
    before = images()
    with pytest.raises(NameTaken, match="stays as it is; nothing was loaded"):
        quiet(small(), check=False)
    assert images() == before
    assert service.recall() is None
    foreign.remove()


@pytest.mark.parametrize("cut", [True, False], ids=["cut short", "one byte"])
def test_a_damaged_pack_loads_nothing(small, tmp_path, cut):
    """A pack that is cut short or altered is refused before anything is on the engine, on disk or running."""
    file = small()
    raw = bytearray(file.read_bytes())
    at = raw.rindex(zstandard.compress(b"{}"))
    raw[at + 6] ^= 1
    file.write_bytes(raw[: at + 2] if cut else raw)
    before = images()
    with pytest.raises(PackError, match=r"npm/packuments/a\.json\.zst"):
        quiet(file, check=False)
    assert images() == before
    assert service.recall() is None
    assert not (tmp_path / "home" / "cache" / "packs").exists()


def test_an_image_that_the_engine_refuses_leaves_nothing(small):
    """A layer that is not its diff ID's content is refused by the engine: no image, name or mirror is left."""
    before = images()
    with pytest.raises(PackError, match="The engine did not take the images"):
        quiet(small(layer_bytes=b"\0" * 10240), check=False)
    assert images() == before
    assert service.recall() is None


def test_a_pack_for_another_machine_is_refused(small):
    """A pack for another architecture is refused with both names."""
    with pytest.raises(PackError, match=f"for linux/s390x, and this engine is {engine_info().platform}"):
        quiet(small(platform="linux/s390x"))


def test_a_load_that_was_killed_is_taken_over(small, monkeypatch):
    """A load that ended before the images had their names left a mirror: the next load ends it and takes its port."""
    file = small()
    quiet(file, check=False)
    loaded = service.recall()
    removal.remove(small.image_name)
    service.remember(replace(loaded, images={}))
    assert quiet(file, check=False).fresh
    again = service.recall()
    assert (again.port, again.pid != loaded.pid) == (loaded.port, True)
    assert not state.runs(loaded.pid, loaded.start_ticks)
