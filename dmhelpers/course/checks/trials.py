"""Trial builds: a copy of the learner's project, changed on purpose, and what their Dockerfile makes of it."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dmhelpers.course.checks.probes import Image, find_image
from dmhelpers.course.checks.records import NotYet
from dmhelpers.engine import ledger
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.measure.build import run_build
from dmhelpers.measure.built import Built
from dmhelpers.measure.records import BuildRecord

TIME_LIMIT_S = 300.0
_LEFT_OUT = (".git", ".ipynb_checkpoints", "__pycache__", "node_modules", "dist")


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial build that ended well: its record, and its image until the block ends."""

    record: BuildRecord
    image: Image

    def state_of(self, *words: str) -> list[str]:
        """Return the states of the steps whose instruction holds one of the words."""
        return [one.state for one in self.record.steps if any(word in one.instruction for word in words)]


@contextmanager
def copied(built: Built) -> Iterator[Path]:
    """Give a copy of the project that an image was built from, with the Dockerfile as it was then."""
    if not built.folder.is_dir():
        raise NotYet(f"the folder that {built.tag} was built from, {built.folder.name}, is gone")
    with tempfile.TemporaryDirectory(prefix="dmhelpers-check-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch) / built.folder.name
        shutil.copytree(built.folder, folder, symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        write_dockerfile(folder, built, built.text)
        yield folder


def write_dockerfile(folder: Path, built: Built, text: str) -> None:
    """Write the text over the copy's Dockerfile."""
    path = folder / built.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


@contextmanager
def tried(folder: Path, built: Built, *, target: str | None = None) -> Iterator[Trial]:
    """Build a copy and give the result, as `trial_build` does."""
    with trial_build(folder, file=built.file, target=target) as trial:
        yield trial


@contextmanager
def trial_build(folder: Path, *, file: str = "Dockerfile", target: str | int | None = None) -> Iterator[Trial]:
    """Build a folder under a throw-away tag and give the result; its image is removed at the end of the block.

    Raises:
        BuildFailed: A step failed.
        DockerfileError: The Dockerfile cannot be read.
        StageNotFound: It has no stage of that name.
    """
    tag = f"dmhelpers-check/{uuid.uuid4().hex[:12]}:trial"
    try:
        record = run_build(folder, tag=tag, target=target, file=file, time_limit_s=TIME_LIMIT_S, noted=False)
        image = find_image(tag)
        assert image is not None, tag  # noqa: S101  it was built a moment ago
        yield Trial(record, image)
    finally:
        _remove(tag)


def _remove(tag: str) -> None:
    import docker.errors

    image = find_image(tag)
    if image is None:
        return
    with suppress(docker.errors.NotFound), engine_answers():
        api().remove_image(tag)  # by name: the same image may be the learner's own, under another one
    if find_image(image.image_id) is None:
        ledger.forget(engine_info().engine_id, "image", [image.image_id])
