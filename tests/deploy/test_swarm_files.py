"""The files of the Swarm agree with each other, with the course's commands, and with what the pages say of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dmhelpers.cli import make_parser
from dmhelpers.workshop.swarm import SwarmWorkshop
from tests.deploy import swarm_rehearsal

SWARM = Path(__file__).parents[2] / "deploy" / "swarm"
README = (SWARM / "README.md").read_text(encoding="utf-8")


def _services(file: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((SWARM / file).read_text(encoding="utf-8"))["services"]
    return read


GIVEN = {
    "WORKSHOP_SHARED": "/srv/workshop",
    "WORKSHOP_IMAGE": "registry:5000/seat:1",
    "WORKSHOP_HUB_IMAGE": "registry:5000/hub:1",
    "WORKSHOP_PACK": "/srv/pack",
}
needs_cli = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads the files")


def _as_deployed(given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Return what `docker stack deploy` would deploy from both files, which asks no engine."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("WORKSHOP_")}
    files = [f"--compose-file={SWARM / one}" for one in ("stack.yaml", "mirror.yaml")]
    command = ["docker", "--host", "unix:///nonexistent", "stack", "config", *files]
    return subprocess.run(
        command,
        env={**kept, **given},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@needs_cli
def test_both_files_are_one_stack() -> None:
    """Docker reads both as one stack, in which seats and mirror have the folder that was named."""
    done = _as_deployed(GIVEN)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert services["hub"]["environment"]["WORKSHOP_PACK"] == "/srv/pack"
    assert services["mirror"]["volumes"][0]["source"] == "/srv/pack"
    assert services["mirror"]["image"] == "registry:5000/seat:1"


@needs_cli
@pytest.mark.parametrize("lacking", sorted(GIVEN))
def test_what_must_be_set_is_named(lacking: str) -> None:
    """Without a variable that has no default nothing is deployed, and Docker names it and says what it is."""
    done = _as_deployed({name: text for name, text in GIVEN.items() if name != lacking})
    assert done.returncode != 0
    assert re.search(rf"required variable {lacking} is missing a value: the \w+", done.stderr)


def test_mirror_serves_the_pack_that_seats_have() -> None:
    """mirror.yaml gives seats and mirror one pack, and tells the hub the name and the port that the mirror has."""
    services = _services("mirror.yaml")
    mirror, told = services["mirror"], services["hub"]["environment"]
    assert mirror["command"][0] == "dmhelpers"
    asked = make_parser().parse_args(mirror["command"][1:])
    assert (asked.command.__name__, str(asked.file)) == ("_serve", "/opt/pack/course-pack.tar")
    assert asked.address == "0.0.0.0"  # noqa: S104  of the container, compared
    assert [one.rpartition("}")[2] for one in mirror["volumes"]] == [":/opt/pack:ro"]
    assert told["WORKSHOP_MIRROR"] == f"http://mirror:{asked.port}"
    assert {one.removeprefix("WORKSHOP_").lower() for one in told} <= set(SwarmWorkshop.__dataclass_fields__)


def test_only_seats_reach_the_mirror() -> None:
    """The mirror is in the seats' network, publishes no port, has no capability and no engine's socket."""
    mirror = _services("mirror.yaml")["mirror"]
    assert mirror["networks"] == _services("stack.yaml")["hub"]["networks"]
    assert mirror["cap_drop"] == ["ALL"]
    assert mirror["deploy"]["resources"]["limits"]["memory"]
    assert "ports" not in mirror


def test_readme_lists_every_variable() -> None:
    """Each variable that an administrator may set stands in the table of README.md."""
    files = "".join((SWARM / one).read_text(encoding="utf-8") for one in ("stack.yaml", "mirror.yaml"))
    table = README.partition("| variable |")[2].partition("\n\n")[0]
    assert set(re.findall(r"\$\{(\w+)", files)) == set(re.findall(r"`(WORKSHOP_\w+)`", table))


def test_readme_has_what_the_hub_needs_before_the_hub() -> None:
    """Roster, disks and pack come before the hub, which reads the first and gives seats the others."""
    steps = (
        "enable --now dmhelpers-node",
        "docker push",
        "swarm_roster names.txt",
        "--disks /srv",
        "docker stack deploy",
    )
    places = [README.index(one) for one in steps]
    assert places == sorted(places)
    assert places[3] < README.index("course-pack.tar /srv/pack") < places[4]


def test_scaling_reckons_with_the_disks_that_are_given() -> None:
    """docs/scaling.md computes with the disks that README.md, the node's unit, the rehearsal and the values name."""
    page = (SWARM.parents[1] / "docs" / "scaling.md").read_text(encoding="utf-8")
    named = README + (SWARM / "dmhelpers-node.service").read_text(encoding="utf-8")
    (on_swarm,) = {*re.findall(r"--disks \S+ (\d+)G ", named), swarm_rehearsal.DISK.removesuffix("G")}
    values = yaml.safe_load((SWARM.parent / "kubernetes" / "values.yaml").read_text(encoding="utf-8"))
    volumes = {one["name"]: one for one in values["singleuser"]["storage"]["extraVolumes"]}
    on_kubernetes = volumes["engine-data"]["emptyDir"]["sizeLimit"].removesuffix("Gi")
    for size, written in ((on_swarm, f"`{on_swarm}G`"), (on_kubernetes, f"`{on_kubernetes}Gi`")):
        each = f"{int(size) * 2**30 / 1e9:.1f}"
        assert f"200 GB / {each} GB | **{int(200 // float(each))}**" in page
        assert f"{each} GB, the {written}" in page
