"""Archives of images that the tests write themselves."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

from dmhelpers.engine.streams import as_file
from dmhelpers.errors import ArchiveError
from dmhelpers.measure.archive import damage_is, read_archive
from dmhelpers.measure.filesystem import final_files
from dmhelpers.measure.windows import filler


def layer_tar(*entries):
    """Write a layer: (name, bytes) a file, (name, None) a directory, (name, (type, target)) a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, what in entries:
            info = tarfile.TarInfo(name)
            if what is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif isinstance(what, tuple):
                info.type, info.linkname = what
                tar.addfile(info)
            else:
                info.size = len(what)
                info.mode = 0o755 if what.startswith(b"\x7fELF") else 0o644
                tar.addfile(info, io.BytesIO(what))
    return out.getvalue()


def digest_of(data):
    """Return the SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def pack(files, links=()):
    """Write an archive of these files, symbolic links first."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def layout_files(*layers, layout="both", packed=lambda data: data, diff_ids=None, tags=None, architecture="amd64"):
    """Return the files of an archive: `layout` is "both" (Engine 25 and newer), "oci" or "docker" (24 and older)."""
    diff_ids = diff_ids or [f"sha256:{digest_of(layer)}" for layer in layers]
    config = json.dumps(
        {
            "os": "linux",
            "architecture": architecture,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "config": {},
        }
    ).encode()
    blobs = [packed(layer) for layer in layers]
    if layout == "docker":
        files = {f"{number}/layer.tar": blob for number, blob in enumerate(blobs)}
        files["c.json"] = config
        files["manifest.json"] = json.dumps([{"Config": "c.json", "Layers": list(files)[: len(blobs)]}]).encode()
        return files
    named = {f"blobs/sha256/{digest_of(blob)}": blob for blob in blobs}
    config_name = f"blobs/sha256/{digest_of(config)}"
    layer_names = [f"blobs/sha256/{digest_of(blob)}" for blob in blobs]
    as_digest = "sha256:{}".format
    manifest = json.dumps(
        {
            "config": {"digest": as_digest(digest_of(config))},
            "layers": [{"digest": as_digest(digest_of(blob)), "mediaType": "application/tar"} for blob in blobs],
        }
    ).encode()
    inner = json.dumps({"manifests": [{"digest": as_digest(digest_of(manifest))}]}).encode()
    index = json.dumps({"manifests": [{"digest": as_digest(digest_of(inner))}]}).encode()
    files = {**named, config_name: config, f"blobs/sha256/{digest_of(manifest)}": manifest}
    files |= {f"blobs/sha256/{digest_of(inner)}": inner, "index.json": index, "oci-layout": b"{}"}
    if layout == "both":
        listed = {"Config": config_name, "Layers": layer_names, "RepoTags": tags}
        files["manifest.json"] = json.dumps([listed]).encode()
    return files


def archive(*layers, **options):
    """Write an archive as Docker does; options are those of `layout_files`."""
    return pack(layout_files(*layers, **options))


def read(data, **options):
    """Read the first image of an archive that comes in small chunks."""
    chunks = (data[start : start + 700] for start in range(0, len(data), 700))
    with damage_is(ArchiveError, "'trial' cannot be read", hint="Save it once more."):
        (_, saved), *_ = read_archive(filler(as_file(chunks).readinto), **options)
        return saved


def final(data, **options):
    """Return path to size of the final filesystem."""
    return {entry.path: entry.size_bytes for entry in final_files(read(data, **options))}
