"""The main measurement: build, run, tabulate and plot the sample projects on the person's own engine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dmhelpers.course import verdicts
from dmhelpers.course.artefacts import write_artefacts
from dmhelpers.course.report import MeasuredImage, Report
from dmhelpers.course.sample_files import copy
from dmhelpers.course.sample_info import Role, SampleInfo, measured_samples, original, sample_info
from dmhelpers.engine import bases
from dmhelpers.engine.containers import serve
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.patience import patient
from dmhelpers.errors import DmHelpersError, InputError
from dmhelpers.measure.build import run_build
from dmhelpers.measure.images import size_of
from dmhelpers.measure.kind_rules import LOCK_FILES
from dmhelpers.measure.progress_lines import LinePrinter
from dmhelpers.measure.records import BuildRecord
from dmhelpers.measure.saved import final_files, read_image
from dmhelpers.units import docker_size, seconds

Say = Callable[[str], None]


class WrongAnswer(DmHelpersError):
    """A container ran, and did not answer what its project should."""


@dataclass(frozen=True)
class Measured:
    """What was measured of one sample project; `builds` by role, without the base."""

    info: SampleInfo
    images: tuple[MeasuredImage, ...]
    builds: Mapping[Role, BuildRecord]
    sizes: Mapping[Role, int]
    files: Mapping[Role, frozenset[str]]


def measure(names: Sequence[str] = (), *, output: Path, no_cache: bool = False, say: Say) -> Report:
    """Measure sample projects and write tables, plots and `measurements.json`.

    Args:
        names: The sample projects; all that are there to be measured if none is named.
        output: The folder to write to; made if missing, files of the same names are replaced.
        no_cache: Run every build step again.
        say: Called with a sentence for each thing that takes its time.

    Returns:
        The report, whose text is the table beside the exercise's figures and what was measured in words.

    Raises:
        DmHelpersError: An image could not be built or run, or did not answer over HTTP; or a project is not there to
            be measured. Nothing is written then.
    """
    begun = time.monotonic()
    infos = [_info(name) for name in names or measured_samples()]
    engine = engine_info()
    measured = [_measure_one(info, no_cache=no_cache, say=say) for info in infos]
    answers = tuple(
        f"{one.info.name}: {len(one.builds)} images ran and answered {one.info.http_path} over HTTP."
        for one in measured
    )
    say("Drawing the plots…")
    report = Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        platform=engine.platform,
        engine={"version": engine.version, "buildx": engine.buildx_version, "store": engine.store},
        images=tuple(image for one in measured for image in one.images),
        claims=tuple(v for one in measured for v in verdicts.verdicts(one.info, one.sizes, one.files)),
        answers=answers,
    )
    return write_artefacts(report, measured, output, begun=begun)


def _info(name: str) -> SampleInfo:
    info = sample_info(name)
    if not info.measured:
        raise InputError(
            f"The sample project {name!r} is not there to be measured: it has no images to compare.",
            hint=f"Measure another one: {', '.join(measured_samples())}.",
        )
    return info


def _measure_one(info: SampleInfo, *, no_cache: bool, say: Say) -> Measured:
    base = bases.ensure(info.base, progress=say)
    with _fresh_copy(info.name) as folder:
        builds = {
            image.role: _build(folder, image.tag, image.file, image.target, no_cache=no_cache, say=say)
            for image in info.images
            if image.file is not None
        }
    for image in info.images:
        if image.file is not None:
            _ask(info, image.tag, image.command, say)
    sizes: dict[Role, int] = {image.role: size_of(image.tag) for image in info.images}
    say(f"{info.name}: looking into the images…")
    files: dict[Role, frozenset[str]] = {
        role: frozenset(entry.path for entry in final_files(read_image(info.image(role).tag, keep=LOCK_FILES)))
        for role in sorted(verdicts.roles_to_read(info))
    }
    return Measured(info, _measured_images(info, sizes, base.origin), builds, sizes, files)


def _measured_images(info: SampleInfo, sizes: Mapping[Role, int], origin: str) -> tuple[MeasuredImage, ...]:
    return tuple(
        MeasuredImage(
            project=info.name,
            role=image.role,
            image=image.tag,
            size_bytes=sizes[image.role],
            added_bytes=_added(sizes[image.role], sizes["base"]),
            reduction_fraction=1 - sizes[image.role] / sizes["single"],
            base_origin=origin,
            typical=image.typical,
        )
        for image in info.images
    )


def _added(size_bytes: int, base_bytes: int) -> int:
    # An image below its project's base does not start from it but from `scratch`: all of it is added.
    return size_bytes - base_bytes if size_bytes >= base_bytes else size_bytes


def _build(folder: Path, tag: str, file: str, target: str | None, *, no_cache: bool, say: Say) -> BuildRecord:
    say(f"Building {tag}…")
    record = run_build(
        folder, tag=tag, file=file, target=target, no_cache=no_cache, listener=LinePrinter(say=say), say=say
    )
    say(f"  built {tag} in {seconds(record.duration_s)}: {docker_size(size_of(tag))}")
    return record


def _ask(info: SampleInfo, tag: str, command: Sequence[str] | None, say: Say) -> None:
    import requests

    with serve(tag, port=info.port, path=info.http_path, command=command) as serving:
        answer = requests.get(serving.url + info.http_path, timeout=patient(10), proxies={"http": ""})
    if answer.status_code != 200 or info.http_answer not in answer.text:
        raise WrongAnswer(
            f"{tag} answered {answer.status_code} and {answer.text[:200]!r} to {info.http_path}, "
            f"not 200 and {info.http_answer!r}.",
            hint="If you changed the sample project, look at its server; else please report this.",
        )
    say(f"  {tag} answers {info.http_path} over HTTP: {answer.text.strip()[:80]}")


@contextmanager
def _fresh_copy(name: str) -> Iterator[Path]:
    """Yield the project as the course ships it, apart from any learner's copy."""
    with tempfile.TemporaryDirectory(prefix="dmhelpers-") as scratch:
        folder = Path(scratch) / name
        copy(original(name), folder)
        yield folder
