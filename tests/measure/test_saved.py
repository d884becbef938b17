"""The reader of `docker save` archives, on archives that the tests write themselves, and on a real engine."""

from __future__ import annotations

import gzip
import json
import sys
import tarfile
import uuid

import pytest

from dmhelpers.errors import ArchiveError, EngineError, ImageNotFound
from dmhelpers.measure.saved import final_files, read_image
from tests.measure.archives import archive, digest_of, final, layer_tar, pack, read


@pytest.mark.parametrize("layout", ["both", "oci", "docker"])
@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_every_layout_and_packing_reads_the_same(layout, packed):
    """A layer reads the same in each layout that engines write, plain or gzip."""
    layers = (layer_tar(("app", None), ("app/a", b"12345")), layer_tar(("app/b", b"123")))
    saved = read(archive(*layers, layout=layout, packed=packed))
    assert [layer.size_bytes for layer in saved.layers] == [5, 3]
    assert [layer.diff_id for layer in saved.layers] == [f"sha256:{digest_of(layer)}" for layer in layers]
    assert {entry.path: entry.layer for entry in final_files(saved)} == {"/app/a": 0, "/app/b": 1}


def test_the_newest_layer_wins():
    """A file that a later layer writes again counts once in the final filesystem, with its new size."""
    data = archive(layer_tar(("a", b"old content")), layer_tar(("./a", b"new")))
    assert final(data) == {"/a": 3}
    assert read(data).size_bytes == 14


def test_a_whiteout_deletes_a_file_and_a_whole_directory():
    """`.wh.name` takes away what lower layers have of that name, directories with all that is in them."""
    lower = layer_tar(("d", None), ("d/x", b"1"), ("dd", b"2"), ("e", b"3"), ("e2", b"4"))
    assert final(archive(lower, layer_tar((".wh.d", b""), (".wh.e", b"")))) == {"/dd": 1, "/e2": 1}


def test_a_whiteout_spares_its_own_layer():
    """What a layer deletes and writes again stands, wherever in the tar its whiteout is."""
    lower = layer_tar(("d", None), ("d/x", b"1"), ("d/y", b"2"))
    upper = layer_tar(("d", None), ("d/z", b"345"), (".wh.d", b""))
    assert final(archive(lower, upper)) == {"/d/z": 3}


def test_an_opaque_directory_hides_what_lies_below():
    """`.wh..wh..opq` empties the directory of older content and keeps the layer's own."""
    lower = layer_tar(("d", None), ("d/x", b"1"), ("d/s", None), ("d/s/y", b"2"), ("dx", b"3"))
    upper = layer_tar(("d", None), ("d/n", b"45"), ("d/.wh..wh..opq", b""))
    assert final(archive(lower, upper)) == {"/d/n": 2, "/dx": 1}


def test_a_file_in_place_of_a_directory_takes_its_content_away():
    """A file or link written where a directory was leaves nothing of what was in it."""
    lower = layer_tar(("d", None), ("d/x", b"1"))
    assert final(archive(lower, layer_tar(("d", (tarfile.SYMTYPE, "/etc"))))) == {"/d": 4}


def test_hard_links_count_once_and_survive_their_first_name():
    """Two names of one file weigh what one does, also after the first name was deleted."""
    lower = layer_tar(("a", b"12345"), ("b", (tarfile.LNKTYPE, "a")))
    assert final(archive(lower)) == {"/a": 5, "/b": 0}
    assert final(archive(lower, layer_tar((".wh.a", b"")))) == {"/b": 5}
    assert final(archive(lower, layer_tar(("a", b"1")))) == {"/a": 1, "/b": 5}


def test_the_same_layer_twice_is_two_layers():
    """Two layers of equal content are one blob in the archive and two layers of the image."""
    layer = layer_tar(("a", b"123"))
    assert [one.size_bytes for one in read(archive(layer, layer)).layers] == [3, 3]


def test_a_linked_layer_of_old_engines_is_followed():
    """Engines up to 24 save a repeated layer as a symbolic link to the first."""
    layer = layer_tar(("a", b"123"))
    config = json.dumps({"rootfs": {"diff_ids": [f"sha256:{digest_of(layer)}"] * 2}}).encode()
    manifest = json.dumps([{"Config": "c.json", "Layers": ["0/layer.tar", "1/layer.tar"]}]).encode()
    files = {"0/layer.tar": layer, "c.json": config, "manifest.json": manifest}
    assert len(read(pack(files, links=[("1/layer.tar", "../0/layer.tar")])).layers) == 2


def test_an_image_without_layers_is_empty():
    """An image FROM scratch that adds nothing has no layer and no file."""
    assert final(archive()) == {}


def test_a_layer_without_entries_is_a_layer():
    """A layer that changes nothing is read as an empty one, not passed over."""
    assert [len(layer.entries) for layer in read(archive(layer_tar())).layers] == [0]


