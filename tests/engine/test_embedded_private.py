"""A second engine lives beside the first without touching it, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from dmhelpers.engine.client import docker_cli
from dmhelpers.engine.embedded import PrivateEngine
from dmhelpers.engine.embedded.namespaces import Namespaces
from dmhelpers.engine.probe import image_archive, program

pytestmark = pytest.mark.private_engine


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def _run_container(host: str, folder: Path) -> str:
    archive = folder / "probe.tar"
    archive.write_bytes(image_archive(_architecture(), "private-probe:1"))
    docker_cli(["--host", host, "load", "--input", str(archive)], timeout_s=60)
    return docker_cli(["--host", host, "run", "--rm", "private-probe:1"], timeout_s=60).stdout


def _bridges() -> list[str]:
    return sorted(one.name for one in Path("/sys/class/net").iterdir() if one.name.startswith(("docker", "br-")))


@pytest.mark.parametrize("store", ["overlay2", "containerd"])
def test_runs_containers_and_leaves_nothing(store: str, tmp_path: Path) -> None:
    """In either image store it runs a container; afterwards its folder, groups, mounts and processes are gone."""
    bridges = _bridges()
    with PrivateEngine(image_store=store) as engine:
        assert "a container ran" in _run_container(engine.host, tmp_path)
        pid = engine.pid
    assert not engine.folder.exists()
    assert not Path(f"/proc/{pid}").exists()
    assert not [*Path("/sys/fs/cgroup").glob(f"**/{engine.name}")]
    assert engine.folder.name not in Path("/proc/self/mountinfo").read_text()
    assert _bridges() == bridges


def test_killed_engine_starts_again_with_its_images(tmp_path: Path) -> None:
    """A killed engine leaves a pid file that does not block it, and finds its images again."""
    with PrivateEngine() as engine:
        _run_container(engine.host, tmp_path)
        engine.kill()
        assert (engine.folder / "dockerd.pid").exists()
        engine.start()
        assert "private-probe" in docker_cli(["--host", engine.host, "images"], timeout_s=30).stdout


def test_disk_of_its_own_is_as_small_as_asked(tmp_path: Path) -> None:
    """With `disk_bytes` the engine lives on a disk of that size, and a build that needs more is told so."""
    with PrivateEngine(disk_bytes=64_000_000) as engine:
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "big").write_bytes(os.urandom(80_000_000))
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY big /big\n")
        built = docker_cli(["--host", engine.host, "build", str(folder)], timeout_s=120, check=False)
        assert built.exit_code != 0
        assert "no space left on device" in built.stderr


def test_has_no_network_beyond_its_own_bridge() -> None:
    """Inside its namespaces there is no route to anywhere, and the first engine's bridge is out of sight."""
    with PrivateEngine() as engine:
        routes = engine.run_inside(["cat", "/proc/net/route"])
        assert not re.search(r"^\S+\t00000000\t", routes, re.MULTILINE)
        interfaces = {
            line.split(":")[0].strip() for line in engine.run_inside(["cat", "/proc/net/dev"]).splitlines()[2:]
        }
        assert "eth0" not in interfaces


@pytest.mark.engine
def test_first_engine_does_not_notice(tmp_path: Path) -> None:
    """While a private engine comes and goes, a container of the first engine is run and its bridge stays."""
    from dmhelpers.engine.probe import probe

    bridges = _bridges()
    with PrivateEngine():
        probe()
        assert _bridges() == bridges
    probe()
    assert _bridges() == bridges


def test_program_is_for_this_machine() -> None:
    """The test program of this machine's architecture is an ELF file of a few hundred bytes."""
    assert program(_architecture())[:4] == b"\x7fELF"


def test_what_is_unmounted_outside_is_not_held_inside(tmp_path: Path) -> None:
    """A disk that a machine unmounts is gone inside too; else its device stays taken as long as the engine runs."""
    shared, disk = tmp_path / "shared", tmp_path / "shared" / "disk"
    shared.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(shared)], check=True)
    try:
        subprocess.run(["mount", "--make-shared", str(shared)], check=True)
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=True)
        with Namespaces() as namespaces:
            mounted = ["grep", "-q", str(disk), "/proc/self/mounts"]
            assert namespaces.run(mounted, check=False).returncode == 0
            subprocess.run(["umount", str(disk)], check=True)
            assert namespaces.run(mounted, check=False).returncode == 1
    finally:
        subprocess.run(["umount", "--recursive", str(shared)], check=True)
