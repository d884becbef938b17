"""`%%dockerfile`: the cell is the Dockerfile, in the right place or nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from dmhelpers.course import magic
from dmhelpers.course.magic import Notice, write_and_build
from dmhelpers.course.samples import sample
from dmhelpers.engine.cleanup import cleanup
from dmhelpers.errors import InputError, ProjectNotFound
from dmhelpers.show.builds import Build

CELL = "FROM scratch\nCOPY package.json /\n"


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Give each test an empty workspace of its own."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


@pytest.fixture
def shell():
    """Give an IPython shell with the course's extension loaded, as in a notebook."""
    made = InteractiveShell()
    made.run_line_magic("load_ext", "dmhelpers")
    yield made
    InteractiveShell.clear_instance()


def test_loading_the_extension_brings_the_magic(shell):
    """`%load_ext dmhelpers` is all it takes, and the magic explains itself."""
    found = shell.magics_manager.magics["cell"]["dockerfile"]
    assert "--no-build" in found.__doc__


def test_the_cell_is_written_as_it_is(shell, workspace):
    """A variable with a sample stands for its folder; the file is the cell, byte for byte."""
    shell.user_ns["project"] = sample("my-api")
    shown = shell.run_cell_magic("dockerfile", "project --no-build --file Dockerfile.mine", "FROM scratch\n# é\n")
    assert str(shown) == "Written: my-api/Dockerfile.mine. Nothing was built."
    assert (workspace / "my-api" / "Dockerfile.mine").read_bytes() == "FROM scratch\n# é\n".encode()


@pytest.mark.parametrize("given", ["path", "text", "sample's name"])
def test_a_project_can_be_named_in_many_ways(given, workspace):
    """A path, a text with a path, and a sample's own name all lead to the folder."""
    folder = sample("my-api").path
    names = {"path": {"it": folder}, "text": {"it": str(folder)}, "sample's name": {}}[given]
    line = "my-api" if given == "sample's name" else "it"
    write_and_build(f"{line} --no-build", CELL, names)
    assert (folder / "Dockerfile").read_text() == CELL


def test_a_variable_comes_before_a_sample_of_the_same_name(tmp_path):
    """What the notebook calls by a name is what the name means."""
    (tmp_path / "own").mkdir()
    write_and_build("my-api --no-build", CELL, {"my-api": tmp_path / "own"})
    assert (tmp_path / "own" / "Dockerfile").read_text() == CELL


def test_a_new_project_is_made_only_when_asked(workspace):
    """A mistyped name makes no folder; `--new` does, once, and later cells find it without."""
    with pytest.raises(ProjectNotFound, match="'first-stages'") as caught:
        write_and_build("first-stages --no-build", CELL, {"project": sample("my-api").path})
    assert "%%dockerfile first-stages --new" in caught.value.hint
    write_and_build("first-stages --new --no-build", CELL, {})
    write_and_build("first-stages --no-build", "FROM scratch AS two\n", {})
    assert (workspace / "first-stages" / "Dockerfile").read_text() == "FROM scratch AS two\n"


def test_a_near_name_is_offered():
    """A mistyped variable is answered with the one that was meant."""
    with pytest.raises(ProjectNotFound) as caught:
        write_and_build("projct", CELL, {"project": sample("my-api").path})
    assert "'project'" in caught.value.hint


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("", "no instruction"),
        ("# Your turn\n\n", "no instruction"),
        ("FROM ... AS builder\n", "line 1 of"),
        ('FROM scratch\n# ...\nCOPY --from=... /a /b\nCMD ["…"]\n', "lines 3, 4 of the Dockerfile still have"),
    ],
)
def test_an_unfinished_cell_changes_nothing(cell, told, workspace):
    """A cell of comments, or with a placeholder left in it, is neither written nor built, and raises nothing."""
    project = sample("my-api").path
    before = (project / "Dockerfile").read_bytes()
    shown = write_and_build("project", cell, {"project": project})
    assert isinstance(shown, Notice)
    assert shown.text.startswith("Not finished yet")
    assert told in shown.text
    assert (project / "Dockerfile").read_bytes() == before


@pytest.mark.parametrize("line", ["RUN go build ./...", 'RUN echo "wait..."', "COPY a... /b"])
def test_three_dots_within_a_word_are_no_placeholder(line):
    """`./...` is Go's own way to write all packages."""
    assert magic._unfinished(f"FROM scratch\n{line}\n") == ""


@pytest.mark.parametrize("name", ["../Dockerfile", "/etc/motd", "src", ".", "src/../../x"])
def test_no_file_outside_the_project_is_written(name):
    """`--file` stays inside the project and is not a folder."""
    project = sample("my-api").path
    with pytest.raises(InputError, match="not a file inside the project 'my-api'"):
        write_and_build(f"project --no-build --file {name}", CELL, {"project": project})


@pytest.mark.parametrize("line", ["", "project --tga x", "project extra", "project --file", "project 'open"])
def test_a_line_that_cannot_be_read_is_answered_with_the_right_form(line):
    """A wrong option is an error of the course with the usage as its cure, and ends no kernel."""
    with pytest.raises(InputError) as caught:
        write_and_build(line, CELL, {})
    assert magic.USAGE in caught.value.hint


def test_a_folder_that_is_gone_is_named(tmp_path):
    """A variable that points nowhere is said, with the folder."""
    with pytest.raises(ProjectNotFound, match="'it' stands for"):
        write_and_build("it", CELL, {"it": tmp_path / "gone"})


def test_an_error_shows_as_the_course_s_own(shell, capsys):
    """In a notebook a mistake shows two lines, not our stack."""
    shell.run_cell("%%dockerfile nowhere\nFROM scratch\n")
    printed = capsys.readouterr().out
    assert printed.startswith("ProjectNotFound: 'nowhere'")
    assert "Traceback" not in printed


@pytest.mark.engine
@pytest.mark.one_store
def test_the_result_is_the_build(shell):
    """The cell is built with the stage and the tag that the line asks for, and gives the same `Build`."""
    shell.user_ns["project"] = sample("my-api")
    cell = "FROM scratch AS one\nCOPY package.json /\nFROM scratch AS two\nCOPY tsconfig.json /\n"
    result = shell.run_cell(
        f"%%dockerfile project --target one --tag dmhelpers-test-magic:one --quiet\n{cell}"
    ).result
    try:
        assert isinstance(result, Build)
        assert result.tag == "dmhelpers-test-magic:one"
        assert list(result.stages["state"])[1] == "not built"
        assert (Path(shell.user_ns["project"]) / "Dockerfile").read_text() == cell
    finally:
        cleanup()
