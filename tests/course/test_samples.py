"""Working copies: whole or not at all, used as they are, reset without losing a line."""

from __future__ import annotations

import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dmhelpers.course import sample_files, sample_info
from dmhelpers.course.sample_info import original, samples
from dmhelpers.course.samples import sample, workspace_folder
from dmhelpers.errors import InputError, NameTaken, SampleNotFound


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Give each test an empty workspace of its own."""
    folder = tmp_path / "workspace"
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(folder))
    return folder


def content(folder):
    """Return each file's bytes by its path in the folder."""
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.mark.parametrize("name", samples())
def test_a_copy_holds_the_project_without_the_course_own_notes(name, workspace):
    """A copy equals the original file for file, except that sample.toml stays behind."""
    project = sample(name)
    expected = content(original(name))
    del expected["sample.toml"]
    assert project.path == workspace / name
    assert content(project.path) == expected


def test_a_copy_is_where_its_path_says():
    """A sample stands for its folder wherever a path is asked for."""
    project = sample("my-api")
    assert Path(project) == Path(os.fspath(project)) == Path(str(project)) == project.path


def test_executable_files_stay_executable():
    """`verify` can be run in the copy, and the Dockerfile is no program."""
    project = sample("my-api")
    assert os.access(project.path / "verify", os.X_OK)
    assert not (project.path / "Dockerfile").stat().st_mode & 0o111


