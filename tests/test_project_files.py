"""The project's own files agree with each other."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"docker": "docker-py"}


def _required() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    return {*project["dependencies"], *(one for extra in extras for one in extra)}


def _conda() -> tuple[set[str], set[str]]:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    by_pip = next(one["pip"] for one in listed if isinstance(one, dict))
    return {one for one in listed if isinstance(one, str)}, set(by_pip)


def _name(requirement: str) -> str:
    return re.split(r"[<>=!~\[ ;]", requirement, maxsplit=1)[0].lower()


def test_conda_environment_equals_pyproject() -> None:
    """environment.yml asks for the packages and bounds of pyproject.toml, extras included, and for nothing else."""
    by_conda, by_pip = _conda()
    conda_words = {CONDA_NAMES.get(_name(one), _name(one)) + one[len(_name(one)) :] for one in _required()}
    pip_words = by_pip - {"--editable ."}
    assert by_conda - {"pip", "python>=3.11"} == conda_words - pip_words
    assert pip_words <= conda_words


def test_conda_environment_is_grouped_under_comments() -> None:
    """Every group of pyproject.toml's packages stands under a comment in environment.yml."""
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    comments = [line.strip(" #") for line in lines if line.startswith("  #")]
    assert comments[:3] == ["the engine", "tables and plots", "the notebooks"]


def test_constraints_pin_every_requirement_within_its_bounds() -> None:
    """constraints.txt holds one exact version for each required package, and it satisfies the requirement."""
    from packaging.requirements import Requirement

    pinned = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, version = re.match(r"([\w.-]+)==([^\s;]+)", line).groups()
        pinned.setdefault(name.lower(), set()).add(version)
    for text in _required():
        requirement = Requirement(text)
        versions = pinned[requirement.name.lower()]
        assert all(requirement.specifier.contains(version) for version in versions), text


def test_constraints_name_no_address() -> None:
    """constraints.txt holds names and versions only: no registry's address and no path."""
    assert not re.search(r"://|@ |^-", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)


def test_help_lists_every_target_with_a_sentence() -> None:
    """Each target of the Makefile has a sentence that `make help` prints."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE).group(1).split()
    explained = re.findall(r"^([a-z-]+):.*## [A-Z].*\.$", text, re.MULTILINE)
    assert sorted(phony) == sorted(explained)


@pytest.mark.parametrize(
    "script", ["scripts/setup.sh", "scripts/lab.sh", "scripts/chromium.sh", "scripts/debootstrap.sh"]
)
def test_posix_scripts_parse(script: str) -> None:
    """Scripts that say /bin/sh are read without complaint by the system's sh."""
    subprocess.run(["sh", "-n", ROOT / script], check=True, timeout=300)


@pytest.mark.parametrize("script", [".ci/run", "tests/bare/run.sh"])
def test_bash_scripts_parse_and_stop_at_errors(script: str) -> None:
    """Scripts that say bash parse, and stop at the first command that fails."""
    subprocess.run(["bash", "-n", ROOT / script], check=True, timeout=300)
    assert re.search(r"^set -eu", (ROOT / script).read_text(encoding="utf-8"), re.MULTILINE)
