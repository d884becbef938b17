"""A container in the foreground: its output whole, and what it means that it could not be started."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import dmhelpers as dm
from dmhelpers.engine import foreground
from dmhelpers.engine.client import api
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import EngineRefused

BASE = "node:20-alpine"
CREATE = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
NO_GROUP = (
    f"{CREATE}runc create failed: unable to start container process: error during container init: "
    'error mounting "cgroup" to rootfs at "/sys/fs/cgroup": stat /sys/fs/cgroup/freezer/docker/c: '
    "no such file or directory: unknown"
)
"""What runc says where a control group went away under it (opencontainers/runc#3754), with an engine's words."""


@pytest.mark.parametrize(
    ("refusal", "exit_code"),
    [
        (f'{CREATE}unable to start container process: exec: "tsc": executable file not found in $PATH: unknown', 127),
        (f'{CREATE}unable to start container process: exec: "/x": stat /x: no such file or directory: unknown', 127),
        (f"{CREATE}crun: executable file `tsc` not found in $PATH: No such file or directory", 127),
        (f'{CREATE}unable to start container process: exec: "/etc": permission denied: unknown', 126),
        (f'{CREATE}unable to start container process: exec: "/etc": is a directory: unknown', 126),
        (NO_GROUP, None),
        ("unable to find user x: no matching entries in passwd file", None),
    ],
)
def test_whose_fault_a_refused_start_is(refusal, exit_code):
    """A missing command is the image's answer; a missing control group is the runtime's own trouble."""
    assert foreground._exit_code_of(refusal) == exit_code


@pytest.fixture(scope="module")
def base(home):
    """Have the base image."""
    from dmhelpers.engine import bases

    bases.ensure_many([BASE])


@pytest.fixture
def refusing(monkeypatch):
    """Return a function that makes the next starts fail as told, and counts them."""
    real, starts = foreground.start, []

    def prepare(refusal, times):
        def start(container_id):
            starts.append(container_id)
            if len(starts) <= times:
                raise EngineRefused(f"The engine refused a request: {refusal}", hint="")
            real(container_id)

        monkeypatch.setattr(foreground, "start", start)
        return starts

    return prepare


@pytest.mark.engine
@pytest.mark.usefixtures("base", "unchanged_engine")
class TestOnEngine:
    """The same with real containers."""

    def test_a_runtime_that_fails_once_is_asked_again(self, refusing):
        """The second start runs the command, and its output is taken from the second."""
        starts = refusing(NO_GROUP, 1)
        assert dm.run(BASE, "echo there").stdout == "there\n"
        assert len(starts) == 2

    def test_a_runtime_that_fails_is_told(self, refusing):
        """Twice is the engine's fault, which is an error: no exit code that a claim could take for an answer."""
        starts = refusing(NO_GROUP, 9)
        with pytest.raises(EngineRefused, match="freezer"):
            dm.run(BASE, "echo there")
        assert len(starts) == 2

    def test_another_refusal_is_not_tried_again(self, refusing):
        """What has nothing to do with the runtime is told at once."""
        starts = refusing("unable to find user x: no matching entries in passwd file", 9)
        with pytest.raises(EngineRefused, match="user x"):
            dm.run(BASE, "true")
        assert len(starts) == 1

    def test_a_start_that_really_fails_leaves_what_a_second_one_needs(self):
        """A container whose start failed can be attached to and started again, which is what is relied on."""
        made = api().create_container(BASE, ["/no/such"], labels=COURSE_LABELS)["Id"]
        try:
            for _ in range(2):
                code, stdout, stderr = foreground.run_to_end(made, 120)
                assert (code, stdout) == (127, "")
                assert "no such file or directory" in stderr
        finally:
            api().remove_container(made, force=True)

    def test_short_outputs_are_whole_with_many_at_once(self):
        """Commands that end at once lose nothing, also when several run."""
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda one: dm.run(BASE, f"echo {one}", network=False), range(24)))
        assert [one.stdout for one in answers] == [f"{one}\n" for one in range(24)]

    def test_an_output_larger_than_every_buffer(self):
        """A few MB on both outputs neither stop the command nor mix."""
        script = "yes out | head -c 3000000; yes err | head -c 3000000 >&2; echo end"
        answer = dm.run(BASE, ["sh", "-c", script])
        assert answer.exit_code == 0
        assert len(answer.stdout) == len(answer.stderr) == foreground.OUTPUT_LIMIT_BYTES
        assert answer.stdout.endswith("out\nend\n")
        assert set(answer.stderr.split()) <= {"err", "rr", "r"}

    def test_nothing_is_written_to_a_log(self):
        """What a command prints does not touch the engine's disk, so a full one cannot shorten it."""
        seen = {}
        real = foreground._wait

        def look(container_id, *more):
            seen.update(api().inspect_container(container_id)["HostConfig"]["LogConfig"])
            return real(container_id, *more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(foreground, "_wait", look)
            assert dm.run(BASE, "echo there").stdout == "there\n"
        assert seen["Type"] == "none"
