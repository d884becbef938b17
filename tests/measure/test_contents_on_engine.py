"""What is in an image, on images of different make: held against the engine's own history and export."""

from __future__ import annotations

import tarfile
import uuid

import pytest

from dmhelpers.engine import bases
from dmhelpers.engine.client import api
from dmhelpers.engine.created import unstarted
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.streams import as_file
from dmhelpers.measure import saved
from dmhelpers.measure.contents import contents_of
from dmhelpers.measure.images import image_id_of, read_history
from dmhelpers.show.builds import build
from tests.measure.makes import MAKES

pytestmark = pytest.mark.engine
BLOCK_BYTES = 4096
PUT_IN = frozenset({"/.dockerenv", "/dev/console", "/etc/hostname", "/etc/hosts", "/etc/mtab", "/etc/resolv.conf"})
"""What the engine puts into a container, and so into an export, beside the image's own files."""


@pytest.fixture(scope="module")
def images(tmp_path_factory, home):
    """Build every image once."""
    from dmhelpers.engine.cleanup import cleanup

    bases.ensure_many(["node:20-alpine"])
    made = {}
    for name, files in MAKES.items():
        folder = tmp_path_factory.mktemp("make")
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        made[name] = build(folder, tag=f"dmhelpers-test-{uuid.uuid4().hex[:8]}:make").tag
    yield made
    cleanup()


def exported(image):
    """Return what a container of an image has, by the engine's own export: path to type."""
    with unstarted(image) as container_id:
        stream = as_file(api().export(container_id))
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            return {"/" + one.name.strip("/"): one for one in archive if one.name.strip("/.")}


@pytest.mark.parametrize("name", MAKES)
def test_files_are_those_of_the_flattened_filesystem(images, name):
    """The files are exactly those that the engine exports, with their sizes; an export adds only the engine's own."""
    there = exported(images[name])
    found = contents_of(images[name])
    ours = set(found.paths)
    theirs = {path for path, member in there.items() if not member.isdir()}
    assert theirs - ours - PUT_IN == set()
    assert ours - theirs == set()
    sizes = {path: member.size for path, member in there.items() if member.isreg()}
    inodes = {path for path, kind in zip(found.paths, found.types, strict=True) if kind == "file"}
    names_of_one = {member.linkname for member in there.values() if member.islnk()}
    ordinary = [path for path in inodes if path in sizes and path.lstrip("/") not in names_of_one]
    by_path = dict(zip(found.paths, found.sizes, strict=True))
    assert {path: by_path[path] for path in ordinary} == {path: sizes[path] for path in ordinary}


@pytest.mark.parametrize("name", MAKES)
def test_sums_by_layer_are_those_of_the_history(images, name):
    """Each layer's bytes are those of its row in the history, within what the image store rounds."""
    found = contents_of(images[name])
    rows = list(reversed(read_history(images[name]).layers))
    config = api().inspect_image(images[name])
    assert len(found.by_layer) == len(config["RootFS"].get("Layers") or ())
    told = iter(rows)
    for layer, entries in zip(found.by_layer, saved.read_image(images[name]).layers, strict=True):
        row = next(one for one in told if one.created_by == layer.created_by)
        assert (row.stage, row.line) == (layer.stage, layer.line)
        links = sum(one.size_bytes for one in entries.entries if one.type == "symlink")
        if engine_info().store == "containerd":
            blocks = BLOCK_BYTES * (len(entries.entries) + len(entries.whiteouts) + 8)
            assert -BLOCK_BYTES <= row.size_bytes - layer.size_bytes + 2 * links <= blocks + 2 * links
        else:
            assert layer.size_bytes - links <= row.size_bytes <= layer.size_bytes
    assert sum(found.sizes) + found.wasted_bytes == found.size_bytes


@pytest.mark.parametrize("name", MAKES)
def test_storage_and_stream_say_the_same(images, name):
    """What is read in the engine's own storage is, entry for entry, what its `docker save` stream holds."""
    image_id = image_id_of(images[name])
    streamed = saved._from_stream(image_id, name, ("*/a", "*.txt"))
    stored = saved._from_storage(image_id, ("*/a", "*.txt"))
    if engine_info().store == "overlay2":
        assert stored is not None
    assert stored is None or stored.layers == streamed.layers
    assert [layer.diff_id for layer in streamed.layers] == api().inspect_image(image_id)["RootFS"].get("Layers", [])
