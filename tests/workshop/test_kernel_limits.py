"""The kernel's limits for each user, which all seats share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dmhelpers.workshop.kernel_limits import shortages

DEBIANS = {
    "kernel/keys/maxkeys": 200,
    "kernel/keys/maxbytes": 20000,
    "fs/inotify/max_user_instances": 128,
    "user/max_user_namespaces": 96365,
}


@pytest.fixture
def proc_sys(tmp_path):
    """Return a folder like `/proc/sys`, with a distribution's own settings."""
    for name, value in DEBIANS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    return tmp_path


def test_what_a_room_is_short_of_is_told_with_its_cure(proc_sys):
    """Thirty learners are short of keys and inotify on a distribution as it comes; after the commands of nothing."""
    told = shortages(30, proc_sys)
    assert len(told) == 3
    for sentence in told:
        setting, value = re.search(r": sysctl -w (\S+)=(\d+)$", sentence).groups()
        path = proc_sys / setting.replace(".", "/")
        assert path.read_text().strip() in sentence
        path.write_text(value)
    assert shortages(30, proc_sys) == []
    assert shortages(31, proc_sys) != []


def test_a_few_learners_are_short_of_nothing(proc_sys):
    """Eight learners fit into what a distribution allows."""
    assert shortages(8, proc_sys) == []


def test_a_kernel_without_user_namespaces_is_told(proc_sys):
    """A limit of 0, as on hardened machines, is a shortage for one learner too."""
    (proc_sys / "user/max_user_namespaces").write_text("0\n")
    (only,) = shortages(1, proc_sys)
    assert only.endswith("sysctl -w user.max_user_namespaces=8")


def test_a_setting_that_is_not_there_is_left_out(tmp_path):
    """What a kernel does not have, or says in another way than by a number, is no shortage."""
    (tmp_path / "fs/inotify").mkdir(parents=True)
    (tmp_path / "fs/inotify/max_user_instances").write_text("unlimited\n")
    assert shortages(30, tmp_path) == []


def test_the_settings_are_this_kernels():
    """Each setting that is named stands under `/proc/sys` of a Linux that has it, under just that name."""
    for sentence in shortages(10**9):
        setting = re.search(r"sysctl -w ([a-z_.]+)=", sentence).group(1)
        assert int((Path("/proc/sys") / setting.replace(".", "/")).read_text()) >= 0
