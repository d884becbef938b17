"""The seats as the engine sees them: their network, their containers, and what they use."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import EngineError
from dmhelpers.workshop import disks
from dmhelpers.workshop.hub import UNMASKED, seat_host_config, seat_labels
from dmhelpers.workshop.settings import WORKSHOP_LABEL, Workshop

_TEMPLATE_LIMIT_S = 300.0
_REMOVAL_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Seat:
    """A learner's container: the login, its ID, the engine's word for its state, its address in the network."""

    login: str
    container_id: str
    state: str
    address: str

    @property
    def running(self) -> bool:
        """Whether its programs run; they do not where it is paused."""
        return self.state == "running"


def make_network(name: str, workshop_name: str) -> str:
    """Make the learners' network, if it is not there, and return its gateway, where the hub listens.

    Containers in it reach the hub and the world, and not each other.
    """
    client: Any = api()
    with engine_answers():
        if not client.networks(names=[f"^{name}$"]):
            options = {"com.docker.network.bridge.enable_icc": "false"}
            labels = {**COURSE_LABELS, WORKSHOP_LABEL: workshop_name}
            client.create_network(name, driver="bridge", options=options, labels=labels)
        found = client.inspect_network(name)
    return str(found["IPAM"]["Config"][0]["Gateway"])


def bridge(workshop: Workshop) -> str:
    """Return the name of the bridge that the learners' network is on this machine."""
    with engine_answers():
        found = api().inspect_network(workshop.network)
    return f"br-{found['Id'][:12]}"


def all_seats(workshop: Workshop) -> tuple[Seat, ...]:
    """Return the containers of a workshop, by login."""
    with engine_answers():
        found = api().containers(all=True, filters={"label": f"{WORKSHOP_LABEL}={workshop.name}"})
    prefix = workshop.container("")
    seats = []
    for one in found:
        login = one["Names"][0].removeprefix("/").removeprefix(prefix)
        networks = one["NetworkSettings"]["Networks"]
        address = networks.get(workshop.network, {}).get("IPAddress", "")
        seats.append(Seat(login, one["Id"], one["State"], address))
    return tuple(sorted(seats, key=lambda one: one.login))


def pause_all(workshop: Workshop) -> int:
    """Pause every seat that runs, and return how many; their programs stand still until `unpause_all`."""
    return sum(_if_still_there("pause", one) for one in all_seats(workshop) if one.running)


def unpause_all(workshop: Workshop) -> int:
    """Let every paused seat go on, and return how many."""
    return sum(_if_still_there("unpause", one) for one in all_seats(workshop) if one.state == "paused")


def _if_still_there(what: str, seat: Seat) -> bool:
    import docker.errors

    with engine_answers():
        try:
            getattr(api(), what)(seat.container_id)
        except docker.errors.APIError as error:
            if error.status_code in (404, 409):  # it ended meanwhile
                return False
            raise
    return True


def remove_all(workshop: Workshop) -> None:
    """Remove every container of a workshop, and its network.

    Raises:
        EngineError: A container does not end.
    """
    remove_containers(workshop, None)
    client: Any = api()
    with engine_answers():
        for one in client.networks(filters={"label": f"{WORKSHOP_LABEL}={workshop.name}"}):
            client.remove_network(one["Id"])


def remove_containers(workshop: Workshop, logins: Collection[str] | None) -> None:
    """Remove the containers of these learners, of all for None; the network stays, and with it the hub's address.

    Raises:
        EngineError: One does not end.
    """
    import docker.errors

    client: Any = api()
    with engine_answers():
        for one in _of(workshop, logins):
            try:
                client.remove_container(one.container_id, force=True, v=True)
            except docker.errors.NotFound:
                continue  # it was just ending by itself
    deadline = time.monotonic() + _REMOVAL_LIMIT_S
    while left := _of(workshop, logins):
        if time.monotonic() > deadline:
            raise EngineError(
                f"Seats do not end: {', '.join(one.login for one in left)}.",
                hint="Restart the engine (sudo systemctl restart docker), then run this again: no work is lost.",
            )
        time.sleep(0.2)


