"""The seats as the engine sees them: their network, their containers, and what they use."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import EngineError
from dmhelpers.workshop.settings import WORKSHOP_LABEL, Workshop

_REMOVAL_LIMIT_S = 120.0
_NOT_YET = (409, 500)
"""What the engine answers while it removes a container already, or where one took longer than it waits to die."""
_BRIDGE = "com.docker.network.bridge.name"
_BRIDGE_CHARS = 15


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
            options = {"com.docker.network.bridge.enable_icc": "false", _BRIDGE: bridge_name(workshop_name)}
            labels = {**COURSE_LABELS, WORKSHOP_LABEL: workshop_name}
            client.create_network(name, driver="bridge", options=options, labels=labels)
        found = client.inspect_network(name)
    return str(found["IPAM"]["Config"][0]["Gateway"])


def bridge_name(workshop_name: str) -> str:
    """Return the name of the bridge that a workshop's network is on this machine: one that a firewall can know.

    The kernel takes 15 characters; of a longer name a digest stands for the end.
    """
    name = f"dm-{workshop_name}"
    return name if len(name) <= _BRIDGE_CHARS else f"{name[:8]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def bridge(workshop: Workshop) -> str:
    """Return the name of the bridge that the learners' network is on."""
    with engine_answers():
        found = api().inspect_network(workshop.network)
    return str((found.get("Options") or {}).get(_BRIDGE) or f"br-{found['Id'][:12]}")


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
    deadline = time.monotonic() + _REMOVAL_LIMIT_S
    while left := _of(workshop, logins):
        if time.monotonic() > deadline:
            raise EngineError(
                f"Seats do not end: {', '.join(one.login for one in left)}.",
                hint="Restart the engine (sudo systemctl restart docker), then run this again: no work is lost.",
            )
        if [one for one in left if not _is_removed(one)]:
            time.sleep(0.2)


def _is_removed(seat: Seat) -> bool:
    """Remove a seat's container, and return False where the engine has it end but is not through with it."""
    import docker.errors

    client: Any = api()
    with engine_answers():
        try:
            client.remove_container(seat.container_id, force=True, v=True)
        except docker.errors.APIError as error:
            if error.status_code in _NOT_YET:
                return False
            if error.status_code != 404:  # that one was just ending by itself
                raise
    return True


def _of(workshop: Workshop, logins: Collection[str] | None) -> list[Seat]:
    return [one for one in all_seats(workshop) if logins is None or one.login in logins]


def run_in(container_id: str, command: list[str], *, user: str = "1000:1000") -> tuple[int, str]:
    """Run a command inside a seat and return its exit code and what it printed."""
    client: Any = api()
    with engine_answers():
        made = client.exec_create(container_id, command, user=user)
        output = client.exec_start(made["Id"])
        return int(client.exec_inspect(made["Id"])["ExitCode"]), output.decode("utf-8", "replace")


def memory_bytes(container_id: str) -> int:
    """Return what a seat's processes hold in memory now, without the page cache that the kernel may drop."""
    client: Any = api()
    with engine_answers():
        told = client.stats(container_id, stream=False, one_shot=True).get("memory_stats", {})
    inner = told.get("stats", {})
    return max(0, int(told.get("usage", 0)) - int(inner.get("total_inactive_file", inner.get("inactive_file", 0))))
