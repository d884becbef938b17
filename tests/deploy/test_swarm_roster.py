"""The roster of a Swarm: written before the hub is there, again whenever somebody joins or leaves."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dmhelpers.workshop import roster, swarm_roster

URL = "http://192.0.2.11:8000"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Make the shared folder, with a class of two in a file beside it."""
    (tmp_path / "names.txt").write_text("Ann\nBen\n", encoding="utf-8")
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


def _write(shared: Path, names: str = "") -> int:
    file = shared.parent / "names.txt"
    if names:
        file.write_text(names, encoding="utf-8")
    return swarm_roster.main([str(file), str(shared), URL])


def _codes(page: str) -> list[str]:
    return re.findall(r"\b(?:[a-z2-9]{4}-){2}[a-z2-9]{4}\b", page)


def test_cards_let_in_whom_the_roster_names(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each learner and the instructor have a card with a code that admits them, and a login for `prepare-node`."""
    assert _write(shared) == 0
    page = capsys.readouterr().out
    people = roster.load(shared / "roster.json")
    assert [one.login for one in people.values() if one.instructor] == ["instructor"]
    admitted = [roster.admits(people, login, code) for login, code in zip(people, _codes(page), strict=True)]
    assert admitted == [True, True, True]
    assert URL in page
    assert (shared / "seats").read_text(encoding="utf-8") == "ann\nben\ninstructor\n"
    assert stat.S_IMODE((shared / "roster.json").stat().st_mode) == 0o600


def test_who_stays_keeps_their_code(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second time only who is new gets a card, who is gone from the file is out, and all other codes stay."""
    _write(shared)
    before = roster.load(shared / "roster.json")
    capsys.readouterr()
    assert _write(shared, "Ann\nCid\n") == 0
    after = roster.load(shared / "roster.json")
    (code,) = _codes(capsys.readouterr().out)
    assert roster.admits(after, "cid", code)
    assert set(after) == {"ann", "cid", "instructor"}
    assert (after["ann"], after["instructor"]) == (before["ann"], before["instructor"])
    assert _write(shared) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("names", ["Ann\nInstructor\n", "Ann\nann\n"])
def test_names_that_cannot_be_meant_change_nothing(
    shared: Path, names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two people of one login are an error on one line and its cure; no card is printed and nothing is written."""
    assert _write(shared, names) == 1
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 2)
    assert list(shared.iterdir()) == []


def test_missing_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the shared folder, a mount that is not there say, the message names it, and none is made."""
    assert swarm_roster.main(["names.txt", str(tmp_path / "nowhere"), URL]) == 1
    assert str(tmp_path / "nowhere") in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
    assert swarm_roster.main([]) == 2


def test_no_roster_without_its_cards(shared: Path) -> None:
    """Where the cards cannot be written, to a full disk say, nobody is enrolled with a code that nobody has."""
    command = [sys.executable, "-m", "dmhelpers.workshop.swarm_roster", str(shared.parent / "names.txt")]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*command, str(shared), URL], stdout=full, stderr=subprocess.PIPE, timeout=300, check=False
        )
    assert done.returncode != 0
    assert b"No space left" in done.stderr
    assert list(shared.iterdir()) == []
