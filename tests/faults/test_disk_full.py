"""An engine whose disk runs full: told as that, wherever it happens, and the cure makes room again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

import dmhelpers as dm
from dmhelpers.engine import bases
from dmhelpers.engine.client import api, docker_cli
from dmhelpers.engine.embedded import PrivateEngine, start
from dmhelpers.errors import BaseImageError, BuildFailed, EngineError
from dmhelpers.measure.build_plan import inspected

pytestmark = [pytest.mark.private_engine, pytest.mark.usefixtures("broken_engine")]

TAG = "faults-full:1"
DISK_BYTES = 200_000_000
CURE = "dmhelpers cleanup.*docker system df|docker system df.*dmhelpers cleanup"


@pytest.fixture(scope="module")
def own_engine() -> Iterator[PrivateEngine]:
    """Start an engine on a disk of 200 MB: a loop-mounted file that goes with it."""
    with PrivateEngine(disk_bytes=DISK_BYTES) as engine:
        yield engine


@pytest.fixture(autouse=True)
def room_again(broken_engine, project, watch) -> Iterator[None]:
    """Hold that the cure works: make a little room by hand, `dm.cleanup()`, and a build works again.

    A disk without one free byte lets BuildKit remove nothing: a person's file of 4 MB is the room.
    """
    file = str(broken_engine.data_root / "persons-file")
    broken_engine.run_inside(["fallocate", "--length", "4MiB", file])
    yield
    broken_engine.run_inside(["rm", "--force", file])

    def all_is_cleaned() -> bool:
        kept = dm.cleanup().kept
        assert all("still counts it as in use" in one for one in kept), kept
        return not kept

    watch.until(all_is_cleaned, "the engine to let go of its build cache")
    watch.until(lambda: used_bytes(broken_engine) < 50_000_000, "the engine to give the space back")
    small = project({"Dockerfile": "FROM shell:1\nRUN dd if=/dev/zero of=/ten bs=1M count=10\n"}, name="small")
    assert list(dm.build(small, tag=TAG).stages["state"]) == ["ran"]


def used_bytes(engine: PrivateEngine) -> int:
    """Return the bytes in use on the engine's disk."""
    # The engine holds the file of a broken transfer open until its garbage is collected: requests bring that about.
    for _ in range(20):
        api().info()
    return int(engine.run_inside(["df", "--output=used", "--block-size=1", str(engine.data_root)]).split()[-1])


def test_run_that_fills_the_disk(project, explained) -> None:
    """A RUN that writes more than there is room for is told as a full disk, with its line."""
    with explained(BuildFailed, "disk ran full", "line 2", cure=CURE) as caught:
        dm.build(project({"Dockerfile": "FROM shell:1\nRUN dd if=/dev/zero of=/big bs=1M count=400\n"}), tag=TAG)
    assert caught.value.line == 2
    assert docker_cli(["images", "--quiet", TAG], timeout_s=120).stdout == ""


def test_context_that_fills_the_disk(project, explained) -> None:
    """A build context that does not fit on the engine's disk is told as that, with what to leave out."""
    folder = project({"Dockerfile": "FROM scratch\nCOPY big /\n"})
    with (folder / "big").open("wb") as file:
        file.truncate(2 * DISK_BYTES)
    with explained(BuildFailed, "disk ran full while", cure=r"\.dockerignore.*dmhelpers cleanup"):
        dm.build(folder, tag=TAG)


def test_copy_between_stages_that_fills_the_disk(project, explained) -> None:
    """A COPY of what just fitted once is told with its own line."""
    with explained(BuildFailed, "disk ran full", "line 4", cure=CURE) as caught:
        dm.build(
            project(
                {
                    "Dockerfile": """
                    FROM shell:1 AS builder
                    RUN dd if=/dev/zero of=/big bs=1M count=120
                    FROM shell:1 AS runtime
                    COPY --from=builder /big /big
                    """
                }
            ),
            tag=TAG,
        )
    assert caught.value.stage == "runtime"


def test_base_image_that_does_not_fit(explained, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base image that the engine has no room for is told as that, and leaves no half of itself."""
    monkeypatch.setenv("DMHELPERS_BASES", "assembled")
    docker_cli(
        ["run", "--name", "hog", "shell:1", "dd", "if=/dev/zero", "of=/hog", "bs=1M", "count=100"], timeout_s=120
    )
    try:
        with explained(BaseImageError, "node:20-alpine", "no space left", cure="docker system df"):
            bases.ensure("node:20-alpine")
    finally:
        docker_cli(["rm", "--force", "hog"], timeout_s=120)


def test_engine_that_cannot_start_on_a_full_disk(tmp_path, explained) -> None:
    """An engine that found no room to start says that, not that its storage driver is unsupported."""
    log = tmp_path / "dockerd.log"
    log.write_text(  # what Engine 26.1.5 wrote on such a disk
        'level=error msg="mkdir /data/overlay2/check-overlayfs-support681218417: no space left on device"\n'
        'level=error msg="[graphdriver] prior storage driver overlay2 failed: driver not supported"\n'
        "failed to start daemon: error initializing graphdriver: driver not supported\n"
    )
    process = subprocess.Popen(["false"])
    process.wait()
    with explained(EngineError, "did not start", "driver not supported", cure="disk is full: make room"):
        start.wait_until_ready(process, log, lambda: False)


def test_cleanup_on_a_full_disk(project, broken_engine) -> None:
    """On a disk without a free byte clean-up removes what it can, tells the rest, and removes that with room."""
    built = dm.build(project({"Dockerfile": "FROM shell:1\nRUN dd if=/dev/zero of=/some bs=1M count=30\n"}), tag=TAG)
    file = str(broken_engine.data_root / "hog")
    broken_engine.run_inside(["sh", "-c", f"cat /dev/zero > {file} 2>/dev/null; true"])
    try:
        cleaned = dm.cleanup()
    finally:
        broken_engine.run_inside(["rm", "--force", file])
    for one in cleaned.kept:
        assert ("no space left" in one and "restart the engine" in one) or "still counts it as in use" in one
    # Whether the engine finds room for its own notes of a removal depends on the last block of the disk.
    assert cleaned.images == (built.tag,) or any(built.tag in one for one in cleaned.kept)
    if cleaned.kept:
        broken_engine.stop()
        broken_engine.start()
        dm.cleanup()
    assert inspected(built.image_id) is None
