"""Layers and archives: the same tree gives the same bytes, and what is missing is an error."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from dmhelpers.engine.bases import certificates
from dmhelpers.engine.bases.archive import make_archive, stream, write_layer
from dmhelpers.engine.bases.recipe import recipe
from dmhelpers.engine.bases.tree import (
    Tree,
    folder_entry,
    link_entry,
    read_wheel,
    select,
    text_entry,
    write_tar,
)
from dmhelpers.errors import BaseImageError

TREE: Tree = {
    "/usr/bin/tool": text_entry(b"#!/bin/sh\n", 0o755),
    "/usr/bin/alias": link_entry("tool"),
    "/tmp": folder_entry(0o1777),
    "/home/node": folder_entry(0o755, 1000),
}


def tar_of(tree: Tree) -> bytes:
    """Return the layer's archive."""
    output = io.BytesIO()
    write_tar(tree, output, mtime=1_700_000_000)
    return output.getvalue()


def test_the_order_of_the_tree_does_not_matter() -> None:
    """The archive is sorted: the same files in another order are the same bytes."""
    assert tar_of(TREE) == tar_of(dict(reversed(TREE.items())))


def test_parents_come_first_and_everything_belongs_to_root() -> None:
    """Folders precede what they hold; all entries have one time and, unless the recipe says else, owner 0."""
    with tarfile.open(fileobj=io.BytesIO(tar_of(TREE))) as tar:
        members = tar.getmembers()
    names = [one.name for one in members]
    assert names == ["home", "home/node", "tmp", "usr", "usr/bin", "usr/bin/alias", "usr/bin/tool"]
    assert {one.mtime for one in members} == {1_700_000_000}
    assert {one.name: one.uid for one in members if one.uid} == {"home/node": 1000}
    assert {one.uname for one in members} == {""}


def test_modes_of_a_wheel_become_two(tmp_path: Path) -> None:
    """A program of a wheel is 755, any other file 644, whatever the archive says besides."""
    file = tmp_path / "a.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, mode in (("bin/node", 0o100775), ("lib/a.js", 0o100664)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, name)
    with zipfile.ZipFile(file) as archive:
        tree = read_wheel(archive)
    assert {path: oct(entry.mode) for path, entry in tree.items()} == {"bin/node": "0o755", "lib/a.js": "0o644"}


def test_a_folder_is_moved_with_patterns() -> None:
    """Include and exclude patterns count from the folder that is taken."""
    tree = {path: text_entry(b"") for path in ("lib/a.so.1", "lib/b.so.1", "lib/a.txt", "lib/deep/c.so.1")}
    chosen = select(tree, ("usr/lib", "lib"), "/usr/lib", include=("*.so.1",), exclude=("deep/*",))
    assert sorted(chosen) == ["/usr/lib/a.so.1", "/usr/lib/b.so.1"]


def test_a_single_file_gets_its_new_name() -> None:
    """A file is taken to exactly the place that the recipe names."""
    tree = {"usr/bin/busybox": text_entry(b"")}
    assert list(select(tree, ("bin/busybox", "usr/bin/busybox"), "/bin/busybox")) == ["/bin/busybox"]


def test_a_path_that_a_package_no_longer_has_is_an_error() -> None:
    """A package that was rearranged gives an error with the path, not a broken image."""
    with pytest.raises(BaseImageError, match="usr/bin/gone"):
        select({"usr/bin/other": text_entry(b"")}, ("usr/bin/gone",), "/bin/gone")


def test_the_archive_holds_what_its_manifest_names(tmp_path: Path) -> None:
    """Digests, names and history agree; streaming twice gives the same bytes."""
    read = recipe("node:20-alpine", "amd64")
    layer = write_layer(TREE, "ADD test", tmp_path / "layer.tar", created=read.created)
    image = make_archive(read, (layer,), {"a": "b"})
    whole = b"".join(stream(image))
    assert whole == b"".join(stream(make_archive(read, (layer,), {"a": "b"})))
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        contents = {one.name: tar.extractfile(one).read() for one in tar}
    (manifest,) = json.loads(contents["manifest.json"])
    config = contents[manifest["Config"]]
    assert manifest["RepoTags"] == ["node:20-alpine"]
    assert image.config_digest == f"sha256:{hashlib.sha256(config).hexdigest()}"
    diff_ids = json.loads(config)["rootfs"]["diff_ids"]
    assert diff_ids == [f"sha256:{hashlib.sha256(contents[name]).hexdigest()}" for name in manifest["Layers"]]
    rows = json.loads(config)["history"]
    assert sum(not row.get("empty_layer", False) for row in rows) == len(diff_ids)


def test_the_bundle_joins_the_machines_and_the_named_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificates of the machine and of the variables are joined, each once, without remarks between them."""
    one, two = (f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----" for text in ("b25l", "dHdv"))
    (tmp_path / "machine.pem").write_text(f"# a remark\n{one}\n")
    (tmp_path / "company.pem").write_text(f"{one}\n{two}\n")
    monkeypatch.setattr(certificates, "_PLACES", (str(tmp_path / "none"), str(tmp_path / "machine.pem")))
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(tmp_path / "company.pem"))
    assert certificates.host_bundle().decode() == f"{one}\n{two}\n"
    assert certificates.has_private_certificates()
