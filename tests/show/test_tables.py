"""Tables from records without an engine: types, missing cells, and the readable copy."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

import dmhelpers as dm
from dmhelpers.show.tables import columns


def test_types_of_columns():
    """Bytes are integers, lines may be missing, times are in UTC, seconds and shares are floats, all else is text."""
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    frame = columns(
        {
            "name": ["a", None],
            "size_bytes": [1, 2**40],
            "line": [3, None],
            "created": [when, None],
            "duration_s": [1, 2],
        },
        integers=("size_bytes",),
        lines=("line",),
        times=("created",),
    )
    assert {name: str(frame[name].dtype) for name in ("size_bytes", "line", "duration_s")} == {
        "size_bytes": "int64",
        "line": "Int64",
        "duration_s": "float64",
    }
    assert str(frame["created"].dtype).endswith("UTC]")
    assert frame["created"].isna().tolist() == [False, True]
    assert frame["line"].isna().tolist() == [False, True]
    assert frame["name"].isna().tolist() == [False, True]
    assert frame["size_bytes"].sum() == 2**40 + 1


def test_tables_without_rows():
    """A table without rows has its columns and their types."""
    frame = columns({"a": [], "size_bytes": [], "created": []}, integers=("size_bytes",), times=("created",))
    assert len(frame) == 0
    assert str(frame["size_bytes"].dtype) == "int64"
    assert str(frame["created"].dtype).endswith("UTC]")


def test_columns_that_are_all_missing():
    """A text column with nothing in it stays missing, and does not become numbers."""
    frame = columns({"stage": [None, None]})
    assert frame["stage"].isna().all()
    assert frame["stage"].dtype == object


def test_readable_forms():
    """Bytes, shares and seconds lose their ending and read like Docker's; IDs are short; missing cells are empty."""
    frame = columns(
        {
            "image_id": ["sha256:" + "0123456789abcdef" * 4, "sha256:" + "f" * 64],
            "size_bytes": [132_453_000, 0],
            "added_bytes": [None, -5_000],
            "reduction_fraction": [0.975, 0.0],
            "duration_s": [0.25, 125],
            "stage": ["builder", None],
        },
        integers=("size_bytes",),
        lines=("added_bytes",),
    )
    shown = dm.readable(frame)
    assert list(shown.columns) == ["image_id", "size", "added", "reduction", "duration", "stage"]
    assert shown.to_numpy().tolist() == [
        ["0123456789ab", "132MB", "", "97.5%", "0.2s", "builder"],
        ["ffffffffffff", "0B", "-5kB", "0.0%", "2m 05s", ""],
    ]


def test_readable_keeps_the_rows():
    """A table that was sorted or filtered reads in its own order."""
    frame = columns({"name": ["a", "b", "c"], "size_bytes": [1, 3, 2]}, integers=("size_bytes",))
    shown = dm.readable(frame.sort_values("size_bytes", ascending=False).head(2))
    assert shown["name"].tolist() == ["b", "c"]
    assert shown["size"].tolist() == ["3B", "2B"]


def test_readable_tells_columns_of_one_stem_apart():
    """Where several columns would have one title, each keeps its ending in brackets, and its cells."""
    frame = columns({"evidence": ["a"], "evidence_bytes": [1_500], "evidence_s": [2.0]}, integers=("evidence_bytes",))
    shown = dm.readable(frame)
    assert shown.iloc[0].to_dict() == {"evidence": "a", "evidence (bytes)": "1.5kB", "evidence (s)": "2.0s"}


@pytest.mark.parametrize("text", ["a", "sha256:short", "", "1_bytes"])
def test_readable_leaves_text_alone(text):
    """Text that is no ID stays as it is."""
    assert dm.readable(pd.DataFrame({"x": [text]}))["x"].tolist() == [text.removeprefix("sha256:")]
