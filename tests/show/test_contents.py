"""The files of images as tables: columns, order, sums; on archives that the tests write, and on the engine."""

from __future__ import annotations

import json
import uuid

import pandas as pd
import pytest

import dmhelpers as dm
from dmhelpers.errors import ImageNotFound, InputError
from tests.measure.archives import archive, layer_tar

BEFORE = archive(
    layer_tar(("bin/sh", b"\x7fELF shell"), ("app/node_modules/.package-lock.json", b'{"packages": {}}')),
    layer_tar(("app/src/a.ts", b"12345"), ("app/dist/a.js", b"123"), ("app/.wh.gone", b"")),
    layer_tar(("app/src/a.ts", b"1234567"), ("app/README.md", b"1")),
)
AFTER = archive(layer_tar(("bin/sh", b"\x7fELF shell"), ("app/dist/a.js", b"123456789")))


@pytest.fixture
def before(tmp_path):
    """Give the archive of an image with sources."""
    path = tmp_path / "before.tar"
    path.write_bytes(BEFORE)
    return path


@pytest.fixture
def after(tmp_path):
    """Give the archive of one without."""
    path = tmp_path / "after.tar"
    path.write_bytes(AFTER)
    return path


def test_a_row_a_file_sorted_by_path(before):
    """Contents have their columns, in their order and types, and a row a file."""
    frame = dm.contents(before)
    assert list(frame) == ["path", "size_bytes", "kind", "layer", "created_by", "stage", "line", "type"]
    assert list(frame["path"]) == sorted(frame["path"])
    assert [str(frame[name].dtype) for name in ("size_bytes", "layer", "line")] == ["int64", "int64", "Int64"]
    rows = frame.set_index("path")
    assert dict(rows.loc["/app/src/a.ts", ["size_bytes", "kind", "layer", "type"]]) == {
        "size_bytes": 7,
        "kind": "sources",
        "layer": 2,
        "type": "file",
    }
    assert rows.loc["/bin/sh", "kind"] == "shells"
    assert frame["line"].isna().all()


def test_wasted_bytes_by_layer(before):
    """What a newer layer overwrites is counted where it lies, in the table and in a sentence."""
    frame = dm.contents(before, by="layer")
    assert list(frame) == ["layer", "created_by", "stage", "line", "size_bytes", "files", "wasted_bytes"]
    assert list(frame["wasted_bytes"]) == [0, 5, 0] == frame.attrs["wasted_bytes"]
    assert list(frame["files"]) == [2, 1, 2]
    assert frame["size_bytes"].sum() - frame["wasted_bytes"].sum() == dm.contents(before)["size_bytes"].sum()
    assert "5 files in 3 layers" in frame.attrs["summary"]
    assert "overwrite, delete or hide 5B" in frame.attrs["summary"]


def test_nothing_wasted_is_said_in_words(after):
    """Where nothing is wasted, the sentence says so."""
    assert dm.contents(after).attrs["summary"].endswith("newer layers overwrite, delete or hide nothing of it")


def test_by_kind_adds_up(before):
    """The kinds' bytes and files are those of the rows, the largest first."""
    kinds, files = dm.contents(before, by="kind"), dm.contents(before)
    assert list(kinds) == ["kind", "size_bytes", "files"]
    assert kinds["size_bytes"].is_monotonic_decreasing
    sums = files.groupby("kind")["size_bytes"].agg(["sum", "count"])
    assert {row.kind: (row.size_bytes, row.files) for row in kinds.itertuples()} == {
        kind: (row["sum"], row["count"]) for kind, row in sums.iterrows()
    }


def test_left_behind_is_what_the_second_has_not(before, after):
    """Paths that the second image has, in whatever size, are not left behind; the largest come first."""
    frame = dm.left_behind(before, after)
    assert list(frame["path"]) == ["/app/node_modules/.package-lock.json", "/app/src/a.ts", "/app/README.md"]
    assert frame["size_bytes"].is_monotonic_decreasing
    assert frame.attrs["size_bytes"] == frame["size_bytes"].sum()
    by_kind = dm.left_behind(before, after, by="kind")
    assert by_kind["size_bytes"].sum() == frame["size_bytes"].sum()
    assert len(dm.left_behind(before, before)) == 0
    assert list(dm.left_behind(before, before)) == list(frame)


