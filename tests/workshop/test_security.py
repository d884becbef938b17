"""What a learner must not be able to do, tried for real: break out, see others, take more than their share."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from dmhelpers.workshop import roster, seats
from dmhelpers.workshop.learner import Visitor
from tests.workshop.conftest import LIMIT_S, SEAT_LIMIT_S, until

pytestmark = [pytest.mark.engine, pytest.mark.private_engine, pytest.mark.one_store]

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")


def run(options: str, command: str) -> str:
    """Return the line of shell that runs a command in a container of the learner's own engine."""
    return f"docker run --rm {options} node:20-alpine sh -c '{command}'"


def test_the_root_of_the_engine_is_the_seat(room, tmp_path):
    """`-v /:/host` shows the seat's own files and none of the machine's."""
    (tmp_path / "secret").write_text("of the machine")
    code, told = room.inside(
        room.ann, run("-v /:/host", f"ls /host/opt/workshop; cat /host{tmp_path}/secret; cat /host/etc/shadow")
    )
    assert "start.sh" in told
    assert code != 0
    assert "of the machine" not in told
    assert "No such file" in told
    assert "Permission denied" in told  # root of the learner's engine is user 1000 of the seat


def test_privileged_gets_nothing_of_the_machine(room):
    """`--privileged`, or every capability with the seat's own `/proc`: no kernel setting written, no device made."""
    before = CORE_PATTERN.read_text()
    takes = "echo taken > /seat/sys/kernel/core_pattern; mknod /d b 7 0; cat /seat/1/mem | head -c 1"
    for options in ("--privileged -v /proc:/seat", "--cap-add ALL --security-opt seccomp=unconfined -v /proc:/seat"):
        told = room.inside(room.ann, run(options, takes))[1]
        assert CORE_PATTERN.read_text() == before
        assert "denied" in told or "not permitted" in told
    assert "core_pattern: Permission denied" in told
    assert "mknod: /d: Operation not permitted" in told


