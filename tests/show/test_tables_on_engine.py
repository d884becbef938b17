"""`dm.images`, `dm.history`, `dm.compare`, `dm.stages`, `dm.readable`: the tables, on a real engine."""

from __future__ import annotations

import http.client
import re
import uuid

import pytest

import dmhelpers as dm
from dmhelpers.engine.client import api, docker_cli
from dmhelpers.engine.info import engine_info
from dmhelpers.errors import ImageNotFound, InputError
from dmhelpers.units import docker_size

COLUMNS = {
    "images": ["repository", "tag", "image_id", "created", "size_bytes", "engine_size_bytes", "base_origin"],
    "history": ["created_by", "size_bytes", "created", "stage", "line", "comment"],
    "compare": ["image", "size_bytes", "added_bytes", "reduction_fraction", "base_origin"],
}

engine = pytest.mark.engine
unchanged = pytest.mark.usefixtures("unchanged_engine")


@pytest.fixture
def repository():
    """Return a repository that nobody has."""
    return f"dmhelpers-test-{uuid.uuid4().hex[:8]}"


def make(project, name, text="FROM scratch\nCOPY a /\n", *, size=10, **more):
    """Build an image from a few bytes."""
    folder = project({"Dockerfile": text, "a": (uuid.uuid4().hex * (size // 32 + 1))[:size]})
    return dm.build(folder, tag=name, progress="quiet", **more)


def requests_of(monkeypatch):
    """Return the list that every request to the engine is entered in from now on."""
    seen = []
    putrequest = http.client.HTTPConnection.putrequest

    def spy(self, method, url, *args, **more):
        seen.append(f"{method} {url}")
        return putrequest(self, method, url, *args, **more)

    monkeypatch.setattr(http.client.HTTPConnection, "putrequest", spy)
    return seen


@engine
@unchanged
def test_images_like_docker_images(project, repository):
    """A row has the name, ID, time and sizes that the engine lists, in columns of the documented types."""
    build = make(project, f"{repository}:one", size=1234)
    frame = dm.images(repository)
    assert list(frame.columns) == COLUMNS["images"]
    assert frame.attrs["image_store"] == engine_info().store
    [row] = frame.to_dict("records")
    assert (row["repository"], row["tag"], row["image_id"]) == (repository, "one", build.image_id)
    assert row["size_bytes"] >= 1234
    assert row["engine_size_bytes"] == api().images(repository)[0]["Size"]
    assert row["base_origin"] == ""
    assert str(row["created"].tzinfo) == "UTC"


@engine
def test_types_of_images_even_when_empty():
    """The columns have their types also where no image answers to the name."""
    for frame in (dm.images(), dm.images("dmhelpers-test-nobody")):
        assert list(frame.columns) == COLUMNS["images"]
        assert str(frame["created"].dtype).startswith("datetime64")
        assert str(frame["created"].dtype).endswith("UTC]")
        assert {str(frame[name].dtype) for name in ("size_bytes", "engine_size_bytes")} == {"int64"}


@engine
@unchanged
def test_images_by_name_tag_and_pattern(project, repository):
    """A repository, a name with its tag and a pattern find what `docker images` finds by them."""
    for tag in ("one", "two"):
        make(project, f"{repository}:{tag}")
    make(project, f"{repository}-more:one")

    def names(wanted):
        frame = dm.images(wanted)
        return sorted(f"{row.repository}:{row.tag}" for row in frame.itertuples())

    assert names(repository) == [f"{repository}:one", f"{repository}:two"]
    assert names(f"{repository}:two") == [f"{repository}:two"]
    assert len(names(f"{repository}*")) == 3
    assert names(f"{repository}*:one") == [f"{repository}-more:one", f"{repository}:one"]
    assert names(f"{repository}:[t]*") == [f"{repository}:two"]
    assert names("dmhelpers-test-nobody") == []


@engine
@unchanged
def test_an_image_of_two_names_has_two_rows(project, repository):
    """An image with two names has a row for each; one without a name has none."""
    build = make(project, f"{repository}:one")
    dm.build(project({}), tag=f"{repository}:two", progress="quiet")
    frame = dm.images(repository)
    assert sorted(frame["tag"]) == ["one", "two"]
    assert set(frame["image_id"]) == {build.image_id}
    make(project, f"{repository}:one")
    make(project, f"{repository}:two")
    everything = dm.images()
    assert build.image_id not in set(everything["image_id"])
    assert "<none>" not in set(everything["repository"])


@engine
@unchanged
def test_images_come_newest_first(project, repository):
    """The newest image comes first, as `docker images` lists them."""
    for tag in ("old", "new"):
        make(project, f"{repository}:{tag}")
    created = list(dm.images(f"{repository}*")["created"])
    assert created == sorted(created, reverse=True)
    everything = list(dm.images()["created"])
    assert everything == sorted(everything, reverse=True)


@engine
@unchanged
def test_one_request_for_all_images(project, repository, monkeypatch):
    """`dm.images` asks once, however many images there are."""
    for number in range(3):
        make(project, f"{repository}:{number}")
    dm.images()
    seen = requests_of(monkeypatch)
    dm.images()
    dm.images(repository)
    assert len(seen) == 2
    assert all("/images/json" in one for one in seen)


@engine
@unchanged
def test_sizes_of_images_and_history_agree(project, repository):
    """An image's size is the sum of its history, on every image store."""
    make(project, f"{repository}:one", "FROM scratch\nCOPY a /one\nCOPY a /two\nLABEL x=y\n", size=70_000)
    [size] = dm.images(repository)["size_bytes"]
    assert size == dm.history(f"{repository}:one")["size_bytes"].sum()
    assert size >= 140_000


EVERYTHING = """
    FROM scratch AS base
    ARG VERSION=1
    env A=1 B=2
    LABEL x=y
    WORKDIR /w
    COPY a ./

    FROM base AS middle
    USER 1000
    VOLUME /data
    EXPOSE 80
    HEALTHCHECK NONE
    STOPSIGNAL SIGTERM
    SHELL ["/bin/sh", "-c"]
    ONBUILD ENV FIRED=1
    ONBUILD COPY a /triggered
    MAINTAINER me
    COPY <<EOF /here
    FROM x
    EOF
    ADD a \\
      # a comment
      /added

    FROM middle AS third
    ENTRYPOINT ["/x"]
    COPY --from=base /w/a /copied

    FROM third
    CMD ["y"]
"""
CHAIN = [
    *[("base", line) for line in (2, 3, 4, 5, 6)],
    *[("middle", line) for line in (9, 10, 11, 12, 13, 14, 17, 18, 21)],
    *[("third", line) for line in (15, 16, 26, 27)],
    ("stage-3", 30),
]


@engine
@unchanged
@pytest.mark.parametrize(("target", "rows"), [("base", 5), ("middle", 14), ("third", 18), (None, 19)])
def test_history_names_stage_and_line(project, repository, target, rows):
    """Every row of an image's history has the stage and line that it comes from, whatever the instruction."""
    make(project, f"{repository}:one", EVERYTHING, target=target)
    frame = dm.history(f"{repository}:one")
    assert list(frame.columns) == COLUMNS["history"]
    told = list(zip(frame["stage"], frame["line"], strict=True))[::-1]
    assert told == CHAIN[:rows]
    assert {str(frame[name].dtype) for name in ("size_bytes",)} == {"int64"}
    assert str(frame["line"].dtype) == "Int64"
    assert str(frame["created"].dtype).endswith("UTC]")


@engine
@unchanged
def test_history_on_a_base_image(shell_project, repository):
    """Rows of the base image have no stage; RUN with a heredoc, with ARGs in force and over lines has its own."""
    folder = shell_project('ARG V=1\nRUN <<END\necho $V\nEND\nSHELL ["/bin/sh", "-ec"]\nRUN true \\\n && true\n')
    dm.build(folder, tag=f"{repository}:one", progress="quiet")
    frame = dm.history(f"{repository}:one")
    assert list(frame["line"])[:5] == [8, 7, 4, 3, 2]
    assert set(frame["stage"][:5]) == {"stage-0"}
    assert frame["line"][5:].isna().all()
    assert frame["stage"][5:].isna().all()
    assert len(frame) > 5


@engine
@unchanged
def test_history_of_what_others_built(project, repository, foreign, tmp_path):
    """An image that the course did not build has its history without stages, also where it is built on ours."""
    make(project, f"{repository}:one")
    theirs = foreign.built_from(f"{repository}:one", tmp_path / "theirs")
    for name in (theirs, foreign.image()):
        frame = dm.history(name)
        assert frame["stage"].isna().all()
        assert frame["line"].isna().all()


@engine
@unchanged
def test_history_of_several_images(project, repository):
    """With several images the table begins with a column that names the image, in the order given."""
    for tag in ("one", "two"):
        make(project, f"{repository}:{tag}")
    frame = dm.history(f"{repository}:two", f"{repository}:one")
    assert list(frame.columns) == ["image", *COLUMNS["history"]]
    assert list(dict.fromkeys(frame["image"])) == [f"{repository}:two", f"{repository}:one"]


@engine
@unchanged
def test_history_says_what_docker_history_says(project, repository):
    """Rows and their order are those of `docker history`."""
    make(project, f"{repository}:one", EVERYTHING)
    asked = ["history", "--no-trunc", "--format", "{{.CreatedBy}}", f"{repository}:one"]
    told = docker_cli(asked, timeout_s=30).stdout.splitlines()
    assert [re.sub(r"\s+", " ", one) for one in dm.history(f"{repository}:one")["created_by"]] == [
        re.sub(r"\s+", " ", one) for one in told
    ]


@engine
@unchanged
def test_compare(project, repository):
    """The first image is what the others are measured against; what each adds to the base stands beside."""
    make(project, f"{repository}:base", size=1000)
    make(project, f"{repository}:big", f"FROM {repository}:base\nCOPY a /more\n", size=9000)
    make(project, f"{repository}:small", f"FROM {repository}:base\nCOPY a /more\n", size=1000)
    names = [f"{repository}:{tag}" for tag in ("big", "small")]
    frame = dm.compare(*names, base=f"{repository}:base")
    assert list(frame.columns) == COLUMNS["compare"]
    assert list(frame["image"]) == names
    assert frame["reduction_fraction"][0] == 0.0
    assert frame["reduction_fraction"][1] == pytest.approx(1 - frame["size_bytes"][1] / frame["size_bytes"][0])
    base_bytes = dm.history(f"{repository}:base")["size_bytes"].sum()
    assert list(frame["added_bytes"] + base_bytes) == list(frame["size_bytes"])
    assert str(frame["added_bytes"].dtype) == "Int64"
    assert dm.compare(*names)["added_bytes"].isna().all()


@engine
def test_comparing_nothing_is_refused():
    """`dm.compare()` without an image says how to call it."""
    with pytest.raises(InputError, match="nothing to compare"):
        dm.compare()


@engine
@unchanged
@pytest.mark.parametrize("ask", [dm.history, dm.compare, lambda name: dm.run(name, "true")])
def test_an_unknown_image_is_answered_with_near_names(project, repository, ask):
    """A mistyped image is answered with the close names that the engine has."""
    make(project, f"{repository}:one")
    with pytest.raises(ImageNotFound) as caught:
        ask(f"{repository}:oen")
    assert f"'{repository}:one'" in caught.value.hint


@engine
@pytest.mark.parametrize("name", ["", "Not A Name", "a b", "../images", "x?all=1", "sha256:" + "0" * 64, "%2e%2e"])
@pytest.mark.parametrize("ask", [dm.history, dm.compare])
def test_what_cannot_be_a_name_is_an_error_of_the_course(ask, name):
    """Whatever is given for an image's name, what comes back is an error of the course."""
    with pytest.raises(dm.DmHelpersError):
        ask(name)


@engine
@unchanged
def test_readable(project, repository):
    """The readable copy has Docker's units, percent and short IDs, and leaves the table as it was."""
    make(project, f"{repository}:one", size=12_345)
    frame = dm.images(repository)
    before = frame.copy()
    [row] = dm.readable(frame).to_dict("records")
    assert row["size"] == docker_size(frame["size_bytes"][0])
    assert re.fullmatch(r"[0-9a-f]{12}", row["image_id"])
    assert frame.equals(before)
    shown = dm.readable(dm.compare(f"{repository}:one"))
    assert list(shown["reduction"]) == ["0.0%"]
    assert list(shown["added"]) == [""]
    assert list(dm.readable(dm.history(f"{repository}:one"))["line"]) == ["2"]


def test_stages_need_no_engine(project, monkeypatch):
    """`dm.stages` reads the Dockerfile alone: nothing is built, and no engine is asked."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    copies = "COPY --from=a x y\nCOPY --from=b x y\nCOPY --from=busybox x y\n"
    text = f"FROM node:20 AS a\nRUN x\nFROM a AS b\nFROM scratch\n{copies}"
    frame = dm.stages(project({"Dockerfile": text}))
    assert frame.to_numpy().tolist() == [
        ["a", 1, 2, "node:20", ""],
        ["b", 3, 3, "a", "a"],
        ["stage-2", 4, 7, "scratch", "a, b"],
    ]
    assert list(frame.columns) == ["stage", "line", "end_line", "base", "depends_on"]
    assert frame.attrs == {"target": "stage-2", "images": ["node:20", "busybox"]}
    assert {str(frame[name].dtype) for name in ("line", "end_line")} == {"int64"}
