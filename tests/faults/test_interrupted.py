"""Builds and containers that are interrupted, killed or never end: cancelled on the engine, nothing stays behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import dmhelpers as dm
from dmhelpers.engine.client import docker_cli
from dmhelpers.errors import BuildFailed, BuildTimeLimitReached, TimeLimitReached

pytestmark = [pytest.mark.private_engine, pytest.mark.usefixtures("broken_engine")]

TAG = "faults-endless:1"
BUILD = "import sys, dmhelpers as dm; dm.build(sys.argv[1], tag='faults-endless:1')"
RUN = "import sys, dmhelpers as dm; dm.run('shell:1', ['sleep', sys.argv[1]], time_limit_s=3000)"


@pytest.fixture
def seconds() -> str:
    """A number of seconds that no other process on this machine sleeps."""
    return str(random.randint(10**8, 10**9))  # noqa: S311  not a secret


@pytest.fixture
def endless(project, seconds) -> Path:
    """A project whose second step never ends."""
    return project({"Dockerfile": f"FROM shell:1 AS builder\nRUN true\nRUN echo started; sleep {seconds}\n"})


def python(code: str, argument: object) -> subprocess.Popen[str]:
    """Start a Python of its own, as from a terminal: Ctrl-C reaches it and nobody else."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(argument)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def assert_cancelled(watch, engine, seconds: str) -> None:
    """Hold that step and client are gone and that nothing was tagged."""
    watch.until_gone("sleep", seconds)
    watch.until(lambda: not clients(watch), "the build client to end")
    assert docker_cli(["images", "--quiet", TAG], timeout_s=120).stdout == ""
    assert docker_cli(["ps", "--quiet"], timeout_s=120).stdout == ""


def clients(watch) -> list[int]:
    """Return the build clients of this module's tests."""
    return watch.running(f"--tag={TAG}")


def when(happened: Callable[[], object], do: Callable[[], object]) -> threading.Thread:
    """Do something in a thread as soon as something else has happened."""

    def run() -> None:
        happened()
        do()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_run_that_never_ends(endless, seconds, watch, broken_engine, explained, limit_begins) -> None:
    """A build past its limit is cancelled on the engine; the error says where it was and how to give it more."""
    limit_begins(f"sleep {seconds}", printed="started")
    with explained(BuildTimeLimitReached, TAG, "2.0s", f"sleep {seconds}", cure="time_limit_s=") as caught:
        dm.build(endless, tag=TAG, time_limit_s=2)
    assert_cancelled(watch, broken_engine, seconds)
    assert "started" in caught.value.log


def test_build_after_a_cancelled_one(endless, seconds, watch, broken_engine, project, limit_begins) -> None:
    """After a cancelled build the next one takes the finished steps from the build cache."""
    limit_begins(f"sleep {seconds}")
    with pytest.raises(BuildTimeLimitReached):
        dm.build(endless, tag=TAG, time_limit_s=1)
    watch.until_gone("sleep", seconds)
    mended = project({"Dockerfile": "FROM shell:1 AS builder\nRUN true\nRUN echo mended > /mended\n"})
    assert list(dm.build(mended, tag=TAG).steps["state"])[-2:] == ["cached", "ran"]


def test_container_that_never_ends(seconds, watch, broken_engine, explained) -> None:
    """A container past its limit is killed and removed."""
    with explained(TimeLimitReached, f"sleep {seconds}", "1 s", cure="time_limit_s="):
        dm.run("shell:1", ["sleep", seconds], time_limit_s=1)
    assert_cancelled(watch, broken_engine, seconds)


@pytest.mark.parametrize("code", [BUILD, RUN], ids=["build", "run"])
def test_ctrl_c(code, endless, seconds, watch, broken_engine) -> None:
    """Ctrl-C ends a build and a container on the engine before Python reports it."""
    process = python(code, endless if code == BUILD else seconds)
    watch.until_started("sleep", seconds)
    os.killpg(process.pid, signal.SIGINT)
    complaint = process.communicate(timeout=300)[1]
    assert process.returncode == -signal.SIGINT
    assert complaint.strip().splitlines()[-1] == "KeyboardInterrupt"
    assert_cancelled(watch, broken_engine, seconds)


def test_ctrl_c_twice(endless, seconds, watch, broken_engine) -> None:
    """An impatient second Ctrl-C changes nothing about it."""
    process = python(BUILD, endless)
    watch.until_started("sleep", seconds)
    os.killpg(process.pid, signal.SIGINT)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode != 0
    assert_cancelled(watch, broken_engine, seconds)


def test_killed_python(endless, seconds, watch, broken_engine) -> None:
    """If Python is killed, as a kernel is when it is restarted, its build ends with it."""
    process = python(BUILD, endless)
    watch.until_started("sleep", seconds)
    process.kill()
    process.communicate(timeout=300)
    assert_cancelled(watch, broken_engine, seconds)


def test_killed_python_leaves_a_container_to_cleanup(seconds, watch) -> None:
    """A container whose Python was killed runs on until `dm.cleanup()`, which finds it in the ledger."""
    process = python(RUN, seconds)
    watch.until_started("sleep", seconds)
    process.kill()
    process.communicate(timeout=300)
    assert len(dm.cleanup().containers) == 1
    watch.until_gone("sleep", seconds)


def test_killed_client(endless, seconds, watch, broken_engine, explained) -> None:
    """If the build client is killed, the error says by which signal, and the engine has cancelled the build."""
    killer = when(
        lambda: watch.until_started("sleep", seconds),
        lambda: [os.kill(one, signal.SIGKILL) for one in clients(watch)],
    )
    with explained(
        BuildFailed, TAG, "killed by signal 9", "nothing was tagged", cure="Build again.*dmhelpers doctor"
    ):
        dm.build(endless, tag=TAG)
    killer.join()
    assert_cancelled(watch, broken_engine, seconds)


def test_client_told_to_stop(endless, seconds, watch, broken_engine, explained) -> None:
    """If somebody ends the build client in good order, the error does not blame the Dockerfile."""
    stopper = when(
        lambda: watch.until_started("sleep", seconds),
        lambda: [os.kill(one, signal.SIGTERM) for one in clients(watch)],
    )
    with explained(BuildFailed, TAG, "told to stop", cure="Build again"):
        dm.build(endless, tag=TAG)
    stopper.join()
    assert_cancelled(watch, broken_engine, seconds)


def test_interrupted_kernel(endless, seconds, watch, broken_engine) -> None:
    """A kernel interrupt in a notebook cancels the build; the kernel and the engine go on."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=300)
        running = client.execute(f"import dmhelpers as dm\ndm.build({str(endless)!r}, tag={TAG!r})")
        watch.until_started("sleep", seconds)
        manager.interrupt_kernel()
        reply = reply_to(client, running)
        assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
        assert_cancelled(watch, broken_engine, seconds)
        assert reply_to(client, client.execute("len(dm.images())"))["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def test_restarted_kernel(endless, seconds, watch, broken_engine) -> None:
    """Restarting the kernel in the middle of a build, which interrupts and then kills it, ends the build too."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=300)
        client.execute(f"import dmhelpers as dm\ndm.build({str(endless)!r}, tag={TAG!r})")
        watch.until_started("sleep", seconds)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        assert_cancelled(watch, broken_engine, seconds)
    finally:
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def reply_to(client, message_id: str) -> dict:
    """Return the kernel's reply to one message."""
    while True:
        reply = client.get_shell_msg(timeout=300)
        if reply["parent_header"].get("msg_id") == message_id:
            return reply["content"]
