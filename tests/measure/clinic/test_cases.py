"""The twelve case folders: each good Dockerfile gets no advice, each bad one the planted faults with their lines."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from dmhelpers.measure.clinic import examine

DATA = Path(__file__).parents[2] / "data" / "clinic"
CASES = sorted(one.name for one in DATA.iterdir())
GOOD = [name for name in CASES if name.endswith("-good")]


def expected_of(name):
    """Return what the case's expected.toml says."""
    return tomllib.loads((DATA / name / "expected.toml").read_text(encoding="utf-8"))


def copy_of(name, folder):
    """Copy a case without its expectations, and make the large files that it asks for."""
    shutil.copytree(DATA / name, folder, ignore=shutil.ignore_patterns("expected.toml"))
    for one in expected_of(name).get("make", ()):
        path = folder / one["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(one["size_bytes"])
    return folder


def test_there_are_twelve_cases_with_five_good_ones():
    """There are twelve cases, and a good one for each of five languages."""
    assert len(CASES) == 12
    assert {one.partition("-")[0] for one in GOOD} == {"python", "node", "go", "java", "rust"}
    assert all("advice" not in expected_of(one) for one in GOOD)


@pytest.mark.parametrize("name", CASES)
def test_the_faults_are_named_with_their_lines_and_nothing_else(name, tmp_path):
    """Every planted fault is named at its line, and nothing else is."""
    found = examine(copy_of(name, tmp_path / name)).advice
    wanted = sorted((one["line"], one["rule"]) for one in expected_of(name).get("advice", ()))
    assert sorted((one.line, one.rule) for one in found) == wanted
