"""The files that a measurement writes: `measurements.json`, tables as CSV, plots as PNG."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmhelpers.course.report import Report
from dmhelpers.errors import InputError
from dmhelpers.measure.images import base_origin_of, read_history
from dmhelpers.measure.kinds import reduction
from dmhelpers.show import tables
from dmhelpers.show.builds import Build
from dmhelpers.show.plots import layers, sizes, theme
from dmhelpers.show.plots import reduction as waterfall

if TYPE_CHECKING:
    import pandas as pd

    from dmhelpers.course.measuring import Measured


def write_artefacts(report: Report, measured: Sequence[Measured], output: Path, *, begun: float) -> Report:
    """Write everything that belongs to a report and return it with the list of files.

    Args:
        report: What was measured.
        measured: The sample projects behind it.
        output: The folder to write to; made if missing.
        begun: When the measurement began, by `time.monotonic()`.

    Raises:
        InputError: The folder cannot be made or written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        files = [
            *(path for one in measured for path in _tables(one, output)),
            *(path for one in measured for path in _plots(one, output)),
        ]
        finished = replace(report, duration_s=time.monotonic() - begun, files=_shown(output, files))
        (output / "measurements.json").write_text(finished.as_json() + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"Cannot write to {str(output)!r}: {error.strerror}.", hint="Choose another folder with --output."
        ) from error
    return finished


def _shown(output: Path, files: Sequence[Path]) -> tuple[str, ...]:
    plots = sum(path.suffix == ".png" for path in files)
    return (f"{output}/: measurements.json", f"{len(files) - plots} tables (CSV)", f"{plots} plots (PNG)")


def _tables(one: Measured, output: Path) -> Iterator[Path]:
    name = one.info.name
    tags = [image.tag for image in one.info.images]
    yield _csv(tables.compare(*_largest_first(one), base=one.info.base), output / f"{name}-compare.csv")
    yield _csv(tables.images(f"{name}"), output / f"{name}-images.csv")
    yield _csv(tables.history(*tags), output / f"{name}-history.csv")
    for role, record in one.builds.items():
        yield _csv(Build(record).steps, output / f"{name}-{role}-steps.csv")
        yield _csv(Build(record).stages, output / f"{name}-{role}-stages.csv")


def _csv(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False, lineterminator="\n")
    return path


def _plots(one: Measured, output: Path) -> Iterator[Path]:
    name, info = one.info.name, one.info
    frame = tables.compare(*_largest_first(one), base=info.base)
    yield _png(sizes.plot_sizes(frame), output / f"{name}-sizes.png", sizes.alt_text(frame))
    tags = [info.image(role).tag for role in ("single", "builder", "runtime")]
    histories = [read_history(tag) for tag in tags]
    axes = layers.plot_layers(*histories, base_origin=base_origin_of(info.base))
    yield _png(axes, output / f"{name}-layers.png", layers.alt_text(*histories))
    steps = reduction(info.image("single").tag, info.image("runtime").tag, base=info.base)
    yield _png(waterfall.plot_reduction(steps), output / f"{name}-reduction.png", waterfall.alt_text(steps))


def _png(axes: Any, path: Path, alt: str) -> Path:
    import matplotlib.pyplot as plt

    theme.save_plot(axes, path, alt=alt)
    plt.close(theme.figure_of(axes))
    return path


def _largest_first(one: Measured) -> list[str]:
    """The single-stage image first, which the others are measured against, then the rest."""
    return [one.info.image(role).tag for role in ("single", "builder", "runtime", "base")]
