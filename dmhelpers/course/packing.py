"""What a pack of this course holds, gathered from the checkout: every lockfile, every base image, every notebook."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dmhelpers.course.sample_info import checkout, library
from dmhelpers.engine import bases
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.pack import archive, go, images, npm, wheels
from dmhelpers.engine.pack.records import Manifest
from dmhelpers.errors import InputError, PackError
from dmhelpers.units import docker_size

COURSE = "course"
_NOT_PACKED = {
    "__pycache__", "build", "dist", "node_modules", "workspace", ".git", ".venv",
    ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache",
}  # fmt: skip
_WORK = ".dmhelpers-pack-"
_FOLDERS = ("images", "layers", "npm", "go", "wheels", COURSE)


@dataclass(frozen=True, slots=True)
class Made:
    """A pack that was made: its file, ID, bytes, and what each of its folders weighs."""

    file: Path
    pack_id: str
    size_bytes: int
    manifest: Manifest

    def __str__(self) -> str:
        return f"{self.file}: {docker_size(self.size_bytes)}, pack {self.pack_id}\n{contents(self.manifest)}"


def make(output: Path, *, pythons: Sequence[str] = (), progress: archive.Progress) -> Made:
    """Gather everything that the course downloads, and write it as one file.

    Args:
        output: The pack's file; one that is there is replaced when the new one is whole.
        pythons: The versions of Python that wheels are packed for; this one's for none.
        progress: Told what is being fetched.

    Raises:
        PackError: Something cannot be had or written.
        InputError: The course does not run from a checkout.
        EngineUnavailable: No engine answers.
    """
    root = checkout()
    if root is None:
        raise InputError(
            "A pack is made from the course's repository.", hint="Run this in a copy of it: dmhelpers pack"
        )
    _require_place(output)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=output.absolute().parent) as work:
        manifest, files = _gathered(root, tuple(pythons) or (wheels.current(),), Path(work), progress)
        progress(f"Writing {docker_size(manifest.size_bytes)} to {output}")
        pack_id = archive.write(output, manifest, files)
    return Made(output, pack_id, output.stat().st_size, manifest)


def contents(manifest: Manifest) -> str:
    """Return what a pack holds, a line a folder."""
    counts = {
        "images": f"{', '.join(f'{one.name} ({one.origin})' for one in manifest.images)}",
        "layers": f"{sum(len(one.layers) for one in manifest.images)} layers, "
        f"{docker_size(sum(one.size_bytes for one in manifest.images))} unpacked",
        "npm": f"{len(manifest.npm_packages)} packages",
        "go": f"{len(manifest.go_modules)} modules",
        "wheels": f"{len(manifest.below('wheels'))} for Python {', '.join(manifest.pythons)}",
        COURSE: f"the course {manifest.course_version}, {len(manifest.below(COURSE))} files",
    }
    lines = [f"made {manifest.created} for {manifest.platform}"]
    for folder in _FOLDERS:
        size = sum(one.size_bytes for one in manifest.below(folder))
        lines.append(f"  {folder:<7} {docker_size(size):>7}  {counts[folder]}")
    return "\n".join(lines)


def _require_place(output: Path) -> None:
    folder = output.absolute().parent
    if output.is_dir():
        raise PackError(f"{str(output)!r} is a folder.", hint="Name a file: dmhelpers pack --output FILE")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PackError(
            f"{str(folder)!r} cannot be made: {error.strerror or error}.",
            hint="Name another place with --output FILE.",
        ) from error


def _gathered(
    root: Path, pythons: tuple[str, ...], work: Path, progress: archive.Progress
) -> tuple[Manifest, Mapping[str, Path]]:
    from dmhelpers import __version__

    got = {one.name: one for one in bases.ensure_many(bases.known(), progress=progress)}
    packages = npm.packages(sorted(library().glob("*/package-lock.json")))
    sums = sorted(library().glob("*/go.sum"))
    places = {name: work / name for name in ("images", "npm", "go", "wheels")}
    for place in places.values():
        place.mkdir()
    packed, files = images.collect(tuple(got.values()), places["images"], progress=progress)
    files |= npm.collect(packages, _with(got, "node:"), places["npm"], progress=progress)
    files |= go.collect(sums, _with(got, "golang:"), places["go"], progress=progress)
    files |= wheels.collect(root, pythons, places["wheels"], progress=progress)
    files |= course_files(root)
    manifest = Manifest(
        course_version=__version__,
        created=_now(),
        platform=engine_info().platform,
        pythons=pythons,
        images=packed,
        npm_packages=tuple(f"{one.name}@{one.version}" for one in packages),
        go_modules=go.modules(sums),
        members=tuple(archive.measured(path, files[path]) for path in sorted(files)),
    )
    return manifest, files


def _with(got: Mapping[str, bases.BaseImage], start: str) -> bases.BaseImage:
    return next(image for name, image in got.items() if name.startswith(start))


def course_files(root: Path) -> dict[str, Path]:
    """Return the course's own files by their path in the pack.

    Of a Git checkout these are the files that Git knows, so that nothing private goes along; of another copy all
    but what the course makes in it.
    """
    listed = _tracked(root) if (root / ".git").exists() else _walked(root)
    return {f"{COURSE}/{one}": root / one for one in listed if (root / one).is_file()}


def _tracked(root: Path) -> list[str]:
    git = shutil.which("git")
    if git is None:
        return _walked(root)
    command = [git, "-C", str(root), "ls-files", "-z"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    return done.stdout.rstrip("\0").split("\0") if done.returncode == 0 else _walked(root)


def _walked(root: Path) -> list[str]:
    found = []
    for folder, below, names in os.walk(root):
        below[:] = [one for one in below if one not in _NOT_PACKED and not one.startswith(_WORK)]
        found += [(Path(folder) / one).relative_to(root).as_posix() for one in names if not one.endswith(".pyc")]
    return found


def _now() -> str:
    """Return the time now, or that of SOURCE_DATE_EPOCH where one wants the same bytes again."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    when = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return when.isoformat(timespec="seconds")
