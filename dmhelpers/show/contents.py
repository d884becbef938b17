"""`dm.contents` and `dm.left_behind`: the files of images as tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from dmhelpers.errors import InputError
from dmhelpers.measure.contents import Contents, contents_of
from dmhelpers.show import stamp
from dmhelpers.units import docker_size, percent

if TYPE_CHECKING:
    import pandas as pd

By = Literal["file", "kind", "layer"]
_WAYS = ("file", "kind", "layer")


def contents(image: str | os.PathLike[str], *, by: By = "file", name: str | None = None) -> pd.DataFrame:
    """Return what is in an image: every file of its final filesystem, found without running anything in it.

    Args:
        image: Its name or ID; or the path of what `docker save` wrote (plain, gzip or zstd) or of an OCI layout.
        by: ``"file"`` for a row a file; ``"kind"`` or ``"layer"`` for the sums.
        name: Which image, where an archive holds several.

    Returns:
        By file, sorted by path: ``path`` (str), ``size_bytes`` (int64, as `ls -l` has it; a second name of a file 0),
        ``kind`` (str, by the rules of docs/contents.md), ``layer`` (int64, 0 is the oldest), ``created_by`` (str, as
        `docker history` has it), ``stage`` (str) and ``line`` (Int64; both missing for layers that the course did not
        build) and ``type`` (str: file, symlink, hard link or other; directories are left out).
        By kind, largest first: ``kind, size_bytes, files``. By layer, oldest first: ``layer, created_by, stage, line,
        size_bytes`` (what the layer holds), ``files`` (int64, those of it that stand) and ``wasted_bytes`` (int64,
        what newer layers overwrite, delete or hide).
        ``.attrs`` holds ``"image"``, ``"wasted_bytes"`` (a list, by layer), ``"summary"`` (a sentence) and
        ``"base_origin"``.

    Raises:
        ImageNotFound: The engine has no such image.
        ArchiveError: There is no such archive, or it is damaged.
        InputError: `by` is none of the three, or the archive holds several images and none was named.
    """
    if by not in _WAYS:
        raise InputError(f"Contents cannot be listed by {by!r}.", hint="Choose by='file', by='kind' or by='layer'.")
    found = contents_of(image, name=name)
    frame = {"file": _by_file, "kind": _by_kind, "layer": _by_layer}[by](found)
    return _told(frame, found)


def left_behind(
    before: str | os.PathLike[str], after: str | os.PathLike[str], *, by: Literal["file", "kind"] = "file"
) -> pd.DataFrame:
    """Return what the first image has and the second has not: the files whose paths are not in the second.

    Args:
        before: The image, or archive, that has more: the builder, or a single-stage image.
        after: The one that was shipped.
        by: ``"file"`` for a row a file, ``"kind"`` for the sums.

    Returns:
        The first image's rows as in `contents`, largest first, then by path; by kind: ``kind, size_bytes, files``,
        largest first. ``.attrs["size_bytes"]`` is the sum.

    Raises:
        ImageNotFound: The engine lacks one of them.
        ArchiveError: One of them is an archive that cannot be read.
        InputError: `by` is none of the two.
    """
    if by not in _WAYS[:2]:
        raise InputError(f"What was left behind cannot be listed by {by!r}.", hint="Choose by='file' or by='kind'.")
    first, second = contents_of(before), contents_of(after)
    there = set(second.paths)
    rows = [place for place, path in enumerate(first.paths) if path not in there]
    rows.sort(key=lambda place: (-first.sizes[place], first.paths[place]))
    frame = _by_file(first, rows) if by == "file" else _by_kind(first, rows)
    frame.attrs |= {"image": first.image, "not_in": second.image, "base_origin": first.base_origin}
    frame.attrs["size_bytes"] = sum(first.sizes[place] for place in rows)
    return stamp.stamped(frame)


def _by_file(found: Contents, rows: Sequence[int] | None = None) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    chosen = slice(None) if rows is None else np.asarray(rows, dtype="int64")
    layers = np.asarray(found.layers, dtype="int64")[chosen]

    def of_layer(values: Iterable[Any]) -> Any:
        return np.array([*values], dtype=object)[layers] if found.by_layer else np.array([], dtype=object)

    def text(values: Sequence[str]) -> pd.Series[Any]:
        return _text(np.array(values, dtype=object)[chosen])

    return pd.DataFrame(
        {
            "path": text(found.paths),
            "size_bytes": np.asarray(found.sizes, dtype="int64")[chosen],
            "kind": text(found.kinds),
            "layer": layers,
            "created_by": _text(of_layer(one.created_by for one in found.by_layer)),
            "stage": _text(of_layer(one.stage for one in found.by_layer)),
            "line": pd.array(
                of_layer(one.line if one.line is not None else pd.NA for one in found.by_layer), dtype="Int64"
            ),
            "type": text(found.types),
        }
    )


def _by_kind(found: Contents, rows: Sequence[int] | None = None) -> pd.DataFrame:
    import pandas as pd

    totals: dict[str, list[int]] = {}
    for place in range(len(found.paths)) if rows is None else rows:
        total = totals.setdefault(found.kinds[place], [0, 0])
        total[0] += found.sizes[place]
        total[1] += 1
    ordered = sorted(totals, key=lambda kind: (-totals[kind][0], kind))
    return pd.DataFrame(
        {
            "kind": _text(ordered),
            "size_bytes": pd.Series([totals[kind][0] for kind in ordered], dtype="int64"),
            "files": pd.Series([totals[kind][1] for kind in ordered], dtype="int64"),
        }
    )


def _by_layer(found: Contents) -> pd.DataFrame:
    import pandas as pd

    rows = found.by_layer
    return pd.DataFrame(
        {
            "layer": pd.Series([one.layer for one in rows], dtype="int64"),
            "created_by": _text([one.created_by for one in rows]),
            "stage": _text([one.stage for one in rows]),
            "line": pd.Series([one.line for one in rows], dtype="Int64"),
            "size_bytes": pd.Series([one.size_bytes for one in rows], dtype="int64"),
            "files": pd.Series([one.files for one in rows], dtype="int64"),
            "wasted_bytes": pd.Series([one.wasted_bytes for one in rows], dtype="int64"),
        }
    )


def _text(values: Any) -> pd.Series[Any]:
    import pandas as pd

    # pandas 3 has a string type of its own; where all are missing, or in pandas 2, cells stay Python's.
    there = len(values) and any(one is not None for one in values[:1])
    return pd.Series(values, dtype=None if there else "object")


def _told(frame: pd.DataFrame, found: Contents) -> pd.DataFrame:
    wasted = "nothing"
    if found.wasted_bytes:
        wasted = f"{docker_size(found.wasted_bytes)} ({percent(found.wasted_bytes / found.size_bytes)})"
    frame.attrs["image"] = found.image
    frame.attrs["wasted_bytes"] = [one.wasted_bytes for one in found.by_layer]
    frame.attrs["base_origin"] = found.base_origin
    frame.attrs["summary"] = (
        f"{found.image}: {len(found.paths):,} files in {len(found.by_layer)} layers, {docker_size(found.size_bytes)}"
        f"; newer layers overwrite, delete or hide {wasted} of it"
    )
    return stamp.stamped(frame)