def _of(workshop: Workshop, logins: Collection[str] | None) -> list[Seat]:
    return [one for one in all_seats(workshop) if logins is None or one.login in logins]


def make_template(workshop: Workshop, say: Callable[[str], None]) -> None:
    """Make the disk that learners' disks are copies of: a seat starts on it once and loads the pack.

    Raises:
        EngineError: The seat's engine did not come up, or did not load the pack.
    """
    if workshop.disk(disks.TEMPLATE).exists():
        return
    say("Preparing the disk that every learner's is a copy of")
    disks.make(workshop, disks.TEMPLATE)
    try:
        disks.mount(workshop, disks.TEMPLATE)
        _load_pack(workshop)
    except BaseException:
        disks.unmount(workshop, disks.TEMPLATE)
        workshop.disk(disks.TEMPLATE).unlink()
        raise
    disks.unmount(workshop, disks.TEMPLATE)


def _load_pack(workshop: Workshop) -> None:
    client: Any = api()
    with engine_answers():
        container_id = _create(client, workshop, disks.TEMPLATE)
        try:
            client.start(container_id)
            _wait_for_pack(client, container_id, bool(workshop.pack))
            client.stop(container_id, timeout=20)
        finally:
            client.remove_container(container_id, force=True)


def _create(client: Any, workshop: Workshop, login: str) -> str:
    binds = {str(workshop.home(login)): {"bind": "/home/learner", "mode": "rw"}}
    if workshop.pack:
        binds[workshop.pack] = {"bind": workshop.pack_mount, "mode": "ro"}
    settings = client.create_host_config(
        binds=binds,
        mem_limit=workshop.limits.memory_bytes,
        network_mode=workshop.network,
        **seat_host_config(workshop),
    )
    made = client.create_container(
        workshop.image,
        ["sleep", "infinity"],
        name=workshop.container(login),
        host_config={**settings, **UNMASKED},
        labels=seat_labels(workshop),
        environment={"WORKSHOP_MIRROR": workshop.mirror or "off"},
        user="1000:1000",
    )
    return str(made["Id"])


def run_in(container_id: str, command: list[str], *, user: str = "1000:1000") -> tuple[int, str]:
    """Run a command inside a seat and return its exit code and what it printed."""
    client: Any = api()
    with engine_answers():
        made = client.exec_create(container_id, command, user=user)
        output = client.exec_start(made["Id"])
        return int(client.exec_inspect(made["Id"])["ExitCode"]), output.decode("utf-8", "replace")


def _wait_for_pack(client: Any, container_id: str, has_pack: bool) -> None:
    deadline = time.monotonic() + _TEMPLATE_LIMIT_S
    asked = ["sh", "-c", "docker version >/dev/null 2>&1 && test -e /run/user/1000/pack.done"]
    while run_in(container_id, asked)[0] != 0:
        running = client.inspect_container(container_id)["State"]["Running"]
        if time.monotonic() > deadline or not running:
            told = run_in(container_id, ["tail", "-n", "3", "/run/user/1000/engine.log"])[1] if running else ""
            raise EngineError(
                f"The engine inside a seat did not come up: {told.strip() or 'its container ended'}",
                hint="See what a seat needs of its host in deploy/workshop/README.md.",
            )
        time.sleep(0.5)
    if has_pack and not run_in(container_id, ["docker", "images", "-q"])[1].strip():
        told = run_in(container_id, ["tail", "-n", "3", "/run/user/1000/pack.log"])[1]
        raise EngineError(
            f"The pack gave the seat's engine no image: {told.strip() or 'it holds no archive'}",
            hint="Give --pack a pack, or an archive of `docker save`.",
        )


def memory_bytes(container_id: str) -> int:
    """Return what a seat's processes hold in memory now, without the page cache that the kernel may drop."""
    client: Any = api()
    with engine_answers():
        told = client.stats(container_id, stream=False, one_shot=True).get("memory_stats", {})
    inner = told.get("stats", {})
    return max(0, int(told.get("usage", 0)) - int(inner.get("total_inactive_file", inner.get("inactive_file", 0))))
