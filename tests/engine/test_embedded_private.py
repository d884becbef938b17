"""A second engine lives beside the first without touching it, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from dmhelpers.engine.client import docker_cli
from dmhelpers.engine.embedded import PrivateEngine, state
from dmhelpers.engine.embedded.namespaces import Namespaces
from dmhelpers.engine.probe import image_archive, program

pytestmark = pytest.mark.private_engine


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def _run_container(host: str, folder: Path) -> str:
    archive = folder / "probe.tar"
    archive.write_bytes(image_archive(_architecture(), "private-probe:1"))
    docker_cli(["--host", host, "load", "--input", str(archive)], timeout_s=120)
    return docker_cli(["--host", host, "run", "--rm", "private-probe:1"], timeout_s=120).stdout


def _default_bridge() -> str:
    """Return the number of the default bridge in this network, ``""`` where none is; others come and go."""
    try:
        return Path("/sys/class/net/docker0/ifindex").read_text()
    except FileNotFoundError:
        return ""


def _hold_it_is_apart(engine: PrivateEngine) -> None:
    """Hold that the engine's bridge is in a network of its own, so that none of it can appear here."""
    assert Path(f"/proc/{engine.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    assert "docker0" in engine.run_inside(["cat", "/proc/net/dev"])


def _groups(name: str) -> list[str]:
    """Return the control groups of this name; other engines' come and go while they are looked for."""
    return [folder for folder, names, _ in os.walk("/sys/fs/cgroup") if name in names]


@pytest.mark.parametrize("store", ["overlay2", "containerd"])
def test_runs_containers_and_leaves_nothing(store: str, tmp_path: Path) -> None:
    """In either image store it runs a container; afterwards its folder, groups, mounts and processes are gone."""
    bridge = _default_bridge()
    with PrivateEngine(image_store=store) as engine:
        assert "a container ran" in _run_container(engine.host, tmp_path)
        _hold_it_is_apart(engine)
        pid, ticks = engine.pid, state.start_ticks(engine.pid) or 0
    assert not engine.folder.exists()
    assert not state.runs(pid, ticks)
    assert not _groups(engine.name)
    assert engine.folder.name not in Path("/proc/self/mountinfo").read_text()
    assert _default_bridge() == bridge


def test_killed_engine_starts_again_with_its_images(tmp_path: Path) -> None:
    """A killed engine leaves a pid file that does not block it, and finds its images again."""
    with PrivateEngine() as engine:
        _run_container(engine.host, tmp_path)
        engine.kill()
        assert (engine.folder / "dockerd.pid").exists()
        engine.start()
        assert "private-probe" in docker_cli(["--host", engine.host, "images"], timeout_s=120).stdout


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

    bridge = _default_bridge()
    with PrivateEngine() as engine:
        probe(time_limit_s=120)
        _hold_it_is_apart(engine)
        assert _default_bridge() == bridge
    probe(time_limit_s=120)
    assert _default_bridge() == bridge


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
