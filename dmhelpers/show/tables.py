"""Records as pandas tables, and their bytes and seconds as a person reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from dmhelpers.engine.info import engine_info
from dmhelpers.errors import InputError
from dmhelpers.measure import compare as comparing
from dmhelpers.measure import images as reading
from dmhelpers.measure.dockerfile import read_dockerfile
from dmhelpers.show import stamp
from dmhelpers.show.recorded_frame import is_recorded

if TYPE_CHECKING:
    import pandas as pd


def images(name: str | None = None) -> pd.DataFrame:
    """Return the engine's images, like `docker images`: newest first, one row for each name.

    Args:
        name: A repository (``"my-api"``), a name with a tag, or a pattern (``"my-*"``); all for None.

    Returns:
        Columns ``repository, tag, image_id`` (str), ``created`` (datetime64, UTC), ``size_bytes``
        (int64, unpacked: the sum of its history), ``engine_size_bytes`` (int64, what
        this engine's own list shows) and ``base_origin`` (str: ``"assembled"`` for a stand-in base image
        and what was built on one). ``.attrs["image_store"]`` names the store.

    Raises:
        EngineUnavailable: No engine answers.
    """
    rows = reading.list_images(name)
    names = ("repository", "tag", "image_id", "created", "size_bytes", "engine_size_bytes", "base_origin")
    return _frame(rows, names, integers=("size_bytes", "engine_size_bytes"), times=("created",))


def history(image: str, *more: str) -> pd.DataFrame:
    """Return an image's layers, like `docker history`: the newest first, as Docker prints them.

    Args:
        image: The image's name or ID.
        more: Further images; the table then begins with a column ``image``.

    Returns:
        Columns ``created_by`` (str), ``size_bytes`` (int64), ``created`` (datetime64, UTC; NaT where the
        image names no time), ``stage`` (str; missing for layers that the course did not build), ``line`` (Int64,
        the Dockerfile's) and ``comment`` (str). The sizes add up to the image's unpacked size.

    Raises:
        ImageNotFound: The engine lacks one of the images.
    """
    found = [reading.read_history(one) for one in (image, *more)]
    rows = [layer for one in found for layer in one.layers]
    frame = _frame(
        rows,
        ("created_by", "size_bytes", "created", "stage", "line", "comment"),
        integers=("size_bytes",),
        times=("created",),
        lines=("line",),
    )
    if more:
        frame.insert(0, "image", [one.image for one in found for _ in one.layers])
    return frame


def compare(*images: str, base: str | None = None, by: Literal["image", "kind"] = "image") -> pd.DataFrame:
    """Return images side by side, in the order given.

    Args:
        images: Names or IDs; the first is the one that the others are measured against.
        base: The base image that they start from; without it `added_bytes` is missing.
        by: ``"image"`` for a row an image; ``"kind"`` for a row a kind of file, a column an image.

    Returns:
        By image: columns ``image`` (str), ``size_bytes`` (int64, unpacked), ``added_bytes`` (Int64, beyond the base),
        ``reduction_fraction`` (float64: 1 - size / size of the first) and ``base_origin`` (str).
        By kind: ``kind`` (str) and a column ``NAME_bytes`` (int64) for each image, by docs/contents.md;
        with `base`, its files are one kind, ``base image``. The kinds of which the first image has the most beyond
        the last come first. ``overwritten or deleted`` is what no container sees, so that a column adds up to
        what the image's layers hold.

    Raises:
        InputError: No image was named, or `by` is neither of the two.
        ImageNotFound: The engine lacks one of them.
    """
    if by == "kind":
        return _compare_kinds(images, base)
    if by != "image":
        raise InputError(f"Images cannot be compared by {by!r}.", hint="Choose by='image' or by='kind'.")
    rows = comparing.compare_images(images, base=base)
    return _frame(
        rows,
        ("image", "size_bytes", "added_bytes", "reduction_fraction", "base_origin"),
        integers=("size_bytes",),
        lines=("added_bytes",),
    )


def _compare_kinds(images: Sequence[str], base: str | None) -> pd.DataFrame:
    found = [comparing.kinds_of_image(image, base=base) for image in images]
    if not found:
        raise InputError("There is nothing to compare.", hint='Name at least one image: dm.compare("my-api:latest")')
    names = dict.fromkeys(kind for kinds in found for kind in kinds)
    first, last = found[0], found[-1]
    order = sorted(names, key=lambda kind: (last.get(kind, 0) - first.get(kind, 0), -first.get(kind, 0), kind))
    sizes = {
        f"{image}_bytes": [kinds.get(kind, 0) for kind in order] for image, kinds in zip(images, found, strict=True)
    }
    frame = columns({"kind": order, **sizes}, integers=tuple(sizes))
    frame.attrs["image_store"] = engine_info().store
    return frame


def stages(
    project: str | os.PathLike[str], *, file: str = "Dockerfile", build_args: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return the stages of a project's Dockerfile, one row a stage, in file order; nothing is built.

    Args:
        project: The project's folder.
        file: The Dockerfile, relative to the project.
        build_args: Values for the ARGs that stand before the first FROM.

    Returns:
        Columns ``stage`` (str; ``stage-1`` for one without a name, as BuildKit says), ``line``, ``end_line``
        (int64, counted from 1), ``base`` (str) and ``depends_on`` (str: the stages it needs, in file order, joined
        by commas). ``.attrs`` holds ``"target"``, the stage that a plain build makes, and ``"images"``, the
        images that any stage takes from.

    Raises:
        ProjectNotFound: There is no such folder or Dockerfile.
        DockerfileError: The Dockerfile cannot be read; carries the line.
    """
    dockerfile = read_dockerfile(project, file=file, build_args=build_args)
    frame = columns(
        {
            "stage": [stage.label for stage in dockerfile.stages],
            "line": [stage.line for stage in dockerfile.stages],
            "end_line": [stage.end_line for stage in dockerfile.stages],
            "base": [stage.base for stage in dockerfile.stages],
            "depends_on": [
                ", ".join(dockerfile.stages[index].label for index in sorted(direct))
                for direct in (
                    {edge.stage_index for edge in stage.edges if edge.stage_index is not None}
                    for stage in dockerfile.stages
                )
            ],
        },
        integers=("line", "end_line"),
        asked=False,
    )
    named = (edge.source for stage in dockerfile.stages for edge in stage.edges if edge.stage_index is None)
    frame.attrs["target"] = dockerfile.stages[-1].label
    frame.attrs["images"] = [name for name in dict.fromkeys(named) if name.lower() != "scratch"]
    return frame


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a table of the course for reading: bytes in Docker's units, fractions in percent, short IDs.

    Columns that end in ``_bytes``, ``_fraction`` or ``_s`` lose that ending, or have it in brackets where several
    would have one title; every cell becomes text.
    """
    from dmhelpers.units import docker_size, percent, seconds

    forms: dict[str, Callable[[Any], str]] = {"_bytes": docker_size, "_fraction": percent, "_s": seconds}
    shown: dict[str, list[str]] = {}
    endings = {name: next((one for one in forms if str(name).endswith(one)), "") for name in frame.columns}
    titles = [str(name).removesuffix(ending) for name, ending in endings.items()]
    for name, ending in endings.items():
        form = forms[ending] if ending else _text
        title = str(name).removesuffix(ending)
        if ending and titles.count(title) > 1:
            title = f"{title} ({ending[1:]})"
        shown[title] = ["" if value is None else form(value) for value in _objects(frame, name)]
    return columns(shown, asked=is_recorded(frame))


def _objects(frame: pd.DataFrame, name: Any) -> list[Any]:
    column = frame[name]
    return [None if missing else value for value, missing in zip(column, column.isna(), strict=True)]


def _text(value: Any) -> str:
    text = str(value)
    return text.removeprefix("sha256:")[:12] if text.startswith("sha256:") else text


def _frame(
    rows: Any,
    names: tuple[str, ...],
    *,
    integers: tuple[str, ...] = (),
    times: tuple[str, ...] = (),
    lines: tuple[str, ...] = (),
) -> pd.DataFrame:
    frame = columns(
        {name: [getattr(row, name) for row in rows] for name in names}, integers=integers, times=times, lines=lines
    )
    frame.attrs["image_store"] = engine_info().store
    return frame


def columns(
    values: Mapping[str, list[Any]],
    *,
    integers: tuple[str, ...] = (),
    times: tuple[str, ...] = (),
    lines: tuple[str, ...] = (),
    asked: bool = True,
) -> pd.DataFrame:
    """Return a table made column by column; text by default, `_s` and `_fraction` as float64.

    Args:
        values: The cells by column name.
        integers: Columns of int64.
        times: Columns of UTC times; None gives NaT.
        lines: Columns of Int64, where None gives a missing value.
        asked: Whether an engine was asked for any of it: then it says in recorded mode that it is recorded.
    """
    import pandas as pd

    def column(name: str, cells: list[Any]) -> pd.Series[Any]:
        if name in integers:
            return pd.Series(cells, dtype="int64")
        if name in lines:
            return pd.Series(cells, dtype="Int64")
        if name in times:
            return pd.Series(pd.to_datetime(pd.Series(cells, dtype="object"), utc=True))
        if name.endswith(("_s", "_fraction")):
            return pd.Series(cells, dtype="float64")
        # pandas 3 finds its string type by itself, pandas 2 has none that keeps a missing cell missing.
        return pd.Series(cells, dtype=None if any(cell is not None for cell in cells) else "object")

    frame = pd.DataFrame({name: column(name, cells) for name, cells in values.items()})
    return stamp.stamped(frame) if asked else frame