def test_the_process_table_of_the_engine_is_the_learners(room):
    """`--pid=host` shows the learner's processes, and no process of the machine or of another learner."""
    told = room.inside(room.ann, run("--pid=host", 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'))[1]
    assert "dockerd" in told
    assert "pytest" not in told
    assert "jupyterhub -f" not in told


def test_no_seat_has_the_machines_socket(room):
    """A seat has no socket of the machine's engine, and the learner has no capability and no setuid program."""
    looks = "ls /var/run/docker.sock; grep CapEff /proc/self/status; find / -xdev -perm /6000 -type f"
    told = room.inside(room.ann, looks)
    assert "No such file" in told[1]
    assert "CapEff:\t0000000000000000" in told[1]
    assert "/bin/" not in told[1]


def test_another_learners_seat_and_its_files_are_out_of_reach(room):
    """Images, history, files and server of another learner: not listed, not there, refused, not reachable."""
    room.inside(room.ben, "docker tag node:20-alpine bens:secret; echo mine > ~/course/diary; echo 'x' > ~/.history")
    looks = "docker images; docker history bens:secret; cat ~/course/diary ~/.history"
    told = room.inside(room.ann, looks)[1]
    assert "bens" not in told.replace("bens:secret", "")
    assert "mine" not in told
    assert room.inside(room.ann, "ls /home")[1] == "learner\n"
    for path in ("api/contents/diary", "api/kernels", "lab"):
        answer = room.ann.call("GET", f"/user/ben/{path}")
        assert answer.status_code in (302, 403), path
        assert "mine" not in answer.text
    address = next(one.address for one in seats.all_seats(room.workshop) if one.login == "ben")
    asked = f"import socket; socket.create_connection(('{address}', 8888), 3)"
    assert "timed out" in room.inside(room.ann, f'python3 -c "{asked}"')[1]


def test_a_learners_token_opens_nothing_of_the_hub_but_their_own(room):
    """With the token of their own seat a learner sees neither the others nor their servers, and stops none."""
    hub = f"http://{room.workshop.hub_address}:{room.workshop.hub_port}/hub/api"
    ask = (
        "import os, urllib.request, urllib.error\n"
        "def ask(method, path):\n"
        "    headers = {'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']}\n"
        f"    request = urllib.request.Request('{hub}' + path, method=method, headers=headers)\n"
        "    try:\n"
        "        return urllib.request.urlopen(request, timeout=100).status\n"
        "    except urllib.error.HTTPError as error:\n"
        "        return error.code\n"
        "print(ask('GET', '/users/ann'), ask('GET', '/users/ben'))\n"
        "print(ask('DELETE', '/users/ben/server'), ask('GET', '/proxy'))\n"
    )
    with room.ann.kernel() as kernel:
        own, other, stop, proxy = map(int, kernel.run(ask, limit_s=2 * LIMIT_S).text.split())
    assert own == 200
    assert {other, stop, proxy} <= {403, 404}
    for path in ("/hub/api/users/ben", "/hub/api/users", "/hub/admin"):
        answer = room.ann.call("GET", path)
        assert answer.status_code in (403, 404) or "ben" not in answer.text, path


@pytest.mark.parametrize("login", ["mallory", "ann", ""])
def test_off_the_roster_and_with_a_wrong_code_nobody_comes_in(room, login):
    """A login that is not on the roster, or a code that is another's, is refused with 403."""
    assert Visitor(room.workshop.url, login, roster.new_code()).log_in() == 403


def test_without_xsrf_and_without_a_token_nothing_is_answered(room):
    """A login form without its XSRF field, the hub's API and a seat's API without a token: 403."""
    url = room.workshop.url
    form = {"username": "ann", "password": "x"}
    with requests.Session() as session:
        session.trust_env = False
        assert session.post(f"{url}/hub/login", data=form, timeout=LIMIT_S).status_code == 403
        assert session.get(f"{url}/hub/api/users", timeout=LIMIT_S).status_code == 403
        assert session.post(f"{url}/user/ann/api/kernels", json={}, timeout=LIMIT_S).status_code == 403
        assert session.get(f"{url}/user/ann/api/contents", timeout=LIMIT_S).status_code == 403


def test_codes_are_kept_as_hashes_only(room):
    """No file of the workshop but the cards holds a code, and the cards are their owner's alone."""
    from dmhelpers.workshop import cards

    code = room.ann.code
    files = cards.files_of(room.workshop)
    assert code in "".join(one.read_text() for one in files)
    assert all(one.stat().st_mode & 0o077 == 0 for one in files)
    looked_at = set()
    for folder, folders, names in os.walk(room.workshop.folder):
        if "homes" in folders:
            folders.remove("homes")
        for one in (Path(folder) / name for name in names):
            if one.is_file() and one.suffix != ".img" and one not in files:
                with suppress(FileNotFoundError):  # the hub's database has a journal for a moment
                    looked_at.add(one.name)
                    assert code.encode() not in one.read_bytes(), one
    assert {"roster.json", "hub.sqlite", "hub.log", "workshop.json"} <= looked_at


def test_a_memory_bomb_ends_and_the_engine_stays(room):
    """A container that takes all memory is ended by the kernel; its engine answers on, and so does another's seat."""
    eats = 'node -e "const a=[];for(;;)a.push(Buffer.alloc(5e7,1))"'
    code, _ = room.inside(room.cid, f"docker run --rm node:20-alpine {eats}")
    assert code in (137, 139, 125)
    room.engine_answers(room.cid)
    room.seat_answers(room.ben)


def test_a_fork_bomb_is_held_at_its_limit(room):
    """A fork bomb reaches the seat's limit of processes and no further; a restart of the seat ends it, work kept."""
    room.inside(room.cid, "echo kept > ~/course/saved")
    before = room.seat_of(room.cid)
    room.inside(room.cid, "docker run -d --rm node:20-alpine sh -c 'b(){ b|b& };b; sleep 600'")
    room.seat_answers(room.ben)
    assert pids_of(before) <= room.workshop.limits.processes
    room.cid.stop_seat()
    room.cid.start_seat(limit_s=SEAT_LIMIT_S)
    room.engine_answers(room.cid)
    assert room.seat_of(room.cid) != before
    assert room.inside(room.cid, "cat ~/course/saved")[1] == "kept\n"


def test_a_file_of_10_gb_ends_at_the_learners_own_quota(room):
    """A file of 10 GB stops at the quota; others can write, and a killed engine is back once it is gone."""
    free = os.statvfs(room.workshop.folder).f_bavail * os.statvfs(room.workshop.folder).f_frsize
    code, told = room.inside(room.cid, "head -c 10G /dev/zero > ~/course/big")
    assert code != 0
    assert "No space left" in told
    now = os.statvfs(room.workshop.folder).f_bavail * os.statvfs(room.workshop.folder).f_frsize
    assert free - now < 1.5 * room.workshop.limits.disk_bytes
    assert room.inside(room.ben, "head -c 1M /dev/zero > ~/course/small && rm ~/course/small")[0] == 0
    room.inside(room.cid, "pkill -9 -x dockerd")
    assert room.inside(room.cid, "rm ~/course/big")[0] == 0
    room.engine_answers(room.cid)
    assert room.inside(room.cid, "docker run --rm node:20-alpine true")[0] == 0
    assert (
        room.inside(room.cid, "head -c 1M /dev/zero > /opt/x; head -c 100M /dev/zero > /tmp/x; rm -f /tmp/x")[0] == 0
    )


def test_an_endless_build_takes_its_own_share_and_ends_with_its_client(room):
    """A build that never ends is held to the seat's processors, and nothing of it runs on when its client ends."""
    dockerfile = "FROM node:20-alpine\\nRUN while :; do :; done\\n"
    room.inside(room.cid, f"mkdir -p ~/endless && printf '{dockerfile}' > ~/endless/Dockerfile")

    def runs() -> bool:
        return room.inside(room.cid, "ps -e -o args | grep -q '[w]hile :'")[0] == 0

    room.inside(room.cid, "timeout 3000 docker build ~/endless >/dev/null 2>&1 &")
    until(runs)
    room.seat_answers(room.ben)
    assert runs()
    assert room.inside(room.cid, "pkill -TERM -x timeout")[0] == 0  # it ends the client as it would by itself
    until(lambda: not runs())
    room.engine_answers(room.cid)


def pids_of(container_id: str) -> int:
    """Return how many processes and threads a container has, as its control group counts."""
    from dmhelpers.engine.client import api

    return int(api().stats(container_id, stream=False, one_shot=True)["pids_stats"].get("current", 0))
