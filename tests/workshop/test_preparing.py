"""What is settled before a workshop opens: its address, whose turn it is, and what an `up` that fails leaves."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dmhelpers.errors import EngineError, InputError, NotFound
from dmhelpers.workshop import cards, control, image, preparing, roster, seats, services, settings
from dmhelpers.workshop.alone import alone
from dmhelpers.workshop.preparing import Wanted


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Plan a workshop in a state folder of this test's own; nothing is started."""
    monkeypatch.setattr(settings, "state_folder", lambda: tmp_path)

    def plan(name="workshop", **wanted):
        return preparing.planned(Wanted(("Ann",), name=name, **{"port": 0, **wanted}), settings.folder_of(name))

    return plan


def test_cards_name_what_learners_open(planned):
    """Behind a web server the cards name its address; without one, the address that the proxy listens at."""
    plain, behind = planned(), planned(url="https://course.example.org/")
    for one, expected in ((plain, plain.url), (behind, "https://course.example.org")):
        one.folder.mkdir(parents=True, exist_ok=True)
        path = cards.write(one, roster.enrol(["Ann"])[1])
        assert expected in path.read_text(encoding="utf-8")
    assert behind.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"address": "0.0.0.0"}, "none that could stand on the cards"),  # noqa: S104  what is refused
        ({"address": "192.0.2.1"}, "is not this machine's"),
        ({"url": "course.example.org"}, "no address that a learner could open"),
        ({"url": "https://course.example.org/hub"}, "no address that a learner could open"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(planned, wanted, said):
    """Cards that nobody could follow are not printed: the address is refused before anything is made."""
    with pytest.raises(InputError, match=said):
        planned(**wanted)


def test_all_addresses_are_listened_at_where_the_cards_have_one(planned):
    """Listening everywhere is fine where it is said what learners open."""
    made = planned(address="0.0.0.0", url="http://192.0.2.10:8000")  # noqa: S104  the case
    assert made.shown_url == "http://192.0.2.10:8000"
    assert made.url == f"http://127.0.0.1:{made.port}"


def test_what_is_not_said_again_stays(planned):
    """Address, port and URL stay as they were unless they are given; a given one must be this machine's."""
    before = planned(url="https://course.example.org")
    assert preparing.moved(before, Wanted(("Ann",))) == before
    assert preparing.moved(before, Wanted(("Ann",), port=0)).outside == before.outside
    with pytest.raises(InputError, match="not this machine's"):
        preparing.moved(before, Wanted(("Ann",), address="192.0.2.1"))


def test_an_address_that_the_machine_lost_is_told(planned):
    """After a new lease the address is gone: the cure is another address, not another program's end."""
    with pytest.raises(InputError, match="not an address of this machine") as caught:
        preparing.planned_again(replace(planned(), address="192.0.2.1"))
    assert "--address" in caught.value.hint


def test_one_command_at_a_time(planned):
    """While a command works on a workshop a second one is refused; on another workshop it is not."""
    with alone("workshop"):
        with pytest.raises(InputError, match="Another"), alone("workshop"):
            pytest.fail("two at once")
        with alone("rehearsal"):
            pass
    with alone("workshop"):
        pass


def test_a_bridge_has_a_name_that_the_kernel_takes():
    """The bridge is named for its workshop, in 15 characters at most, and no two long names share one."""
    assert seats.bridge_name("workshop") == "dm-workshop"
    long = [seats.bridge_name(f"a-very-long-name-{number}") for number in (1, 2)]
    assert len(set(long)) == 2
    assert max(map(len, long)) <= 15


def test_logs_of_an_up_that_failed_stay(planned, monkeypatch):
    """The workshop goes, its logs are kept beside it, and the error names where they are then."""
    workshop = planned()

    def fails(_workshop, _program):
        (workshop.folder / "log").mkdir(parents=True)
        (workshop.folder / "log" / "hub.log").write_text("why", encoding="utf-8")
        raise EngineError("The hub does not answer", hint=f"Read its log: {workshop.folder / 'log' / 'hub.log'}")

    monkeypatch.setattr(control.proxy, "find_or_install", lambda: None)
    monkeypatch.setattr(control, "api", lambda: type("Engine", (), {"images": lambda *_, **__: ["one"]})())
    monkeypatch.setattr(control, "is_outdated", lambda _: False)
    monkeypatch.setattr(control.preparing, "prepare", lambda *_: (workshop, []))
    monkeypatch.setattr(services, "start", fails)
    monkeypatch.setattr(seats, "remove_all", lambda _: None)
    with pytest.raises(EngineError) as caught:
        control._open(workshop, Wanted(("Ann",)), print, fresh=True)
    named = caught.value.hint.removeprefix("Read its log: ")
    assert not workshop.folder.exists()
    assert Path(named).read_text(encoding="utf-8") == "why"


def test_the_mode_of_tun_is_set_back_by_the_last_workshop(planned, monkeypatch, tmp_path):
    """A rehearsal that ends while a workshop is open leaves the device open; the workshop sets it back."""
    tun = tmp_path / "tun"
    tun.touch(mode=0o600)
    monkeypatch.setattr(preparing, "TUN", tun)
    monkeypatch.setattr(seats, "remove_all", lambda _: None)
    rehearsal, workshop = planned("rehearsal"), planned()
    for one in (rehearsal, workshop):
        settings.save(one)
        preparing._open_tun(one)
    control._remove(rehearsal)
    assert tun.stat().st_mode & 0o777 == 0o666
    control._remove(workshop)
    assert tun.stat().st_mode & 0o777 == 0o600


def test_cards_that_nobody_can_use_are_not_left(planned, monkeypatch):
    """Where the roster cannot be written its cards go too: the next `up` makes both."""
    workshop = planned()
    workshop.folder.mkdir(parents=True)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(roster, "save", full)
    with pytest.raises(OSError, match="No space left"):
        preparing.enrol(workshop, ["Ann"])
    assert cards.files_of(workshop) == ()


def test_who_is_not_root_is_told_to_use_sudo(planned, monkeypatch):
    """A workshop stands in root's folder, so another account finds none: the hint says why."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NotFound) as caught:
        settings.load(settings.folder_of("workshop"))
    assert "sudo" in caught.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="process namespaces are Linux's")
def test_what_a_seat_calls_itself_is_no_process_of_ours(planned, monkeypatch):
    """A process in another process namespace that has our mark is let be; one beside us is a stray."""
    workshop = planned()
    variables = {services._MARK: str(workshop.folder)}
    asked = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    with subprocess.Popen(asked, env=variables, stdout=subprocess.PIPE) as stray:
        try:
            stray.stdout.readline()
            assert services._strays(workshop) == [stray.pid]
            monkeypatch.setattr(services, "_pid_namespace", lambda process: str(process))
            assert services._strays(workshop) == []
        finally:
            stray.kill()


def test_the_state_of_the_course_is_that_of_its_files(tmp_path):
    """A changed notebook or module is another state; what Python or Jupyter leave behind is none."""
    for name in ("notebooks/00.ipynb", "dmhelpers/cli.py", "constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("before", encoding="utf-8")
    before = image.course_state(tmp_path)
    (tmp_path / "dmhelpers" / "__pycache__").mkdir()
    (tmp_path / "dmhelpers" / "__pycache__" / "cli.pyc").touch()
    assert image.course_state(tmp_path) == before
    (tmp_path / "notebooks" / "00.ipynb").write_text("after", encoding="utf-8")
    assert image.course_state(tmp_path) != before
