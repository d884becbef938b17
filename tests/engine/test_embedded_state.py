"""What is remembered of a started engine, and that no other process is ever taken for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dmhelpers.engine.embedded import dockerd_log, start, state
from dmhelpers.errors import EngineError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an engine is only started on Linux")

LOG = """\
time="2026-01-02T03:04:05Z" level=info msg="Starting up"
time="2026-01-02T03:04:06Z" level=error msg="something by the way"
failed to start daemon: Devices cgroup isn't mounted
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a state folder of its own."""
    monkeypatch.setenv("DMHELPERS_HOME", str(tmp_path / "home"))


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that would sleep for ten minutes."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def _started(pid: int) -> state.StartedEngine:
    return state.StartedEngine("process", pid, state.start_ticks(pid) or 0, "default", "/d", "/l")


def test_running_engine_is_recalled(sleeper: subprocess.Popen[bytes]) -> None:
    """What was remembered comes back as it was for as long as the process runs."""
    engine = _started(sleeper.pid)
    state.remember(engine)
    assert state.recall() == engine


def test_process_of_another_time_is_not_ours(sleeper: subprocess.Popen[bytes]) -> None:
    """A process that got the remembered ID later is not recalled, and the entry is struck out."""
    state.remember(replace(_started(sleeper.pid), start_ticks=1))
    assert state.recall() is None
    assert not state.state_file().exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_broken_state_file_is_no_engine(text: str) -> None:
    """A state file that cannot be read means that no engine is ours."""
    state.state_file().parent.mkdir(parents=True)
    state.state_file().write_text(text)
    assert state.recall() is None


def test_end_waits_until_the_process_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    """A process that is ended is gone when the call returns."""
    assert state.end(sleeper.pid, state.start_ticks(sleeper.pid), grace_s=60)
    assert state.start_ticks(sleeper.pid) is None


def test_end_kills_what_does_not_listen() -> None:
    """A process that ignores the request is killed after the grace time."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert state.end(process.pid, state.start_ticks(process.pid), grace_s=0.3)


def test_end_leaves_another_process_alone(sleeper: subprocess.Popen[bytes]) -> None:
    """A process that started at another time under the same ID is not touched."""
    state.end(sleeper.pid, 1, grace_s=0.1)
    assert sleeper.poll() is None


def test_stale_pid_files_are_removed_and_true_ones_kept(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """A pid file of a process that is gone, or is now another program, is removed; that of a running engine stays."""
    gone, other, true = (tmp_path / name for name in ("gone", "other", "true"))
    with subprocess.Popen(["true"]) as process:
        gone.write_text(str(process.pid))
    other.write_text(str(os.getpid()))
    true.write_text(str(sleeper.pid))
    start.remove_stale_pid_files({gone: "dockerd", other: "dockerd", true: "sleep", tmp_path / "none": "dockerd"})
    assert [path.exists() for path in (gone, other, true)] == [False, False, True]


def test_decisive_line_is_found() -> None:
    """The line that says why dockerd stopped wins over the errors it met by the way."""
    assert dockerd_log.decisive_line(LOG) == "failed to start daemon: Devices cgroup isn't mounted"
    only_error = 'time="x" level=error msg="failed: \\"y\\"" error="no such device"'
    assert dockerd_log.decisive_line(only_error) == 'failed: "y": no such device'
    assert dockerd_log.decisive_line("") == "its log is empty"


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("Devices cgroup isn't mounted", "/sys/fs/cgroup"),
        ("can't initialize iptables table `nat': Table does not exist", "modprobe"),
        ("error initializing graphdriver: driver not supported: overlay2", "ext4"),
        ("write /x: no space left on device", "make room"),
        ("process with PID 12 is still running", "stop it first"),
        ("something new", "by hand: dockerd"),
    ],
)
def test_each_known_cause_has_its_cure(line: str, cure: str) -> None:
    """What dockerd says when it does not start is translated into what to do."""
    assert cure in dockerd_log.cure_for(line)


def test_missing_control_groups_are_told(tmp_path: Path) -> None:
    """An empty /sys/fs/cgroup is refused before anything is started; both versions of control groups pass."""
    with pytest.raises(EngineError, match="control groups"):
        start.require_cgroups(tmp_path)
    (tmp_path / "cgroup.controllers").touch()
    start.require_cgroups(tmp_path)


def test_program_that_ends_at_once_is_told_with_its_last_word(tmp_path: Path) -> None:
    """An engine that ends before it answers becomes an error with the decisive line of its log."""
    log = tmp_path / "log"
    process = start.launch(["sh", "-c", "echo failed to start daemon: no room; exit 1"], log)
    with pytest.raises(EngineError, match=r"ended with 1[\s\S]*no room"):
        start.wait_until_ready(process, log, lambda: False, limit_s=120)


@pytest.mark.parametrize(
    ("store", "version", "folder"),
    [
        ("default", "26.1.5", None),
        ("overlay2", "26.1.5", None),
        ("containerd", "26.1.5", "docker-dmhelpers-containerd"),
        ("overlay2", "29.0.1", "docker-dmhelpers-overlay2"),
    ],
)
def test_each_store_that_is_not_the_engines_own_has_its_own_data_root(
    store: state.StoreChoice, version: str, folder: str | None
) -> None:
    """The image store that the engine would not choose by itself never shares a data root with the other."""
    root = start.data_root_for(store, version)
    assert (root.name if root else None) == folder


def test_settings_of_the_machine_are_kept(tmp_path: Path) -> None:
    """The store's feature is laid on top of the machine's own daemon.json; the rest of it stays."""
    own = tmp_path / "daemon.json"
    own.write_text('{"dns": ["192.0.2.1"], "features": {"x": true}, "storage-driver": "overlay2"}')
    settings = start.settings_for("containerd", Path("/d"), own=own)
    assert '"dns"' in settings
    assert '"x": true' in settings
    assert '"containerd-snapshotter": true' in settings
    assert "storage-driver" not in settings
    own.write_text("{")
    with pytest.raises(EngineError, match="cannot be read"):
        start.settings_for("containerd", None, own=own)
