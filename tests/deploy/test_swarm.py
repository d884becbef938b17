"""Three nodes, six learners: the seats spread, nodes lose their power, and all six are back with their work."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmhelpers.workshop import roster
from tests.deploy.machine_seat import PACKAGE, deploy_hub, push_image, registry_program
from tests.deploy.swarm_class import SwarmClass
from tests.deploy.swarm_node import Node
from tests.deploy.swarm_room import SwarmRoom
from tests.deploy.visitor import Visitor, until

# The first test has the room set up, for which a registry and packages may have to be downloaded.
pytestmark = [pytest.mark.private_engine, pytest.mark.timeout(2400)]

LEARNERS = 6
DISK = "256M"
VIEW = "/services/progress/"
_PROC_AND_SYS = "mount -t proc proc /tmp/new && mount -t sysfs -o ro sysfs /tmp/new"
_FILL_THE_DISK = "head -c 3G /dev/zero >big 2>/dev/null; stat -c %s big; echo more >more 2>/dev/null || echo full"
_REPORT = """
from dmhelpers.course import progress, reporting
reporting.TIME_LIMIT_S = 300
progress.note_check("01-a", done=True)
print(reporting.send(reporting.message())["label"])
"""
_FETCH = f"""
import os, time, urllib.request
size_bytes, until = 0, time.monotonic() + 400
while not size_bytes and time.monotonic() < until:
    try:
        with urllib.request.urlopen(os.environ["WORKSHOP_MIRROR"] + "/{PACKAGE}", timeout=60) as answer:
            size_bytes = len(answer.read())
    except OSError:
        time.sleep(1)
print(os.environ["DMHELPERS_PATIENCE"], size_bytes, *os.listdir("/opt/pack"))
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmRoom]:
    """Make a room of three nodes with the image in its registry."""
    registry = registry_program(tmp_path_factory.mktemp("registry"))
    with SwarmRoom(nodes=3, registry=registry, heartbeat_s=10) as made:
        push_image(made)
        yield made


@pytest.fixture(scope="module")
def cards(room: SwarmRoom) -> list[roster.Card]:
    """Write the roster: six learners and, last, an instructor."""
    learners, cards = roster.enrol([f"learner {number}" for number in range(1, LEARNERS + 1)])
    instructors, their_cards = roster.enrol(["instructor"], instructor=True)
    roster.save(room.shared / "roster.json", [*learners, *instructors])
    return [*cards, *their_cards]


@pytest.fixture(scope="module")
def taught(room: SwarmRoom, cards: list[roster.Card]) -> SwarmClass:
    """Deploy the hub and seat the six learners, all at once, each with a disk of their own on every node."""
    logins = room.shared / "seats"
    logins.write_text("".join(f"{one.login}\n" for one in cards), encoding="utf-8")
    for node in room.nodes:
        node.make_disks(logins, DISK)
    deploy_hub(room)
    assert logins.read_text(encoding="utf-8").split() == [one.login for one in cards]
    seated = SwarmClass.meet(room, cards[:LEARNERS])
    seated.take_seats()
    return seated


def _seat_container(node: Node) -> str:
    return node.docker("ps", "--quiet", "--filter=name=seat-").split()[0]


def test_seats_spread_over_the_nodes(taught: SwarmClass) -> None:
    """Each node has seats, and none has more than half of them."""
    spread = Counter(taught.seats().values())
    assert spread.total() == LEARNERS
    assert len(spread) == len(taught.room.nodes)
    assert max(spread.values()) <= LEARNERS // 2


def test_prepared_node_lets_a_seat_mount_what_an_engine_must(taught: SwarmClass) -> None:
    """As user 1000 a seat may mount a proc and a sysfs of its own and open tun, as a rootless engine does."""
    seat = _seat_container(taught.hub_node)
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--net", "--mount"]
    taught.hub_node.docker("exec", seat, "mkdir", "-p", "/tmp/new")
    taught.hub_node.docker("exec", seat, *inside, "sh", "-c", _PROC_AND_SYS)
    taught.hub_node.docker("exec", seat, "sh", "-c", "exec 3<>/dev/net/tun")
    assert taught.hub_node.docker("exec", seat, "id", "-u") == "1000"
    # Its sysfs is read-only, so that nobody mounts one that can be written to.
    writable = f"{' '.join(inside)} mount -t sysfs sysfs /tmp/new 2>/dev/null || echo refused"
    assert taught.hub_node.docker("exec", seat, "sh", "-c", writable) == "refused"
    # What the seat sees for it shows no process of the node, and nothing of the node can be written there.
    assert not any(name.isdigit() for name in taught.hub_node.docker("exec", seat, "ls", "/mnt/proc").split())
    done = taught.hub_node.docker("exec", seat, "sh", "-c", "echo x >/mnt/proc/sys/kernel/core_pattern || echo no")
    assert done.splitlines()[-1] == "no"


