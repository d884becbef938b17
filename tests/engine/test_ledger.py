"""The ledger of what the course made: written, read and struck, under several processes too."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dmhelpers.engine import ledger

ENGINE = "AB:CD:an engine's own ID"


@pytest.fixture(autouse=True)
def own_ledger(tmp_path, monkeypatch):
    """Have an empty ledger."""
    monkeypatch.setenv("DMHELPERS_HOME", str(tmp_path))
    return tmp_path


def test_an_empty_ledger_knows_nothing():
    """Reading before anything was written gives nothing, and makes no folder."""
    assert ledger.recorded(ENGINE, "image") == frozenset()
    ledger.forget(ENGINE, "image", ["sha256:1"])


def test_what_is_recorded_is_read_back():
    """IDs are read back as they were, colons and plus signs included, by engine and by kind."""
    ids = {"sha256:" + "a" * 64, "c0ffee", "a_volume-name.1"}
    ledger.record(ENGINE, "image", ids)
    ledger.record(ENGINE, "image", ids)
    assert ledger.recorded(ENGINE, "image") == ids
    assert ledger.recorded(ENGINE, "container") == frozenset()
    assert ledger.recorded("another engine", "image") == frozenset()


def test_what_is_struck_is_gone():
    """A struck ID is gone and the others stay; striking an unknown one is nothing."""
    ledger.record(ENGINE, "cache", ["one", "two"])
    ledger.forget(ENGINE, "cache", ["one", "three"])
    assert ledger.recorded(ENGINE, "cache") == {"two"}


def test_several_processes_write_at_once(own_ledger):
    """Two processes that write at the same time lose nothing."""
    code = f"""
import sys
from dmhelpers.engine import ledger
ledger.record({ENGINE!r}, "image", [f"{{sys.argv[1]}}-{{n}}" for n in range(200)])
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("a", "b", "c")]
    assert [one.wait(300) for one in writers] == [0, 0, 0]
    assert len(ledger.recorded(ENGINE, "image")) == 600


def test_file_names_suit_every_system(own_ledger):
    """No file of the ledger has a name that Windows refuses."""
    ledger.record(ENGINE, "image", ["sha256:1"])
    for path in own_ledger.rglob("*"):
        assert not set('<>:"|?*') & set(path.name)
