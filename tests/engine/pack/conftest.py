"""Small packs made of a few bytes, whole and damaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dmhelpers.engine.pack.archive import measured, write
from dmhelpers.engine.pack.records import Manifest, PackedImage

EMPTY = Manifest("0.1.0", "2026-01-02T03:04:05+00:00", "linux/amd64", ("3.12",), (), (), (), ())
CONTENTS = {
    "course/README.md": b"read me\n",
    "npm/tarballs/tiny/-/tiny-1.0.0.tgz": b"packed" * 1000,
    "wheels/tiny-1.0-py3-none-any.whl": bytes(range(256)) * 20,
}

MakePack = Callable[..., Path]


@pytest.fixture
def make_pack(tmp_path: Path) -> MakePack:
    """Write a pack of these contents: `make_pack({"wheels/a.whl": b"…"}, name="other.tar")`."""

    def make(
        contents: Mapping[str, bytes] = CONTENTS,
        *,
        name: str = "pack.tar",
        images: tuple[PackedImage, ...] = (),
        platform: str = EMPTY.platform,
    ) -> Path:
        files = {}
        for number, (path, content) in enumerate(sorted(contents.items())):
            files[path] = tmp_path / f"member-{number}"
            files[path].write_bytes(content)
        members = tuple(measured(path, files[path]) for path in sorted(files))
        write(tmp_path / name, replace(EMPTY, members=members, images=images, platform=platform), files)
        return tmp_path / name

    return make
