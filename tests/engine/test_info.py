"""What the engine is: versions, image store, the course's minimum."""

from __future__ import annotations

import dataclasses

import pytest

from dmhelpers.engine import info
from dmhelpers.engine.client import api
from dmhelpers.engine.info import engine_info, store_of, version_pair
from dmhelpers.errors import EngineTooOld


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("26.1.5+dfsg1", (26, 1)),
        ("v0.13.1", (0, 13)),
        ("23.0", (23, 0)),
        ("", (0, 0)),
        ("dev", (0, 0)),
        ("29.1.0-rc.2", (29, 1)),
    ],
)
def test_versions(text, pair):
    """A version is compared by its first two numbers; what has none is older than any."""
    assert version_pair(text) == pair


@pytest.mark.parametrize(
    ("driver", "status", "store"),
    [
        ("overlay2", [["Backing Filesystem", "extfs"], ["Supports d_type", "true"]], "overlay2"),
        ("overlayfs", [["driver-type", "io.containerd.snapshotter.v1"]], "containerd"),
        ("overlayfs", [["driver-type", "io.containerd.snapshotter"]], "containerd"),
        ("overlay2", [["driver-type", "io.containerd.snapshotter.v1"]], "containerd"),
        ("btrfs", [["Library Version", "102"]], "other"),
        ("vfs", [], "other"),
    ],
)
def test_image_stores(driver, status, store):
    """The image store is containerd's where the engine names its snapshotter, else the classic one by its driver."""
    assert store_of(driver, status) == store


@pytest.mark.engine
def test_this_engine():
    """What is told of the engine is what it says of itself."""
    found, said = engine_info(), api().info()
    assert (found.engine_id, found.version) == (said["ID"], said["ServerVersion"])
    assert found.platform in ("linux/amd64", "linux/arm64")
    assert found.store in ("overlay2", "containerd", "other")
    assert found.buildx >= info.MINIMUM_BUILDX
    assert found.api_version >= (1, 42)
    assert found.memory_bytes > 10**8


@pytest.mark.engine
def test_it_is_asked_once(monkeypatch):
    """The engine is asked once; after `forget_info` again."""
    first = engine_info()
    assert engine_info() is first
    info.forget_info()
    assert engine_info() is not first


@pytest.mark.engine
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "20.10.24"}, "Docker Engine 20.10.24; the course needs 23.0"),
        ({"buildx": (0, 12), "buildx_version": "0.12.1"}, "buildx 0.12.1; the course builds with buildx 0.13"),
        ({"buildx": (0, 0), "buildx_version": ""}, "no buildx; the course"),
    ],
)
def test_what_is_too_old_is_refused(changes, words):
    """An engine or a buildx below the minimum is refused with both versions and the way to a newer one."""
    with pytest.raises(EngineTooOld, match=words) as caught:
        info._require_minimum(dataclasses.replace(engine_info(), **changes))
    assert caught.value.hint.startswith(("Update Docker", "Install the buildx"))


@pytest.mark.engine
def test_the_minimum_is_enough():
    """The minimum itself is not refused."""
    info._require_minimum(dataclasses.replace(engine_info(), version="23.0.0", buildx=(0, 13)))
