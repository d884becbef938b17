"""The proof that a container runs: its program, its image, and that nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dmhelpers.engine import probe as probing
from dmhelpers.engine.client import api
from dmhelpers.engine.labels import COURSE
from dmhelpers.errors import EngineError


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_program_names_its_machine_and_holds_its_line(architecture: str) -> None:
    """The program is a static 64-bit ELF file of its architecture, below a kilobyte, with the line it prints."""
    raw = probing.program(architecture)
    assert raw[:5] == b"\x7fELF\x02"
    assert int.from_bytes(raw[18:20], "little") == {"amd64": 62, "arm64": 183}[architecture]
    assert raw.endswith(b"a container ran\n/\0")
    assert len(raw) < 1000


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.uname().machine not in {"x86_64", "aarch64"}, reason="another machine"
)
def test_program_runs_without_a_container(tmp_path: Path) -> None:
    """On this machine itself the program prints its line and the figures of the disk, and ends with 0."""
    path = tmp_path / "probe"
    path.write_bytes(probing.program({"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]))
    path.chmod(0o755)
    before = os.statvfs("/")
    done = subprocess.run([path], capture_output=True, check=True, timeout=300)
    told, disk = probing.read_output(done.stdout), os.statvfs("/")
    assert told.disk_total_bytes == disk.f_blocks * disk.f_frsize
    # Others write to the disk meanwhile.
    least, most = sorted(one.f_bavail * one.f_frsize for one in (before, disk))
    assert least * 0.95 <= told.disk_free_bytes <= most * 1.05


def test_other_output_is_an_error() -> None:
    """Whatever else the container prints is shown in the error, cut short."""
    with pytest.raises(EngineError, match="exec format error"):
        probing.read_output(b"exec format error\n")


def test_other_architectures_are_told() -> None:
    """An engine on a machine that there is no program for gets an error that says how to check by hand."""
    with pytest.raises(EngineError, match="riscv64"):
        probing.program("riscv64")


def test_image_is_the_same_every_time() -> None:
    """The image's archive depends on nothing but its arguments."""
    assert probing.image_archive("amd64", "a:1") == probing.image_archive("amd64", "a:1")


@pytest.mark.engine
def test_container_runs_and_nothing_stays(unchanged_engine: object) -> None:
    """A container runs on the engine and tells its disk; no image and no container of it is left."""
    told = probing.probe(time_limit_s=120)
    assert 0 < told.disk_free_bytes < told.disk_total_bytes
    _assert_no_trace()


@pytest.mark.engine
def test_nothing_stays_of_a_probe_that_fails(unchanged_engine: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the container cannot start, the error comes through and its image and container are removed all the same."""
    monkeypatch.setattr(probing, "program", lambda _architecture: b"no program")
    with pytest.raises(EngineError):
        probing.probe(time_limit_s=120)
    _assert_no_trace()


def _assert_no_trace() -> None:
    client = api()
    names = [name for one in client.images() for name in one.get("RepoTags") or []]
    assert not [name for name in names if name.startswith("dmhelpers-probe:")]
    containers = client.containers(all=True, filters={"label": COURSE})
    assert not [one for one in containers if one["Image"].startswith("dmhelpers-probe:")]
