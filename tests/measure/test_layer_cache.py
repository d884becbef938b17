"""What was read of an image is kept, comes back the same, and never stands in the way of reading it anew."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import pytest

from dmhelpers.engine.places import cache_folder
from dmhelpers.measure import layer_cache
from dmhelpers.measure.entries import FileEntry, SavedImage, SavedLayer

IMAGE = "sha256:" + "a" * 64
KEEP = ("*/package.json",)
FIRST = SavedLayer(
    "sha256:" + "1" * 64,
    (
        FileEntry("/bin/sh", 1_000_000, "file", head=b"\x7fELF"),
        FileEntry("/bin/ls", 0, "hard link", link_target="/bin/sh"),
        FileEntry("/caf\udce9", 3, "file"),
        FileEntry("/app/package.json", 2, "file", content=b"{}"),
        FileEntry("/app/empty", 0, "file", content=b""),
    ),
)
SECOND = SavedLayer("sha256:" + "2" * 64, (FileEntry("/x", 7, "symlink", 0, "/y"),), ("/bin/ls",), ("/app",))
SAVED = SavedImage((FIRST, SECOND), {"config": {"Labels": {"a": "b"}}})


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Give each test a cache folder of its own."""
    monkeypatch.setenv("DMHELPERS_HOME", str(tmp_path))


def files():
    """Return the files in the cache folder, once all is written."""
    layer_cache.settle()
    return sorted((cache_folder() / "layers").iterdir())


def test_what_was_kept_comes_back_the_same():
    """Layers, entries, heads, contents, odd names and the configuration come back; each entry knows its layer."""
    layer_cache.store(IMAGE, KEEP, SAVED)
    assert layer_cache.load(IMAGE, KEEP) == SAVED


def test_an_image_read_with_other_patterns_is_not_known():
    """Contents are kept for some files only: who asks for others reads the image anew."""
    layer_cache.store(IMAGE, KEEP, SAVED)
    assert layer_cache.load(IMAGE, ()) is None
    assert layer_cache.load("sha256:" + "b" * 64, KEEP) is None


def test_a_layer_is_kept_once_for_all_images():
    """A base image's layers serve every image on top of it, as the layer that they are there."""
    layer_cache.store(IMAGE, KEEP, SAVED)
    before = len(files())
    other = "sha256:" + "c" * 64
    layer_cache.store(other, KEEP, SavedImage((FIRST,), {}))
    assert len(files()) == before + 1
    assert layer_cache.load(other, KEEP) == SavedImage((FIRST,), {})


@pytest.mark.parametrize(
    "damage", [b"", b"neither check nor content", b"\x28\xb5\x2f\xfd" * 9], ids=["empty", "text", "cut"]
)
def test_damage_counts_as_absence(damage):
    """A file that cannot be read is as good as none, and storing again mends it."""
    layer_cache.store(IMAGE, KEEP, SAVED)
    for path in files():
        before = path.read_bytes()
        path.write_bytes(damage)
        assert layer_cache.load(IMAGE, KEEP) is None
        path.write_bytes(before)
    files()[0].unlink()
    assert layer_cache.load(IMAGE, KEEP) is None
    layer_cache.store(IMAGE, KEEP, SAVED)
    assert layer_cache.load(IMAGE, KEEP) == SAVED


def test_a_damaged_layer_is_written_anew():
    """What could not be loaded is replaced by the next reading."""
    layer_cache.store(IMAGE, KEEP, SAVED)
    for path in files():
        path.write_bytes(b"damage")
    assert layer_cache.load(IMAGE, KEEP) is None
    layer_cache.store(IMAGE, KEEP, SAVED)
    assert layer_cache.load(IMAGE, KEEP) == SAVED


def test_the_longest_unused_goes_first(monkeypatch):
    """The folder stays below its limit; what was used last is kept."""
    layer_cache.store(IMAGE, KEEP, SAVED)
    old = files()
    for path in old:
        os.utime(path, (1, 1))
    monkeypatch.setattr(layer_cache, "LIMIT_BYTES", sum(path.stat().st_size for path in old))
    third = SavedLayer("sha256:" + "3" * 64, (FileEntry("/new", 1, "file"),))
    newer = "sha256:" + "d" * 64
    layer_cache.store(newer, KEEP, SavedImage((third,), {}))
    assert layer_cache.load(newer, KEEP) is not None
    assert layer_cache.load(IMAGE, KEEP) is None
    assert sum(path.stat().st_size for path in files()) <= layer_cache.LIMIT_BYTES


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    """Where nothing can be kept, the reading is still good."""
    (tmp_path / "cache").write_text("a file where the folder would be")
    layer_cache.store(IMAGE, KEEP, SAVED)
    assert layer_cache.load(IMAGE, KEEP) is None


WORKER = """
import shutil, sys
from dmhelpers.engine.places import cache_folder
from dmhelpers.measure import layer_cache
from dmhelpers.measure.entries import FileEntry, SavedImage, SavedLayer

layer_cache.LIMIT_BYTES = 4_000
for round in range(60):
    for number in range(6):
        files = [FileEntry(f"/{number}/{one}", one, "file") for one in range(200)]
        saved = SavedImage((SavedLayer(f"sha256:{number}", files),), {"number": number})
        found = layer_cache.load(f"sha256:image{number}", ())
        assert found is None or found == saved, (round, number)
        layer_cache.store(f"sha256:image{number}", (), saved)
    if round % 20 == int(sys.argv[1]):
        shutil.rmtree(cache_folder() / "layers", ignore_errors=True)
"""


def test_several_processes_may_share_the_folder():
    """Processes that write, read, bound and delete the folder at once see whole files or none, and no error."""
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(number)], stderr=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=300)
        assert (worker.returncode, errors) == (0, "")
    left = [path.name for path in files()] if (cache_folder() / "layers").is_dir() else []
    assert not [name for name in left if name.startswith("part-")]


@pytest.mark.engine
def test_a_second_look_saves_nothing(shell_project, monkeypatch, unchanged_engine):
    """An image that was read once is read from what was kept, in another process too, and it is the same."""
    from dmhelpers.measure import saved
    from dmhelpers.show.builds import build

    name = f"dmhelpers-test-{uuid.uuid4().hex[:8]}:kept"
    made = build(shell_project("RUN echo a > /a && rm /bin/ls\n"), tag=name)
    first = saved.read_image(made.image_id)
    saved.forget()
    for way in ("_from_storage", "_from_stream"):
        monkeypatch.setattr(saved, way, lambda *_: pytest.fail("the image was read again"))
    assert saved.read_image(made.image_id) == first
