"""What a workshop is made of: one record, kept as a file in the state folder while the workshop is up."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from dmhelpers.engine.labels import COURSE
from dmhelpers.engine.places import state_folder
from dmhelpers.errors import NotFound

WORKSHOP_LABEL = f"{COURSE}.workshop"
"""On every container and network of a workshop, with the workshop's name as its value."""

VARIABLE = "DMHELPERS_WORKSHOP"
"""The environment variable through which the hub's processes find the workshop's folder."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one learner may use: the container, and with it their engine and all that runs in it."""

    memory_bytes: int = 1_500_000_000
    cpus: float = 1.0
    processes: int = 512
    disk_bytes: int = 7_000_000_000


@dataclass(frozen=True, slots=True)
class Workshop:
    """One workshop on one machine.

    Args:
        name: Distinguishes it from another on the same machine; part of every container's name.
        folder: Where its files are.
        image: The image of a learner's seat.
        address: The address that the proxy listens on.
        port: Its port.
        hub_address: The hub's own address, which is the gateway of the learners' network.
        hub_port: The hub's own port.
        proxy_port: The port of the proxy's own API, on the loopback interface.
        engine_host: The address of the engine that the seats run on.
        view_port: The port at the hub's address of the instructor's view, to which seats report.
        mirror_port: The port at the hub's address where builds find the pack's packages; 0 for none.
        pack: The file that every seat sees, read-only, in `/opt/pack`; ``""`` for none.
        limits: What one learner may use.
        idle_after_s: Seconds without use after which a seat is stopped; 0 for never.
        reserve_bytes: With less than this free on the disk that `folder` is on, all seats are paused.
        outside: The address that learners open where something stands before the proxy; ``""`` where nothing does.
    """

    name: str
    folder: Path
    image: str
    address: str
    port: int
    hub_address: str
    hub_port: int
    proxy_port: int
    view_port: int
    mirror_port: int
    engine_host: str
    pack: str
    limits: Limits
    idle_after_s: int = 3600
    reserve_bytes: int = 0
    outside: str = ""

    @property
    def shown_url(self) -> str:
        """The address that learners open: what stands on their cards."""
        return self.outside or self.url

    @property
    def url(self) -> str:
        """The address at which this machine reaches the proxy."""
        host = "127.0.0.1" if self.address in ("", "0.0.0.0") else self.address  # noqa: S104  compared, not bound
        return f"http://{host}:{self.port}"

    @property
    def mirror(self) -> str:
        """The address where builds find the pack's packages; ``""`` where there is none."""
        return f"http://{self.hub_address}:{self.mirror_port}" if self.mirror_port else ""

    @property
    def view_url(self) -> str:
        """The address at which the instructor's view listens; seats reach it, and may only report."""
        return f"http://{self.hub_address}:{self.view_port}"

    @property
    def pack_mount(self) -> str:
        """Where a seat sees the pack."""
        return f"/opt/pack/{Path(self.pack).name}"

    @property
    def network(self) -> str:
        """The name of the learners' network on the engine."""
        return f"dmhelpers-{self.name}"

    @property
    def roster_file(self) -> Path:
        """Who may come in, with their codes hashed."""
        return self.folder / "roster.json"

    def container(self, learner: str) -> str:
        """Return the name of a learner's container."""
        return f"dmhelpers-{self.name}-{learner}"

    def disk(self, learner: str) -> Path:
        """Return the file that is a learner's disk."""
        return self.folder / "disks" / f"{learner}.img"

    def home(self, learner: str) -> Path:
        """Return the folder where a learner's disk is mounted."""
        return self.folder / "homes" / learner


def folder_of(name: str) -> Path:
    """Return the folder of a workshop's files; it need not exist."""
    return state_folder() / "workshops" / name


def save(workshop: Workshop) -> None:
    """Write a workshop's settings into its folder, whole or not at all."""
    workshop.folder.mkdir(parents=True, exist_ok=True)
    fresh = workshop.folder / "workshop.json.new"
    fresh.write_text(json.dumps(asdict(workshop), default=str, indent=2) + "\n", encoding="utf-8")
    fresh.replace(workshop.folder / "workshop.json")


def load(folder: Path | None = None) -> Workshop:
    """Return the settings of a workshop that is up.

    Args:
        folder: Its folder; that of the environment variable `DMHELPERS_WORKSHOP` for None.

    Raises:
        NotFound: There is no workshop there.
    """
    where = folder or Path(os.environ.get(VARIABLE) or folder_of("workshop"))
    try:
        read = json.loads((where / "workshop.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        is_root = getattr(os, "geteuid", int)() == 0
        start = "Start one: dmhelpers workshop up --roster names.txt"
        hint = start if is_root else "A workshop is root's: run this again with sudo."
        raise NotFound("No workshop is up on this machine.", hint=hint) from error
    return Workshop(**{**read, "folder": Path(read["folder"]), "limits": Limits(**read["limits"])})
