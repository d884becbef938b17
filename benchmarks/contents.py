"""`dm.contents()`, first and second look, against dive, `docker save` into tar, and the bare stream."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dmhelpers as dm
from benchmarks.bulk import imported
from benchmarks.harness import Benchmark, Contender, Options, Target, compare, main
from benchmarks.results import Row
from dmhelpers.engine.client import docker_argv
from dmhelpers.engine.places import cache_folder
from dmhelpers.engine.saving import save_stream
from dmhelpers.errors import InputError
from dmhelpers.measure import layer_cache, saved
from dmhelpers.measure.images import image_id_of

SMALL = {"files": 100_000, "file_bytes": 200}
LARGE = {"files": 20, "file_bytes": 100_000_000}
QUICK_SMALL = {"files": 10_000, "file_bytes": 200}
QUICK_LARGE = {"files": 2, "file_bytes": 100_000_000}
MEMORY_LIMIT_BYTES = 200_000_000
_BUFFER_BYTES = 1 << 20
_MEASURED = """\
import sys
import dmhelpers as dm
from dmhelpers.measure import saved
if sys.argv[2] == "stream":
    saved._from_storage = lambda *_: None
dm.contents(sys.argv[1])
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")))
"""


def measure(options: Options) -> list[Row]:
    """Look into three images in each way, and say what memory a first look takes."""
    dive = _dive()
    rows: list[Row] = []
    small, large = (QUICK_SMALL, QUICK_LARGE) if options.quick else (SMALL, LARGE)
    project = dm.sample("my-api").reset()
    with (
        imported("small-files", **small) as many,
        imported("large-files", **large) as few,
        _built(project) as built,
    ):
        for case, image in (
            ("my-api:single", built),
            (f"{small['files']:,} small files", many),
            (f"{large['files'] * large['file_bytes'] / 1e9:g} GB of large files", few),
        ):
            rows += _compare(case, image, dive, options.rounds)
            _say_memory(case, image)
    return rows


def _compare(case: str, image: str, dive: str, rounds: int) -> list[Row]:
    image_id = image_id_of(image)
    floor = Contender("draining the save stream", lambda: _drain(image_id))
    others = [
        Contender("docker save | tar t, nested", lambda: _save_into_tar(image)),
        Contender("dive --json", lambda: _dive_json(dive, image)),
    ]
    at_most = {
        "draining the save stream": Target("at most 1.15 times the floor", 1.15),
        "dive --json": Target("at least 2.5 times faster", 1 / 2.5),
    }
    found: list[Row] = []
    for name, through_the_engine in (("first look, stream", True), ("first look, storage", False)):
        with _reading(through_the_engine):
            subject = Contender(name, lambda: dm.contents(image), settle=_forget)
            _forget()
            found += compare(case, subject, [floor, *others], rounds=rounds, targets=at_most)
    dm.contents(image)
    second = Contender("second look", lambda: dm.contents(image), settle=saved.forget)
    found += compare(
        case,
        second,
        [floor],
        rounds=rounds,
        targets={floor.name: Target("at least 30 times faster", 1 / 30)},
    )
    _forget()
    return found


@contextmanager
def _reading(through_the_engine: bool) -> Iterator[None]:
    """Leave the engine's own storage aside, as where it is out of reach."""
    original = saved._from_storage  # noqa: SLF001
    if through_the_engine:
        saved._from_storage = lambda *_: None  # noqa: SLF001
    try:
        yield
    finally:
        saved._from_storage = original  # noqa: SLF001


@contextmanager
def _built(project: object) -> Iterator[str]:
    dm.build(project, file="Dockerfile.single", tag="my-api:single", progress="quiet")  # type: ignore[arg-type]
    yield "my-api:single"
    dm.cleanup()


def _forget() -> None:
    saved.forget()
    layer_cache.settle()
    shutil.rmtree(cache_folder() / "layers", ignore_errors=True)


def _drain(image_id: str) -> None:
    view = memoryview(bytearray(_BUFFER_BYTES))
    with save_stream([image_id]) as readinto:
        while readinto(view):
            pass


def _save_into_tar(image: str) -> None:
    save = subprocess.Popen([*docker_argv(()), "save", image], stdout=subprocess.PIPE)
    subprocess.run(
        ["tar", "-xf", "-", "--to-command=tar -tf - 2>/dev/null; true"],
        stdin=save.stdout,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    if save.wait() != 0:
        raise InputError(f"docker save {image} ended with {save.returncode}.", hint="Run the benchmark again.")


def _dive() -> str:
    own = Path(sys.executable).with_name("dive")
    found = str(own) if own.is_file() else shutil.which("dive")
    if found is None:
        raise InputError("There is no dive to compare with.", hint="Install it: pip install -e '.[bench]'")
    return found


def _dive_json(dive: str, image: str) -> None:
    with tempfile.TemporaryDirectory(prefix="dmhelpers-bench-") as folder:
        subprocess.run([dive, image, "--json", f"{folder}/out.json"], check=True, capture_output=True)


def _say_memory(case: str, image: str) -> None:
    for way in ("stream", "storage"):
        _forget()
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, image, way], check=True, capture_output=True, text=True
        )
        peak = int(done.stdout.split()[-1])
        held = "yes" if peak < MEMORY_LIMIT_BYTES else "NO"
        sys.stdout.write(f"{case}, first look by {way}: {peak / 1e6:.0f} MB at the peak, below 200 MB: {held}\n")
    _forget()


BENCHMARK = Benchmark(
    "contents",
    "dm.contents(), every file of an image with its layer, stage and kind",
    measure,
    rounds=7,
    quick_rounds=3,
    notes=(
        "The floor reads the engine's `docker save` stream into a buffer and does nothing with it.",
        "stream: the engine's storage is left aside, as on Docker Desktop; storage: it is read where it lies.",
        "second look: the file list is in the cache folder, and nothing of it in this process.",
        "Memory is that of a process of its own, with pandas, at its peak (VmHWM, as ru_maxrss has its parent's).",
    ),
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
