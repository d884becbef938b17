"""What the hub of a Swarm is told, and what a seat is there, as records."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from dmhelpers.errors import InputError
from dmhelpers.workshop import swarm, swarm_names, swarm_seat

SWARM = Path(__file__).parents[2] / "deploy" / "swarm"
GIVEN = {"WORKSHOP_SHARED": "/srv/workshop", "WORKSHOP_IMAGE": "registry:5000/seat:1"}


def test_variables_become_settings() -> None:
    """Each variable sets its own field, in the field's kind; an empty one leaves the default."""
    read = swarm.from_environment({**GIVEN, "WORKSHOP_CPUS": "0.5", "WORKSHOP_PROCESSES": "200", "WORKSHOP_DISK": ""})
    assert read == swarm.SwarmWorkshop(Path("/srv/workshop"), "registry:5000/seat:1", cpus=0.5, processes=200)


@pytest.mark.parametrize("lacking", sorted(GIVEN))
def test_what_has_no_default_must_be_given(lacking: str) -> None:
    """Without the shared folder or the image the hub says which variable it was not told."""
    with pytest.raises(InputError, match=lacking):
        swarm.from_environment({name: text for name, text in GIVEN.items() if name != lacking})


@pytest.mark.parametrize("text", ["1.5G", "much"])
def test_number_that_is_none_is_named(text: str) -> None:
    """A number that cannot be read is named with its variable."""
    with pytest.raises(InputError, match=re.escape(f"WORKSHOP_MEMORY_BYTES is '{text}'")):
        swarm.from_environment({**GIVEN, "WORKSHOP_MEMORY_BYTES": text})


def test_stack_sets_every_variable_that_it_can() -> None:
    """Each variable of the stack's hub is a setting, and its default is the setting's own."""
    hub = yaml.safe_load((SWARM / "stack.yaml").read_text(encoding="utf-8"))["services"]["hub"]["environment"]
    defaults = {name: re.sub(r"^\$\{\w+(:-(.*)|:\?.*)\}$", r"\2", text) for name, text in hub.items()}
    assert {name.removeprefix("WORKSHOP_").lower() for name in hub} <= set(swarm.SwarmWorkshop.__dataclass_fields__)
    read = swarm.from_environment({**defaults, **GIVEN})
    assert replace(read, network="seats") == swarm.from_environment(GIVEN)


@pytest.mark.parametrize("text", ["mirror:4873", "http://", "ftp://mirror"])
def test_mirror_that_is_no_address_is_named(text: str) -> None:
    """A mirror's address that seats could not use is refused by the hub, and not by each seat on its own."""
    with pytest.raises(InputError, match=re.escape(f"WORKSHOP_MIRROR is '{text}'")):
        swarm.from_environment({**GIVEN, "WORKSHOP_MIRROR": text})


@pytest.mark.parametrize(("mirror", "told"), [("", "off"), ("http://mirror:4873/", "http://mirror:4873")])
def test_seat_is_told_patience_and_mirror(
    mirror: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on one machine a seat's time limits are ten times the usual, and its builds ask the mirror."""
    pytest.importorskip("jupyterhub", reason="`make test` installs the extra `workshop`")
    config = pytest.importorskip("traitlets.config").Config()
    monkeypatch.setattr(swarm_names, "ask_anew", lambda: None)
    given = {**GIVEN, "WORKSHOP_SHARED": str(tmp_path), "WORKSHOP_MIRROR": mirror}
    swarm.configure(config, swarm.from_environment(given))
    given_to_seats = config.Spawner.environment
    assert (given_to_seats["DMHELPERS_PATIENCE"], given_to_seats["WORKSHOP_MIRROR"]) == ("10", told)
    assert swarm_seat.RUNTIME.items() <= given_to_seats.items()
    assert config.SeatSpawner.extra_create_kwargs == {"labels": {"io.dmhelpers.course": "1"}}


def test_seat_has_limits_and_no_device() -> None:
    """A seat is user 1000 with a read-only root, two capabilities, and limits of memory, CPU and processes."""
    workshop = swarm.from_environment(GIVEN)
    spec = swarm_seat.container_spec()
    assert (spec["user"], spec["read_only"]) == ("1000:1000", True)
    assert (spec["cap_drop"], spec["cap_add"]) == (["ALL"], ["CAP_SETUID", "CAP_SETGID"])
    assert swarm_seat.resources(workshop)["Limits"] == {"MemoryBytes": 1_500_000_000, "NanoCPUs": 10**9, "Pids": 512}


def test_seat_mounts_its_own_work_and_no_socket() -> None:
    """A seat sees its own shared folder, what its node prepared and the pack; no other learner's, and no socket."""
    workshop = replace(swarm.from_environment(GIVEN), pack="/srv/pack", disk="8G")
    found = {one["Target"]: one for one in swarm_seat.mounts(workshop, "ada")}
    assert found["/home/learner/course"]["Source"] == "/srv/workshop/homes/ada"
    assert found["/home/learner"]["VolumeOptions"]["DriverConfig"]["Options"] == {"size": "8G"}
    assert found["/opt/pack"]["ReadOnly"] is True
    sources = {one["Source"] for one in found.values() if one["Type"] == "bind"}
    node = {f"/run/dmhelpers/{name}" for name in ("proc", "sys", "tun")}
    assert sources == {"/srv/workshop/homes/ada", "/srv/pack", *node}


def test_seats_own_disk_is_its_home() -> None:
    """Where nodes have a disk for each learner, a seat's home is that disk, and no volume without a limit."""
    workshop = replace(swarm.from_environment(GIVEN), disks="/run/dmhelpers/disks")
    (home,) = (one for one in swarm_seat.mounts(workshop, "ada") if one["Target"] == "/home/learner")
    assert (home["Type"], home["Source"]) == ("bind", "/run/dmhelpers/disks/ada")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_work_folder_is_the_learners_alone(tmp_path: Path) -> None:
    """The shared folder of a learner is made once, belongs to user 1000, and nobody else looks in."""
    workshop = replace(swarm.from_environment(GIVEN), shared=tmp_path)
    swarm_seat.prepare_work(workshop, "ada")
    made = tmp_path / "homes" / "ada"
    (made / "kept").touch()
    swarm_seat.prepare_work(workshop, "ada")
    assert (made.stat().st_uid, stat.S_IMODE(made.stat().st_mode)) == (1000, 0o700)
    assert (made / "kept").exists()


def test_names_are_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """After `ask_anew` aiohttp's connections resolve names through the system, which keeps no answer of its own."""
    connector = pytest.importorskip("aiohttp.connector", reason="`make test` installs the extra `workshop`")
    monkeypatch.setattr(connector, "DefaultResolver", connector.DefaultResolver)
    swarm_names.ask_anew()

    async def resolver() -> str:
        made = connector.TCPConnector()
        await made.close()
        return type(made._resolver).__name__

    assert asyncio.run(resolver()) == "ThreadedResolver"


def test_prepare_node_parses() -> None:
    """The node's script is read without complaint by the system's sh."""
    subprocess.run(["sh", "-n", SWARM / "prepare-node"], check=True, timeout=120)