def test_names_of_any_kind_and_length_come_through():
    """Paths with Unicode, spaces and more than 100 characters are read as they are."""
    long = "/".join(["ein längerer Ordner"] * 9) + "/漢字 $x"
    assert final(archive(layer_tar((long, b"1")))) == {f"/{long}": 1}


def test_content_is_kept_only_where_it_was_asked_for():
    """`keep` gives the content of matching files; executables show their first four bytes."""
    layer = layer_tar(("app/package-lock.json", b"{}"), ("app/other.json", b"{}"), ("server", b"\x7fELF0000"))
    saved = read(archive(layer), keep=["*/package-lock.json"])
    kept = {entry.path: (entry.content, entry.head) for entry in final_files(saved)}
    assert kept == {
        "/app/package-lock.json": (b"{}", b"{}"),
        "/app/other.json": (None, b""),
        "/server": (None, b"\x7fELF"),
    }


def damaged_archives():
    """Return archives with one thing wrong in each."""
    good = archive(layer_tar(("a", b"1" * 3000), ("b", b"2" * 3000)))
    packed = archive(layer_tar(("a", bytes(range(256)) * 40)), packed=gzip.compress)
    start = packed.index(b"\x1f\x8b")
    flipped = bytearray(good)
    flipped[good.index(b"1" * 100) + 50] ^= 1
    header = bytearray(good)
    header[good.index(b"2" * 100) - 400] ^= 0x7F
    return {
        "empty": b"",
        "no archive": b"not a tar" * 300,
        "cut in a layer": good[: good.index(b"2" * 100)],
        "cut after the layers": good[: good.index(b"manifests") - 512],
        "a flipped bit": bytes(flipped),
        "a broken header inside a layer": bytes(header),
        "gzip cut short": packed[: start + 40] + bytes(len(packed) - start - 40),
        "a layer missing": archive(layer_tar(("a", b"1")), diff_ids=["sha256:0", "sha256:1"]),
        "no manifest": pack({"a.txt": b"hello"}),
        "manifest of nothing": pack({"manifest.json": b"[]"}),
        "manifest that is no JSON": pack({"manifest.json": b"[{"}),
        "manifest of another shape": pack({"manifest.json": b'{"Config": 1}'}),
    }


@pytest.mark.parametrize("case", damaged_archives())
def test_damaged_input_is_an_error_with_a_cure(case):
    """Whatever is wrong with the archive, the error is the course's own, names the image and ends with a hint."""
    with pytest.raises(ArchiveError, match=r"'trial' cannot be read: .*[a-z]") as caught:
        read(damaged_archives()[case])
    assert str(caught.value).splitlines()[-1] == "Save it once more."


def test_zstd_layers_are_read_where_their_package_is_installed():
    """A layer packed with zstd reads as any other once `zstandard` is installed."""
    zstandard = pytest.importorskip("zstandard")
    assert final(archive(layer_tar(("a", b"123")), packed=zstandard.compress)) == {"/a": 3}


def test_zstd_without_its_package_says_what_to_install(monkeypatch):
    """Without `zstandard`, a zstd layer is an error whose hint is the command that installs it."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(EngineError, match="pip install zstandard"):
        read(archive(layer_tar(), packed=lambda data: b"\x28\xb5\x2f\xfd" + data))


@pytest.fixture
def tiny_image(tmp_path):
    """Give an image of four layers, one file of which a later layer overwrites; it is removed afterwards."""
    from dmhelpers.engine.client import docker_cli

    (tmp_path / "a.txt").write_text("hello\n")
    (tmp_path / "b.txt").write_text("two\n")
    (tmp_path / "Dockerfile").write_text(
        "FROM scratch\nCOPY a.txt /d/a.txt\nCOPY b.txt /d/b.txt\nCOPY b.txt /d/a.txt\nCOPY a.txt /e/\nENV A=1\n"
    )
    tag = f"dmhelpers-test-saved:{uuid.uuid4().hex[:12]}"
    docker_cli(
        ["buildx", "build", "--quiet", "--provenance=false", "--load", "-t", tag, str(tmp_path)], timeout_s=120
    )
    yield tag
    docker_cli(["image", "rm", "--force", tag], timeout_s=120)


@pytest.mark.engine
def test_a_real_image_is_read_through_the_engine(tiny_image):
    """What the engine saves of an image reads back as the files that its Dockerfile copied."""
    saved = read_image(tiny_image)
    assert [layer.size_bytes for layer in saved.layers] == [6, 4, 4, 6]
    assert {entry.path: (entry.size_bytes, entry.layer) for entry in final_files(saved)} == {
        "/d/a.txt": (4, 2),
        "/d/b.txt": (4, 1),
        "/e/a.txt": (6, 3),
    }


@pytest.mark.engine
def test_an_unknown_image_is_said_to_be_unknown():
    """An image that the engine does not have is an ImageNotFound with its name."""
    with pytest.raises(ImageNotFound, match="dmhelpers-test-none:such"):
        read_image("dmhelpers-test-none:such")