def test_seat_without_the_nodes_preparation_may_not(taught: SwarmClass) -> None:
    """The same seat without the two mounts is refused by the kernel, so that they are what does it."""
    node = taught.hub_node
    usual = ["run", "--rm", "--user=1000", "--security-opt=seccomp=unconfined", "--volume=/usr:/usr:ro"]
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--net", "--mount"]
    image = node.docker("ps", "--format={{.Image}}", "--filter=name=seat-").split()[0]
    text = f"mkdir /tmp/new; {' '.join(inside)} mount -t proc proc /tmp/new 2>/dev/null || echo refused"
    assert node.docker(*usual, image, "sh", "-c", text) == "refused"


def test_seats_have_the_pack_and_reach_its_mirror(taught: SwarmClass) -> None:
    """Every node's seats see the pack, know the mirror by a name that answers there, and are told to be patient."""
    for login in taught.seats():
        assert _fetched(taught, login) == "10 6000 course-pack.tar"


def test_seats_are_found_by_the_courses_label(taught: SwarmClass) -> None:
    """The label by which README.md ends a class is on the services of the seats, and on no other."""
    found = ["service", "ls", "--filter=label=io.dmhelpers.course=1", "--format={{.Name}}"]
    names = taught.room.living()[0].manage(*found).split()
    assert sorted(names) == sorted(f"seat-{login}" for login in taught.seats())


def test_full_disk_is_its_learners_alone(taught: SwarmClass) -> None:
    """A file of 3 GB ends at the size of the learner's disk and takes no more of the node; neighbours go on."""
    login = taught.visitors[0].login
    node = taught.node_of(login)
    size, said = taught.in_seat(login, "sh", "-c", f"cd /home/learner; {_FILL_THE_DISK}").split()
    assert (200 * 2**20 < int(size) < 256 * 2**20, said) == (True, "full")
    assert (node.folder / "disks" / f"{login}.img").stat().st_blocks * 512 <= 256 * 2**20
    assert taught.visitors[0].save("work.txt", "saved on a full disk") == 201
    taught.wait_for_all()
    taught.in_seat(login, "rm", "/home/learner/big")
    assert (
        taught.in_seat(login, "sh", "-c", "echo more >/home/learner/more && rm /home/learner/more && echo room")
        == "room"
    )


def test_instructor_sees_what_a_seat_reports_and_no_learner_does(
    taught: SwarmClass, cards: list[roster.Card]
) -> None:
    """What the course reports from a seat is on the instructor's page; a learner who asks for it is refused."""
    assert taught.in_seat(cards[0].login, "python", "-c", _REPORT) == "Learner 1"
    assert _state_of_the_check(taught.enter(cards[-1])) == "passed"
    for part in ("", "table", "progress.csv"):
        answer = taught.visitors[0].get(VIEW + part)
        assert answer.status_code == 403
        assert "Learner 1" not in answer.text


def test_learners_work_survives_a_lost_node(taught: SwarmClass) -> None:
    """A node's power is cut: by themselves all six servers are back on the others, and what was saved is there."""
    taught.room.beat_every(5)
    _save(taught)
    lost = next(node for node in reversed(taught.room.living()) if node is not taught.hub_node)
    assert taught.seated_at(lost)
    lost.kill()
    until(lambda: not taught.seated_at(lost), "Swarm to notice")
    taught.wait_for_all()
    assert _all_read(taught)
    work = Path(taught.room.shared, "homes")
    assert {one.name for one in work.iterdir()} == {one.login for one in taught.visitors}


def test_hub_survives_its_node(taught: SwarmClass, cards: list[roster.Card]) -> None:
    """The power of the hub's node is cut: another manager has the hub, which knows who is signed in and has a seat.

    What learners saved and reported is there too, and seats that went on meanwhile let in who signs in anew, which
    they ask the hub. The mirror is there, wherever it was.
    """
    taught.room.restart_dead()
    _save(taught)
    taught.in_seat(cards[0].login, "python", "-c", _REPORT)
    lost = taught.hub_node
    lost.kill()
    taught.follow_hub()
    assert taught.hub_node is not lost
    assert all(taught.everyone(Visitor.is_signed_in))
    taught.wait_for_all()
    assert lost.hostname not in taught.seats().values()
    assert _all_read(taught)
    taught.with_new_browsers().wait_for_all()
    assert _state_of_the_check(taught.enter(cards[-1])) == "passed"
    assert _fetched(taught, cards[0].login) == "10 6000 course-pack.tar"


def _fetched(taught: SwarmClass, login: str) -> str:
    return taught.in_seat(login, "python", "-c", _FETCH, timeout_s=600)


def _save(taught: SwarmClass) -> None:
    assert set(taught.everyone(lambda one: one.save("work.txt", f"by {one.login}"))) <= {200, 201}


def _all_read(taught: SwarmClass) -> bool:
    return all(taught.everyone(lambda one: one.read("work.txt") == f"by {one.login}"))


def _state_of_the_check(instructor: Visitor) -> str:
    until(lambda: instructor.get(VIEW).status_code == 200, "the view")  # a hub that has just started starts it
    rows = csv.DictReader(instructor.get(f"{VIEW}progress.csv").text.splitlines())
    return next(row["state"] for row in rows if (row["learner"], row["check"]) == ("Learner 1", "01-a"))
