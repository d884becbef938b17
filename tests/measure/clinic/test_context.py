"""The build context: what .dockerignore leaves out, one walk, and folders that are not as they should be."""

from __future__ import annotations

import os
import random

import pytest
from e2b_dockerfile_utils import PatternMatcher

from dmhelpers.errors import DockerfileError, ProjectNotFound
from dmhelpers.measure.clinic import context as reading
from dmhelpers.measure.clinic import examine
from dmhelpers.measure.clinic.context import read_context
from dmhelpers.measure.clinic.ignore import Ignore
from dmhelpers.measure.clinic.pieces import matching

PARTS = ("a", "b", "foo", "x.log", "node_modules", "src")
PATTERNS = (
    "a", "*", "!a", "**/foo", "foo/*", "!foo/b", "**/*.log", "a/**", "!a/**/b", "**", "*/b", "src", "/src/",
    "!**/x.log", "a/b", "f?o", "[ab]", "a**b", "!src/a", "./a", ".", "**/a/b", "!a**b", "**foo", "# a comment",
    "  b  ",
)  # fmt: skip


def test_patterns_are_decided_as_the_whole_matcher_decides_them():
    """Folder by folder, a path is left out exactly where BuildKit's matcher, asked about all of it, says so."""
    chosen = random.Random(7)  # noqa: S311  no secret hangs on it
    for _ in range(4000):
        lines = [chosen.choice(PATTERNS) for _ in range(chosen.randrange(1, 5))]
        path = [chosen.choice(PARTS) for _ in range(chosen.randrange(1, 5))]
        ignore, out = Ignore(lines), False
        state = ignore.start
        for depth in range(1, len(path) + 1):
            out, state = ignore.look("/".join(path[:depth]), state)
        assert out == PatternMatcher(lines).matches("/".join(path)), (lines, path)


def test_the_files_and_their_bytes(project):
    """The context holds every file that is not ignored, sorted, with its bytes; bytes under a folder add up."""
    folder = project(
        {"b/c/d": "12345", "b/e": "1", "a": "12", "out/x": "123", ".dockerignore": "out\n.dockerignore\n"}
    )
    context = read_context(folder, "Dockerfile")
    assert dict(zip(context.paths, context.sizes, strict=True)) == {"a": 2, "b/c/d": 5, "b/e": 1}
    assert (context.size_bytes, context.bytes_under("b"), context.bytes_under("b/c"), context.bytes_under("x")) == (
        8,
        6,
        5,
        0,
    )
    assert context.largest() == (("b/", 6), ("a", 2))


def test_a_name_that_begins_like_a_folder_is_not_in_it(project):
    """`lib-x` and `lib.c` are not under `lib`."""
    context = read_context(project({"lib/a": "1", "lib-x/a": "22", "lib.c": "333", "lib0": "4444"}), "Dockerfile")
    assert context.bytes_under("lib") == 1


def test_the_dockerfiles_own_ignore_file_goes_first(project):
    """`<Dockerfile>.dockerignore` is applied in place of .dockerignore, as BuildKit does."""
    folder = project({"a": "1", "b": "1", ".dockerignore": "a\n", "api.Dockerfile.dockerignore": "b\n*ignore\n"})
    assert read_context(folder, "api.Dockerfile").paths == ("a",)
    assert read_context(folder, "api.Dockerfile").ignore_file == "api.Dockerfile.dockerignore"
    assert "a" not in read_context(folder, "Dockerfile").paths


def test_an_ignored_folder_is_not_walked(project, monkeypatch):
    """A folder that is left out is looked into only where a line with `!` may bring something of it back."""
    folder = project({"node_modules/a/b": "1", "docs/x/y": "1", "docs/keep": "1", ".dockerignore": ""})
    (folder / ".dockerignore").write_text("node_modules\ndocs\n!docs/keep\n.dockerignore\n")
    walked = []
    scandir = os.scandir
    monkeypatch.setattr(reading.os, "scandir", lambda path: walked.append(str(path)) or scandir(path))
    assert read_context(folder, "Dockerfile").paths == ("docs/keep",)
    assert sorted(one.removeprefix(str(folder)) for one in walked) == ["", "/docs"]


def test_links_are_counted_and_never_followed(project, tmp_path):
    """A symlink counts its own few bytes, so a loop of links and a link out of the context do no harm."""
    folder = project({"a/file": "123"})
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "big").write_bytes(b"0" * 100_000)
    (folder / "a" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "out").symlink_to(tmp_path / "outside", target_is_directory=True)
    (folder / "dangling").symlink_to("nowhere")
    context = read_context(folder, "Dockerfile")
    assert context.paths == ("a/file", "a/loop", "dangling", "out")
    assert context.size_bytes < 1000
    assert context.read("out") == ""


def test_what_no_build_sends_is_passed_over(project):
    """A named pipe is no file of the context, and nothing waits for it."""
    folder = project({"a": "1"})
    os.mkfifo(folder / "pipe")
    assert read_context(folder, "Dockerfile").paths == ("a",)


def test_folders_that_cannot_be_read(project, monkeypatch):
    """A folder inside that cannot be read is named in the notes; the context itself is an error of the tree."""
    folder = project({"Dockerfile": "FROM scratch\nUSER 1\n", "locked/a": "1"})
    scandir, locked = os.scandir, {folder / "locked"}

    def refusing(path):
        if path in locked:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(reading.os, "scandir", refusing)
    assert "The folder 'locked' of the context could not be read." in examine(folder).notes
    locked.add(folder)
    with pytest.raises(ProjectNotFound, match="cannot be read: Permission denied") as caught:
        examine(folder)
    assert caught.value.hint


def test_an_ignore_file_that_cannot_be_read(project):
    """A pattern that docker build refuses is an error of the tree, with the pattern in it."""
    folder = project({"Dockerfile": "FROM scratch\n", ".dockerignore": "ok\n[\n"})
    with pytest.raises(DockerfileError, match=r"\.dockerignore cannot be read: Invalid ignore pattern '\['"):
        examine(folder)


def test_a_large_context_is_read_once(tmp_path, monkeypatch):
    """Each folder of a large context is listed once, and what is left out is not listed at all."""
    for outer in range(40):
        inner = tmp_path / f"d{outer}" / "node_modules" / "deep"
        inner.mkdir(parents=True)
        for number in range(50):
            (tmp_path / f"d{outer}" / f"f{number}").touch()
    (tmp_path / "Dockerfile").write_text("FROM alpine:3.20\nCOPY . /app\nUSER 1\n")
    (tmp_path / ".dockerignore").write_text("**/node_modules\n")
    walked = []
    scandir = os.scandir
    monkeypatch.setattr(reading.os, "scandir", lambda path: walked.append(path) or scandir(path))
    assert examine(tmp_path).context.files == 2002
    assert len(walked) == len(set(walked)) == 41


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (".", [""]), ("./", [""]), ("/", [""]), ("a", ["a"]), ("./a/", ["a"]), ("/a/b.py", ["a/b.py"]),
        ("*.md", ["x.md"]), ("a/*.py", ["a/b.py"]), ("*/b.py", ["a/b.py"]), ("?", ["a"]), ("no", []), ("../x", []),
        ("no*", []),
    ],
)  # fmt: skip
def test_what_a_copy_names(project, source, found):
    """A COPY's source is a path from the root or a pattern that stops at slashes; only what is there counts."""
    context = read_context(project({"a/b.py": "1", "x.md": "1"}), "Dockerfile")
    assert matching(context, source) == found