def test_a_copy_of_a_read_only_original_can_be_changed(tmp_path):
    """An installed package may be read-only; what is copied from it belongs to the learner."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "Dockerfile").write_text("FROM scratch\n")
    (source / "Dockerfile").chmod(0o444)
    sample_files.copy(source, tmp_path / "copy")
    assert stat.S_IMODE((tmp_path / "copy" / "Dockerfile").stat().st_mode) == 0o644


def test_generated_folders_of_the_original_are_not_copied(tmp_path):
    """Packages and compiled files that somebody left in the original do not reach a learner."""
    source = tmp_path / "source"
    for one in ("node_modules/a.js", "dist/b.js", "src/c.ts", "sample.toml"):
        (source / one).parent.mkdir(parents=True, exist_ok=True)
        (source / one).touch()
    sample_files.copy(source, tmp_path / "copy")
    assert list(content(tmp_path / "copy")) == ["src/c.ts"]


def test_the_second_call_keeps_what_the_learner_did():
    """A copy that is there is used as it is."""
    project = sample("my-api")
    (project.path / "Dockerfile").write_text("FROM mine\n")
    (project.path / ".dockerignore").unlink()
    again = sample("my-api")
    assert (again.path / "Dockerfile").read_text() == "FROM mine\n"
    assert not (again.path / ".dockerignore").exists()


def test_the_original_is_never_written_to():
    """Whatever happens to the copy, the original stays."""
    before = content(original("go-server"))
    project = sample("go-server")
    for one in project.path.iterdir():
        one.write_text("changed")
    project.reset()
    assert content(original("go-server")) == before


def test_an_unknown_name_offers_near_ones():
    """A typo gets the name that was probably meant, and makes no folder."""
    with pytest.raises(SampleNotFound, match="'my-api'"):
        sample("my-apl")


@pytest.mark.parametrize("name", ["", ".", "..", "../my-api", "my-api/src", "/etc", "MY-API"])
def test_only_names_of_samples_lead_to_a_folder(name, workspace):
    """No name leads out of the folder of originals or into one of them."""
    with pytest.raises(SampleNotFound):
        sample(name)
    assert not workspace.exists()


@pytest.mark.parametrize("kind", ["folder", "file", "link", "dangling link"])
def test_what_is_in_the_way_stays(kind, workspace, tmp_path):
    """A folder, file or link of that name which the course did not make is left alone, and named."""
    workspace.mkdir()
    path = workspace / "my-api"
    if kind == "folder":
        path.mkdir()
        (path / "mine.txt").write_text("mine")
    elif kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to(tmp_path if kind == "link" else tmp_path / "nowhere")
    before = os.lstat(path)
    with pytest.raises(NameTaken, match="my-api") as caught:
        sample("my-api")
    assert "workspace=" in caught.value.hint
    assert os.lstat(path) == before
    assert [one.name for one in workspace.iterdir()] == ["my-api"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device", "x")])
def test_an_interrupted_copy_is_not_taken_for_a_whole_one(error, workspace, monkeypatch):
    """A copy that was cut short leaves nothing behind, and the next call makes a whole one."""
    calls = []

    def copy_some(source, target):
        calls.append(source)
        if len(calls) == 4:
            raise error
        shutil.copyfile(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(sample_files, "_copy_file", copy_some)
        with pytest.raises((KeyboardInterrupt, InputError)):
            sample("my-api")
    assert list(workspace.iterdir()) == []
    assert "sample.toml" not in content(sample("my-api").path)
    assert content(sample("my-api").path).keys() | {"sample.toml"} == content(original("my-api")).keys()


def test_many_at_once_make_one_whole_copy(workspace):
    """Two notebooks that start at the same time share one copy, and neither fails."""
    with ThreadPoolExecutor(8) as pool:
        projects = list(pool.map(sample, ["my-api"] * 24))
    assert len(set(projects)) == 1
    assert sorted(one.name for one in workspace.iterdir()) == [".samples", "my-api"]
    assert projects[0].reset().saved is None


def test_reset_restores_and_saves_what_was_changed_or_added():
    """Changed and added files move to a dated folder; changed, missing and renamed ones come back."""
    project = sample("my-api")
    pristine = content(project.path)
    (project.path / "Dockerfile").write_text("FROM mine\n")
    (project.path / "src" / "routes" / "mine.ts").write_text("// mine\n")
    (project.path / "src" / "server.ts").unlink()
    (project.path / "dist").mkdir()
    (project.path / "dist" / "server.js").write_text("// compiled\n")
    reset = project.reset()
    assert content(project.path) == pristine
    assert reset.saved.parent == project.path.parent / ".saved"
    assert reset.saved.name.startswith("my-api-20")
    assert content(reset.saved) == {
        "Dockerfile": b"FROM mine\n",
        "src/routes/mine.ts": b"// mine\n",
        "dist/server.js": b"// compiled\n",
    }
    assert not (project.path / "dist").exists()


def test_resets_within_one_second_save_apart():
    """Each reset gets a folder of its own, so that a later one overwrites nothing."""
    project = sample("my-api")
    saved = []
    for number in range(3):
        (project.path / "Dockerfile").write_text(f"FROM {number}\n")
        saved.append(project.reset().saved)
    assert [(one / "Dockerfile").read_text() for one in saved] == ["FROM 0\n", "FROM 1\n", "FROM 2\n"]


def test_reset_of_an_unchanged_copy_saves_nothing(workspace):
    """Where the learner changed nothing, nothing is moved."""
    project = sample("go-server")
    assert project.reset().saved is None
    assert not (workspace / ".saved").exists()


def test_reset_brings_back_a_deleted_copy():
    """A copy that the learner deleted is made again."""
    project = sample("go-server")
    pristine = content(project.path)
    shutil.rmtree(project.path)
    project.reset()
    assert content(project.path) == pristine


def test_reset_undoes_files_folders_and_links_that_changed_places(tmp_path):
    """A folder where a file was, a file where a folder was, and links to elsewhere end as they began."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep.txt").write_text("keep")
    project = sample("my-api")
    pristine = content(project.path)
    (project.path / "Dockerfile").unlink()
    (project.path / "Dockerfile" / "deep").mkdir(parents=True)
    shutil.rmtree(project.path / "src")
    (project.path / "src").write_text("a file now")
    shutil.rmtree(project.path / "test")
    (project.path / "test").symlink_to(outside)
    (project.path / "verify").chmod(0o644)
    saved = project.reset().saved
    assert content(project.path) == pristine
    assert os.access(project.path / "verify", os.X_OK)
    assert (saved / "src").read_text() == "a file now"
    assert (saved / "test").is_symlink()
    assert content(outside) == {"keep.txt": b"keep"}


