"""What the tests of faults share: errors held to their form, and an engine of their own that may be broken."""

from __future__ import annotations

import io
import os
import platform
import re
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dmhelpers.engine.client import docker_cli, forget_clients
from dmhelpers.engine.embedded import PrivateEngine
from dmhelpers.engine.info import forget_info
from dmhelpers.errors import DmHelpersError

SHELL = "shell:1"
_STRANGERS = ("persons-own:1", "persons-container", "persons-volume")
_COMMANDS = ("sh", "cat", "dd", "ls", "sleep", "true")

Explained = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def explained() -> Explained:
    """Hold that the block raises exactly this error, which names the values and ends with the cure.

    `with explained(BuildFailed, "line 2", "nope.txt", cure="dockerignore") as caught: …`
    """

    @contextmanager
    def check(kind: type[DmHelpersError], *named: str, cure: str) -> Iterator[Any]:
        with pytest.raises(DmHelpersError) as caught:
            yield caught
        error = caught.value
        assert type(error) is kind, f"{type(error).__name__}: {error}"
        for one in named:
            assert one in error.message
        last = str(error).splitlines()[-1]
        assert last == error.hint
        assert re.search(cure, last), last
        assert error._render_traceback_()[-1] == last

    return check


@pytest.fixture
def dead_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Point the course at an address where no engine is: whatever needs one says so."""
    address = f"unix://{tmp_path / 'nobody.sock'}"
    monkeypatch.setenv("DOCKER_HOST", address)
    yield address
    forget_clients()


@dataclass(frozen=True)
class Watch:
    """Waiting for what happens elsewhere on this machine, instead of sleeping."""

    limit_s: float = 300.0

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Return the first true answer; fail after the limit."""
        deadline = time.monotonic() + self.limit_s
        while time.monotonic() < deadline:
            found = holds()
            if found:
                return found
            time.sleep(0.02)
        pytest.fail(f"waited {self.limit_s:g} s for {what}")

    def running(self, *words: str, on: PrivateEngine | None = None) -> list[int]:
        """Return the IDs of the processes whose command line has these words one after the other.

        With `on`, only those in containers and RUN steps of that engine: their control group is named after it.
        """
        wanted = b"\0" + b"\0".join(one.encode() for one in words) + b"\0"
        group = on.name if on else ""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                known = wanted in b"\0" + (entry / "cmdline").read_bytes()
                if known and group in (entry / "cgroup").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def until_started(self, *words: str) -> int:
        """Return the ID of the first process with these words, once there is one."""
        return int(self.until(lambda: self.running(*words), f"a process {' '.join(words)!r} to start")[0])

    def until_gone(self, *words: str) -> None:
        """Wait until no process has these words."""
        self.until(lambda: not self.running(*words), f"the processes {' '.join(words)!r} to end")


@pytest.fixture
def watch() -> Watch:
    """Wait for events."""
    return Watch()


@pytest.fixture(scope="session")
def shell_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tar file of a tiny root filesystem with a shell (2 MB), from Debian's busybox."""
    from dmhelpers.engine.bases.debian import debian_files
    from dmhelpers.engine.bases.recipe import recipe

    folder = tmp_path_factory.mktemp("shell")
    architecture = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "amd64")
    package: Any = recipe("node:20-alpine", architecture).sources["busybox"]
    try:
        deb = debian_files((package,), architecture, work=folder, progress=lambda _: None)[package.package]
    except DmHelpersError as error:
        if os.environ.get("DMHELPERS_REQUIRE_ENGINE") == "1":
            raise
        pytest.skip(f"no busybox for a tiny image: {error.message}")
    unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as source:
        member = next(one for one in source if one.name.endswith("bin/busybox"))
        program = source.extractfile(member).read()  # type: ignore[union-attr]
    path = folder / "shell.tar"
    with tarfile.open(path, "w") as archive:
        busybox = tarfile.TarInfo("bin/busybox")
        busybox.size, busybox.mode = len(program), 0o755
        archive.addfile(busybox, io.BytesIO(program))
        for command in _COMMANDS:
            link = tarfile.TarInfo(f"bin/{command}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return path


@pytest.fixture(scope="module")
def own_engine() -> Iterator[PrivateEngine]:
    """Start an engine that the module's tests may break; it has no network beyond its own bridge."""
    with PrivateEngine() as engine:
        yield engine


@pytest.fixture
def broken_engine(
    own_engine: PrivateEngine,
    shell_archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[PrivateEngine]:
    """Point the course at the module's own engine, which holds `shell:1` and things of a person.

    They carry the course's label, as what people build on the course's images does, and stand in no ledger.
    After the test and `dm.cleanup()` the engine is exactly as it was.
    """
    monkeypatch.setenv("DOCKER_HOST", own_engine.host)
    monkeypatch.delenv("DMHELPERS_SHARED_ENGINE", raising=False)
    _forget()
    image, container, volume = _STRANGERS
    if not docker_cli(["images", "--quiet", SHELL], timeout_s=120).stdout:
        label = "io.dmhelpers.course=1"
        docker_cli(["import", str(shell_archive), SHELL], timeout_s=120)
        docker_cli(["import", "--change", f"LABEL {label}", str(shell_archive), image], timeout_s=120)
        docker_cli(["volume", "create", "--label", label, volume], timeout_s=120)
        docker_cli(["create", "--name", container, "--volume", f"{volume}:/v", image, "/bin/true"], timeout_s=120)
    request.getfixturevalue("unchanged_engine")
    yield own_engine
    _forget()


def _forget() -> None:
    forget_clients()
    forget_info()
