"""The disk that learners' disks are copies of: a seat starts on it once, finds the hub's address, loads the pack."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from dmhelpers.engine.client import api, engine_answers
from dmhelpers.errors import EngineError
from dmhelpers.workshop import disks, seats
from dmhelpers.workshop.hub import UNMASKED, seat_host_config, seat_labels
from dmhelpers.workshop.settings import Workshop

_LIMIT_S = 600.0
_REACHED_WITHIN_S = 30


def make(workshop: Workshop, say: Callable[[str], None]) -> None:
    """Make the disk that learners' disks are copies of: a seat starts on it once and loads the pack.

    Raises:
        EngineError: The seat cannot reach the hub's address, its engine did not come up or did not load the pack.
    """
    if workshop.disk(disks.TEMPLATE).exists():
        return
    say("Preparing the disk that every learner's is a copy of")
    _clear(workshop)  # what an `up` left that was killed at this
    disks.make(workshop, disks.UNFINISHED)
    try:
        disks.mount(workshop, disks.UNFINISHED)
        _load_pack(workshop)
    except BaseException:
        _clear(workshop)
        raise
    disks.unmount(workshop, disks.UNFINISHED)
    # It has its name only when it is whole: learners' disks are copies of it.
    workshop.disk(disks.UNFINISHED).replace(workshop.disk(disks.TEMPLATE))


def _clear(workshop: Workshop) -> None:
    seats.remove_containers(workshop, {disks.UNFINISHED})
    disks.unmount(workshop, disks.UNFINISHED)
    workshop.disk(disks.UNFINISHED).unlink(missing_ok=True)


def _load_pack(workshop: Workshop) -> None:
    client: Any = api()
    with engine_answers():
        container_id = _create(client, workshop, disks.UNFINISHED)
        try:
            client.start(container_id)
            _require_way_to_hub(workshop, container_id)
            _wait_for_pack(client, container_id, bool(workshop.pack))
            client.stop(container_id, timeout=20)
        finally:
            seats.remove_containers(workshop, {disks.UNFINISHED})


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


def _require_way_to_hub(workshop: Workshop, container_id: str) -> None:
    """Raise where a firewall keeps seats from the hub: each would be waited for in vain, minutes later."""
    place = f"/dev/tcp/{workshop.hub_address}/{workshop.hub_port}"
    with socket.socket() as stands_for_hub:
        stands_for_hub.bind((workshop.hub_address, workshop.hub_port))
        stands_for_hub.listen()
        asked = ["timeout", str(_REACHED_WITHIN_S), "bash", "-c", f"exec 3<>{place}"]
        if seats.run_in(container_id, asked)[0] == 0:
            return
    bridge = seats.bridge(workshop)
    raise EngineError(
        f"A seat does not reach this machine at {workshop.hub_address}:{workshop.hub_port}, where the hub will "
        "listen: a firewall stands between.",
        hint=f"Let in what comes from the bridge {bridge}: sudo ufw allow in on {bridge}"
        f"   (firewalld: sudo firewall-cmd --zone=trusted --add-interface={bridge})",
    )


def _wait_for_pack(client: Any, container_id: str, has_pack: bool) -> None:
    deadline = time.monotonic() + _LIMIT_S
    asked = ["sh", "-c", "docker version >/dev/null 2>&1 && test -e /run/user/1000/pack.done"]
    while seats.run_in(container_id, asked)[0] != 0:
        running = client.inspect_container(container_id)["State"]["Running"]
        if time.monotonic() > deadline or not running:
            told = seats.run_in(container_id, ["tail", "-n", "3", "/run/user/1000/engine.log"])[1] if running else ""
            raise EngineError(
                f"The engine inside a seat did not come up: {told.strip() or 'its container ended'}",
                hint="See what a seat needs of its host in deploy/workshop/README.md.",
            )
        time.sleep(0.5)
    if has_pack and not seats.run_in(container_id, ["docker", "images", "-q"])[1].strip():
        told = seats.run_in(container_id, ["tail", "-n", "3", "/run/user/1000/pack.log"])[1]
        raise EngineError(
            f"The pack gave the seat's engine no image: {told.strip() or 'it holds no archive'}",
            hint="Give --pack a pack, or an archive of `docker save`.",
        )
