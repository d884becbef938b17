"""Who may come in: names, logins, codes and their hashes."""

from __future__ import annotations

import json

import pytest

from dmhelpers.errors import InputError
from dmhelpers.workshop import roster


def test_names_are_lines_without_remarks(tmp_path):
    """A roster is one name a line; blank lines and remarks do not count, a byte order mark does no harm."""
    file = tmp_path / "names.txt"
    file.write_text("\ufeff# the class\nZoë de Vries\n\n  Li Wei \n", encoding="utf-8")
    assert roster.read_names(file) == ("Zoë de Vries", "Li Wei")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "holds no name"),
        ("# nobody\n", "holds no name"),
        ("Ann B\nann-b\n", "'ann-b'"),
        ("李\n", "李"),
        ("Ann\nInstructor\n", "your own card"),
    ],
)
def test_a_roster_that_cannot_be_meant_is_refused(tmp_path, content, named):
    """No name, two with one login, one without Latin letters, and the instructor's own are errors that name it."""
    file = tmp_path / "names.txt"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=named):
        roster.read_names(file)


def test_a_roster_that_is_not_there_is_an_explained_error(tmp_path):
    """A file that is missing, or is no text, is an InputError."""
    (tmp_path / "picture").write_bytes(b"\xff\xfe\x00\xd8")
    for name in ("nowhere", "picture"):
        with pytest.raises(InputError, match="cannot be read"):
            roster.read_names(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "login"), [("Zoë de Vries", "zoe-de-vries"), ("O'Neil, Pat", "o-neil-pat"), ("seat 07", "seat-07")]
)
def test_a_login_is_small_letters_digits_and_hyphens(name, login):
    """A login has no accent, space or capital, so that it can be typed anywhere."""
    assert roster.login_of(name) == login


def test_a_code_admits_its_own_login_only(tmp_path):
    """A code works for its own login, in any case and with spaces around it; another's does not, nor does none."""
    learners, made = roster.enrol(["Ann", "Ben"])
    roster.save(tmp_path / "roster.json", learners)
    people = roster.load(tmp_path / "roster.json")
    ann, ben = made
    assert roster.admits(people, "ann", f" {ann.code.upper()} ")
    assert not roster.admits(people, "ann", ben.code)
    assert not roster.admits(people, "ann", "")
    assert not roster.admits(people, "nobody", ann.code)


def test_no_code_is_written_to_the_roster(tmp_path):
    """The roster's file holds hashes, and only its owner may read it."""
    learners, made = roster.enrol(["Ann"])
    file = tmp_path / "roster.json"
    roster.save(file, learners)
    assert made[0].code not in file.read_text()
    assert json.loads(file.read_text())[0]["login"] == "ann"
    assert file.stat().st_mode & 0o077 == 0


def test_codes_differ_and_hold_no_symbol_that_is_read_as_another():
    """A code is three groups of four symbols without i, l, o, 0 and 1; no two of a hundred are equal."""
    codes = {roster.new_code() for _ in range(100)}
    assert len(codes) == 100
    assert not set("ilo01") & set("".join(codes))
    assert all([len(group) for group in one.split("-")] == [4, 4, 4] for one in codes)
