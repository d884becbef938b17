"""What a pack gathers of the course itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dmhelpers.cli import main
from dmhelpers.course.notebooks import NAMES
from dmhelpers.course.packing import course_files

ROOT = Path(__file__).parent.parent.parent


def test_every_notebook_and_what_setup_needs_goes_along() -> None:
    """Learner copies, solutions, samples with their lockfiles, and what `make setup` reads are in a pack."""
    packed = course_files(ROOT)
    wanted = [f"notebooks/{name}.ipynb" for name in NAMES] + [f"notebooks/solutions/{name}.ipynb" for name in NAMES]
    wanted += ["Makefile", "pyproject.toml", "constraints.txt", "scripts/setup.sh", "dmhelpers/cli.py"]
    wanted += [one.relative_to(ROOT).as_posix() for one in (ROOT / "sample_projects").glob("*/package-lock.json")]
    assert {f"course/{one}" for one in wanted} <= packed.keys()


@pytest.mark.parametrize("by_git", [True, False], ids=["git", "plain copy"])
def test_what_is_made_or_private_stays(tmp_path: Path, by_git: bool) -> None:
    """What the course makes in its folder is not packed; of a Git checkout nothing is that Git does not know."""
    for path in ("README.md", "notebooks/00.ipynb", "workspace/mine.txt", ".venv/bin/python", "build/x", ".env"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    if by_git:
        for command in (["init", "-q"], ["add", "README.md", "notebooks"]):
            subprocess.run(["git", "-C", str(tmp_path), *command], check=True, timeout=120)
    kept = {"course/README.md", "course/notebooks/00.ipynb"}
    assert course_files(tmp_path).keys() - {"course/.env"} == kept
    assert not by_git or course_files(tmp_path).keys() == kept


def test_a_folder_is_no_place_for_a_pack(tmp_path: Path, capsys) -> None:
    """`--output` that names a folder is refused before anything is fetched, and nothing is left in it."""
    assert main(["pack", "--output", str(tmp_path)]) == 1
    assert "is a folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.engine
@pytest.mark.one_store
def test_a_pack_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch, unchanged_engine, capsys) -> None:
    """Where npm's packages cannot be had, the command says so, and neither a file nor a container is left."""
    from dmhelpers.engine.pack import npm

    lacking = (npm.Package("@dmhelpers-test/there-is-none", "1.0.0", "sha512-YQ=="),)
    monkeypatch.setattr("dmhelpers.engine.pack.npm.packages", lambda _: lacking)
    assert main(["pack", "--output", str(tmp_path / "pack.tar")]) == 1
    assert "could not be downloaded in a container of node:20-alpine" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