def test_an_image_without_files_has_a_table_of_none(tmp_path):
    """An image of nothing gives tables without rows, with all their columns."""
    path = tmp_path / "empty.tar"
    path.write_bytes(archive())
    for by, width in (("file", 8), ("kind", 3), ("layer", 7)):
        frame = dm.contents(path, by=by)
        assert (len(frame), len(frame.columns)) == (0, width)
        assert len(dm.readable(frame)) == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda path: dm.contents(path, by="stage"),
        lambda path: dm.left_behind(path, path, by="layer"),
        lambda path: dm.compare("any", by="layer"),
    ],
    ids=["contents", "left_behind", "compare"],
)
def test_a_wrong_way_to_list_is_named_with_the_right_ones(before, ask):
    """A way of listing that there is not is answered with those that there are."""
    with pytest.raises(InputError, match=r"by '(stage|layer)'") as caught:
        ask(before)
    assert "by=" in str(caught.value).splitlines()[-1]


STAGES = """
FROM node:20-alpine AS builder
RUN mkdir -p /app/src && echo source > /app/src/a.ts && echo made > /app/made.js && echo gone > /app/gone
RUN rm /app/gone

FROM node:20-alpine AS runtime
COPY --from=builder /app/made.js /app/made.js
"""


@pytest.fixture
def built(project, unchanged_engine):
    """Build both stages and give their tags."""
    from dmhelpers.engine import bases

    bases.ensure_many(["node:20-alpine"])
    folder, name = project({"Dockerfile": STAGES}), f"dmhelpers-test-{uuid.uuid4().hex[:8]}"
    for target in ("builder", "runtime"):
        dm.build(folder, target=target, tag=f"{name}:{target}")
    return f"{name}:builder", f"{name}:runtime"


@pytest.mark.engine
def test_stage_and_line_of_each_file(built):
    """A file of an image that the course built has the stage and line of its layer; a base's file has none."""
    rows = dm.contents(built[0]).set_index("path")
    assert (rows.loc["/app/src/a.ts", "stage"], rows.loc["/app/src/a.ts", "line"]) == ("builder", 2)
    assert "/app/gone" not in rows.index
    assert pd.isna(rows.loc["/bin/busybox", "stage"])
    assert pd.isna(rows.loc["/bin/busybox", "line"])
    assert dm.contents(built[0]).attrs["wasted_bytes"][-2:] == [5, 0]
    assert rows.loc["/app/made.js", "created_by"].startswith("RUN ")
    assert dm.contents(built[0]).attrs["base_origin"] in ("assembled", "")


@pytest.mark.engine
def test_what_the_runtime_has_not(built):
    """What the builder had and the runtime has not is the source, and not the product."""
    frame = dm.left_behind(*built)
    assert list(frame["path"]) == ["/app/src/a.ts"]
    assert dm.contents(built[1]).set_index("path").loc["/app/made.js", "stage"] == "runtime"


@pytest.mark.engine
def test_kinds_side_by_side_add_up(built):
    """Each image's column adds up to its layers; with a base, the base's files are one kind."""
    frame = dm.compare(*built, by="kind")
    assert list(frame) == ["kind", *(f"{tag}_bytes" for tag in built)]
    for tag in built:
        layers = dm.contents(tag, by="layer")
        assert frame[f"{tag}_bytes"].sum() == layers["size_bytes"].sum()
    with_base = dm.compare(*built, base="node:20-alpine", by="kind").set_index("kind")
    of_base = dm.contents("node:20-alpine")["size_bytes"].sum()
    assert set(with_base.loc["base image"]) == {of_base}
    assert with_base.loc["overwritten or deleted"].tolist() == [5, 0]
    assert list(dm.readable(frame)) == ["kind", *built]


@pytest.mark.engine
def test_the_second_look_asks_for_little(built, monkeypatch):
    """A second look, in another process too, saves nothing and reads no layer."""
    from dmhelpers.measure import saved

    first = dm.contents(built[0])
    saved.forget()
    for name in ("_from_storage", "_from_stream"):
        monkeypatch.setattr(saved, name, lambda *_: pytest.fail("the image was read again"))
    pd.testing.assert_frame_equal(dm.contents(built[0]), first)
    assert json.dumps(dm.contents(built[0]).attrs)


@pytest.mark.engine
def test_an_unknown_image_is_named():
    """An image that the engine does not have is said to be unknown."""
    with pytest.raises(ImageNotFound, match="dmhelpers-test-none:such"):
        dm.contents("dmhelpers-test-none:such")
