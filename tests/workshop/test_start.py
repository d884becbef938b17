"""A seat starts whatever its learner did to the home: full, locked, removed, replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk, which needs Linux and root"
)

START = Path(__file__).parents[2] / "deploy" / "workshop" / "learner" / "start.sh"
HOME = "/mnt/home"
ROOM = """
set -e
mount -t tmpfs none /mnt
mkdir /mnt/home /mnt/run /mnt/notebooks
mount -t tmpfs -o size=200k,nr_inodes=60,mode=700 none /mnt/home
printf '%s' "$START" > /mnt/start.sh
for number in 00 01 02; do echo "the course's $number" > /mnt/notebooks/$number.ipynb; done
cd /mnt/home
chown 1000:1000 /mnt/home /mnt/run
exec setpriv --reuid=1000 --regid=1000 --clear-groups sh -c "$PREPARE
exec sh /mnt/start.sh sh -c '$SHOWN'"
"""
SHOWN = "echo $PWD ${JUPYTERHUB_ROOT_DIR:-as said}; cd /mnt/home; cat course/notebooks/*.ipynb; echo started"
# Neither room for a byte nor a place for a file.
FILL = "head -c 1M /dev/zero > filler 2>/dev/null; i=0; while mkdir empty$i 2>/dev/null; do i=$((i + 1)); done"
ALL = "the course's 00\nthe course's 01\nthe course's 02\n"


def start(prepare: str, shown: str = SHOWN) -> tuple[int, str, str]:
    """Start a seat in a home that was prepared, and return the exit code, what it showed and what it said."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": HOME,
        "TMPDIR": f"{HOME}/.cache/tmp",
        "XDG_RUNTIME_DIR": "/mnt/run",
        "WORKSHOP_ENGINE": "none",
        "WORKSHOP_NOTEBOOKS": "/mnt/notebooks",
        "START": START.read_text(encoding="utf-8"),
        "PREPARE": prepare,
        "SHOWN": shown,
    }
    command = ["unshare", "--mount", "sh", "-c", ROOM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_first_start_gives_the_notebooks():
    """An empty home gets the course's notebooks, and the command is run in the course's folder."""
    assert start(":") == (0, f"{HOME}/course as said\n{ALL}started\n", "")


@pytest.mark.parametrize(
    "prepare",
    [
        "echo a file > course",
        "ln -s nowhere course",
        "ln -s /etc course",
        "mkdir course; chmod 000 course",
        "mkdir course; echo a file > course/notebooks",
        "mkdir course; ln -s nowhere course/notebooks",
        "mkdir -p course/notebooks; chmod 500 course/notebooks course",
        "mkdir -p course/notebooks/.new/within",
        "mkdir -p course/notebooks; ln -s nowhere course/notebooks/01.ipynb",
        "mkdir -p course/notebooks; ln -s /dev/full course/notebooks/.new",
        "echo a file > .cache",
        "ln -s nowhere .local",
        "mkdir .cache; ln -s / .cache/tmp",
        "mkdir .jupyter; mkfifo .jupyter/.room; mkdir -p course/notebooks; mkfifo course/notebooks/.new",
        "chmod 000 .",
    ],
)
def test_a_home_that_was_tampered_with(prepare):
    """What has a folder's name and is none is put aside, locks are opened, links are not followed: all is there."""
    code, shown, _ = start(prepare)
    assert (code, shown) == (0, f"{HOME}/course as said\n{ALL}started\n")


def test_what_was_there_stays():
    """A file in a folder's place is put aside whole, and no copy goes through a link to another file."""
    made = "echo notes > course; cat course"
    show = "cat /mnt/home/course.aside-*"
    assert start(made, show)[1] == "notes\nnotes\n"
    planted = "mkdir -p course/notebooks; echo kept > kept; ln -s /mnt/home/kept course/notebooks/.new"
    assert start(planted, "cat /mnt/home/kept")[1] == "kept\n"


def test_a_full_disk_keeps_nobody_out():
    """With a notebook renamed and the disk full the seat starts, with what is there, and says what is not."""
    course = "mkdir -p course/workspace course/notebooks .cache/tmp .local/share/docker"
    code, shown, said = start(f"{course}; echo mine > course/notebooks/mine.ipynb; {FILL}")
    assert (code, shown) == (0, f"{HOME}/course as said\nmine\nstarted\n")
    assert "01.ipynb cannot be copied" in said


@pytest.mark.parametrize("made", [":", "mkdir -p .jupyter .ipython .local/share/jupyter .cache/tmp"])
def test_on_a_full_disk_jupyter_has_its_places_in_memory(made):
    """What JupyterLab and a kernel must write to start goes where there is room; with room in the home, there."""
    shown = (
        "for one in JUPYTER_RUNTIME_DIR JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR IPYTHONDIR TMPDIR; do printenv $one; done"
    )
    memory = "/mnt/run/jupyter\n"
    assert start(made, shown)[1] == f"{memory}{HOME}/.cache/tmp\n"
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "TMPDIR"):
        memory += f"/mnt/run/{name}\n"
    assert start(f"{made}; {FILL}", shown)[1] == memory


def test_a_full_disk_without_the_course_opens_the_home():
    """Where the course's folder is gone and none can be made, the server opens in the home instead."""
    code, shown, _ = start(FILL)
    assert (code, shown) == (0, f"{HOME} {HOME}\nstarted\n")