def test_reset_follows_a_newer_course(tmp_path, monkeypatch):
    """Files that only the course changed since the copy was made are replaced, not saved as the learner's."""
    monkeypatch.setattr(sample_info, "_PACKAGE", tmp_path / "dmhelpers")
    source = tmp_path / "dmhelpers" / "sample_projects" / "demo"
    source.mkdir(parents=True)
    (source / "sample.toml").write_text('title = "Demo"\norder = 1\n')
    (source / "Dockerfile").write_text("FROM old\n")
    (source / "gone.txt").write_text("only in the old course\n")
    project = sample("demo")
    (source / "Dockerfile").write_text("FROM new\n")
    (source / "gone.txt").unlink()
    assert project.reset().saved is None
    assert content(project.path) == {"Dockerfile": b"FROM new\n"}


def test_reset_of_what_is_no_longer_ours_stays_away(workspace):
    """Without the note of what was copied, a folder counts as the learner's own."""
    project = sample("my-api")
    shutil.rmtree(workspace / ".samples")
    with pytest.raises(NameTaken):
        project.reset()


def test_a_damaged_note_makes_every_difference_the_learners():
    """Where the note cannot be read, what differs from the original is saved rather than lost."""
    project = sample("my-api")
    (project.path.parent / ".samples" / "my-api.json").write_text("{")
    (project.path / "Dockerfile").write_text("FROM mine\n")
    assert content(project.reset().saved) == {"Dockerfile": b"FROM mine\n"}


def test_a_workspace_that_is_a_file_is_refused(workspace):
    """A workspace that cannot be a folder gets an error that says how to choose another."""
    workspace.write_text("a file")
    with pytest.raises(InputError, match="cannot be used") as caught:
        sample("my-api")
    assert "DMHELPERS_WORKSPACE" in caught.value.hint


def test_the_workspace_is_chosen_by_argument_then_environment_then_checkout(tmp_path, monkeypatch, workspace):
    """An argument beats the environment, which beats the repository's own workspace."""
    root = Path(sample_info.__file__).parents[2]
    assert workspace_folder(tmp_path / "other") == tmp_path / "other"
    assert workspace_folder() == workspace
    monkeypatch.delenv("DMHELPERS_WORKSPACE")
    assert workspace_folder() == root / "workspace"


def test_an_installed_package_carries_its_samples(tmp_path, monkeypatch):
    """Installed from a wheel, the originals are inside the package and copies go to the current folder."""
    package = tmp_path / "site" / "dmhelpers"
    shutil.copytree(original("go-server"), package / "sample_projects" / "go-server")
    monkeypatch.setattr(sample_info, "_PACKAGE", package)
    monkeypatch.delenv("DMHELPERS_WORKSPACE")
    monkeypatch.chdir(tmp_path)
    assert samples() == ("go-server",)
    assert sample("go-server").path == tmp_path / "workspace" / "go-server"


def test_paths_with_spaces_and_other_scripts_work(tmp_path):
    """A workspace may be named in any language."""
    project = sample("go-server", workspace=tmp_path / "mes exercices é 日本")
    assert (project.path / "go.mod").is_file()


def test_the_tree_lists_files_before_folders_and_leaves_generated_ones_closed():
    """The tree is the same on every machine, and node_modules does not flood it."""
    project = sample("go-server")
    (project.path / "node_modules" / "typescript").mkdir(parents=True)
    (project.path / "cmd").mkdir()
    (project.path / "cmd" / "main.go").touch()
    assert project.files().splitlines()[0] == "go-server/"
    assert project.files().splitlines()[-3:] == ["├── cmd/", "│   └── main.go", "└── node_modules/ …"]


def test_what_is_shown_holds_no_path_of_this_machine(tmp_path):
    """A notebook's output is the same wherever the course is, as text and as HTML."""
    project = sample("my-api")
    (project.path / "<b>.txt").touch()
    for shown in (repr(project), project._repr_html_(), repr(project.reset())):
        assert str(tmp_path) not in shown
        assert "workspace/my-api" in shown
    assert "<b>" not in project._repr_html_()
    assert "├── Dockerfile\n" in repr(project)
