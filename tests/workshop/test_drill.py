"""A rehearsal for real, small: everything breaks in the middle of it, everybody reaches the verdict; and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from dmhelpers.errors import NotFound
from dmhelpers.workshop import preparing, rehearsal, report, settings
from dmhelpers.workshop.settings import Limits

pytestmark = [pytest.mark.engine, pytest.mark.private_engine, pytest.mark.one_store, pytest.mark.timeout(1500)]

ENDS_WITHIN_S = 600


def test_what_breaks_in_the_middle_of_a_class_comes_back_and_no_save_is_lost(small_disk, plain_pack, record_property):
    """Engine, disk, proxy, hub and network fail while two learners build: all come back, both reach the verdict."""
    wanted = preparing.Wanted((), pack=plain_pack, limits=Limits(disk_bytes=2_000_000_000), reserve_bytes=10**8)
    found = rehearsal.rehearse(2, wanted, drill=True)
    told = report.as_text(found)
    assert found.ok, told
    assert [one.what.split()[1] for one in found.faults] == ["engine", "disk", "proxy", "hub", "learners'"]
    for one in found.faults:
        record_property(one.what, f"{one.at_work} at work, back after {one.back_s:.1f} s")
    assert found.faults[0].at_work == 2, told
    assert all(one.saves for one in found.places), told
    assert sum(one.cuts for one in found.places) >= 1, told
    _hold_nothing_is_left()


def test_ctrl_c_in_the_middle_of_a_rehearsal_leaves_nothing(small_disk, plain_pack):
    """A rehearsal that is interrupted while learners work ends with 130, without a verdict, and removes it all."""
    command = [sys.executable, "-m", "dmhelpers", "workshop", "check", "--learners", "1"]
    command += ["--pack", str(plain_pack), "--disk", "2", "--reserve", "0.1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        for line in process.stderr or ():
            if "seats answer" in line:
                break
        time.sleep(5)
        os.killpg(process.pid, signal.SIGINT)
        told = process.communicate(timeout=ENDS_WITHIN_S)[1]
    assert process.returncode == 130, told
    assert "verdict reached" not in told
    _hold_nothing_is_left()


def _hold_nothing_is_left():
    from dmhelpers.engine.client import api

    folder = settings.folder_of(rehearsal.NAME)
    with pytest.raises(NotFound):
        settings.load(folder)
    assert not folder.exists()
    assert api().containers(all=True, filters={"label": f"{settings.WORKSHOP_LABEL}={rehearsal.NAME}"}) == []
    assert api().networks(names=[f"dmhelpers-{rehearsal.NAME}"]) == []
