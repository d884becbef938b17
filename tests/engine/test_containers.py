"""`dm.run` and `dm.serve`: what they answer, their bounds, and that no container is left."""

from __future__ import annotations

import time
import urllib.request

import pytest

import dmhelpers as dm
from dmhelpers.engine import containers, foreground, ledger
from dmhelpers.engine.client import api
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE
from dmhelpers.errors import EngineRefused, ImageNotFound, InputError, TimeLimitReached

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("unchanged_engine")]

BASE = "node:20-alpine"


@pytest.fixture(scope="module", autouse=True)
def base(home):
    """Have the base image."""
    from dmhelpers.engine import bases

    bases.ensure_many([BASE])
    return BASE


@pytest.fixture(autouse=True)
def no_container_left():
    """Hold that the ledger names no container after the test: each was removed by the call itself."""
    yield
    assert ledger.recorded(engine_info().engine_id, "container") == frozenset()


def sh(script, **more):
    """Run a shell script in the base image."""
    return dm.run(BASE, ["sh", "-c", script], **more)


def test_what_a_command_answers():
    """A run has the exit code, both outputs apart, its seconds, and the command as a person would type it."""
    result = sh("echo out; echo err >&2; exit 3")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert result.duration_s > 0
    assert result.command == f"docker run --rm {BASE} sh -c 'echo out; echo err >&2; exit 3'"


def test_a_command_as_one_string():
    """A command in one string is split like a shell would; no shell expands it."""
    assert dm.run(BASE, "echo 'a  b' $HOME").stdout == "a  b $HOME\n"


def test_which_says_nothing_and_ends_with_1():
    """`which` of what is not there prints nothing and ends with 1, as the exercise's last page asks."""
    result = dm.run(BASE, "which tsc")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "")


def test_a_command_that_is_not_there_ends_with_127():
    """A command that the image does not have ends with 127 and the engine's reason, as `docker run` does."""
    result = dm.run(BASE, "tsc --version")
    assert result.exit_code == 127
    assert "executable file not found" in result.stderr
    assert dm.run(BASE, "/no/such/file").exit_code == 127


def test_a_command_that_cannot_be_executed_ends_with_126():
    """A file that cannot be executed ends with 126, as `docker run` does."""
    assert dm.run(BASE, "/etc").exit_code == 126


def test_an_image_of_nothing(foreign):
    """In an image without a shell, a command ends with 127."""
    assert dm.run(foreign.image(), "sh -c true").exit_code == 127


def test_an_image_without_a_command(foreign):
    """An image that names no command cannot be run without one: the engine's reason is told."""
    with pytest.raises(EngineRefused, match="no command specified"):
        dm.run(foreign.image())


def test_environment_and_network():
    """Environment variables reach the command; without a network there is only the loopback."""
    assert sh("echo $ONE", environment={"ONE": "1"}).stdout == "1\n"
    assert sh("ls /sys/class/net", network=False).stdout.split() == ["lo"]


@pytest.mark.parametrize("limit", [1, 0.5])
def test_a_time_limit_kills(limit):
    """A command that runs past its limit is killed, with its container, soon after."""
    begun = time.monotonic()
    with pytest.raises(TimeLimitReached, match="sleep 600") as caught:
        dm.run(BASE, "sleep 600", time_limit_s=limit)
    assert time.monotonic() - begun < 300
    assert "time_limit_s" in caught.value.hint


def test_output_is_bounded(monkeypatch):
    """Of a long output the end is kept, up to the bound."""
    monkeypatch.setattr(foreground, "OUTPUT_LIMIT_BYTES", 1000)
    result = sh("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; done; echo err >&2")
    assert len(result.stdout) == 1000
    assert result.stdout.endswith("\n2999\n3000\n")
    assert result.stderr == "err\n"


def test_output_that_is_no_text():
    """Bytes that are no text are shown as such, and break nothing."""
    assert sh(r"printf 'a\377b'").stdout == "a\ufffdb"


@pytest.mark.parametrize("limit", [0, -1])
def test_no_time_at_all_is_refused(limit):
    """A time limit of nothing is refused."""
    with pytest.raises(InputError, match="time limit"):
        dm.run(BASE, "true", time_limit_s=limit)


def test_an_open_quote_is_refused():
    """A command that cannot be split is refused with its fault."""
    with pytest.raises(InputError, match="No closing quotation"):
        dm.run(BASE, "echo 'a")


@pytest.mark.parametrize(
    ("image", "offer"),
    [("node:20-alpin", f"'{BASE}'"), ("", "There is: "), ("sha256:" + "0" * 64, "There is: ")],
)
def test_an_unknown_image(image, offer):
    """An image that is not there is answered with the near names, else with names that are there."""
    with pytest.raises(ImageNotFound, match="no image") as caught:
        dm.run(image, "true")
    assert offer in caught.value.hint


def test_an_interrupt_leaves_no_container(monkeypatch):
    """Ctrl-C while a command runs removes its container."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(containers, "run_to_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dm.run(BASE, "sleep 60")


def test_containers_are_labelled(monkeypatch):
    """A container of the course has its label, and stands in the ledger while it is there."""
    seen = {}

    def look(container_id, *_):
        seen["labels"] = api().inspect_container(container_id)["Config"]["Labels"]
        seen["known"] = container_id in ledger.recorded(engine_info().engine_id, "container")
        return 0, "", ""

    monkeypatch.setattr(containers, "run_to_end", look)
    dm.run(BASE, "true")
    assert seen["labels"][COURSE] == "1"
    assert seen["known"]


SERVER = ["node", "-e", "require('http').createServer((q, s) => s.end('at ' + q.url)).listen(8080, '0.0.0.0')"]


def test_serve_answers():
    """Inside the block the container answers over HTTP at its address; after it, it is gone."""
    with dm.serve(BASE, port=8080, command=SERVER) as serving:
        assert urllib.request.urlopen(f"{serving.url}/x", timeout=120).read() == b"at /x"  # noqa: S310  our own server
        container_id = serving.container_id
    assert container_id not in {one["Id"] for one in api().containers(all=True)}


def test_serve_is_reached_from_this_machine_alone():
    """A local engine publishes the port on the loopback address only."""
    with dm.serve(BASE, port=8080, command=SERVER) as serving:
        [bound] = api().inspect_container(serving.container_id)["NetworkSettings"]["Ports"]["8080/tcp"]
        assert bound["HostIp"] == "127.0.0.1"


def test_a_container_that_ends_instead_of_serving():
    """A container that ends before it serves is told with its last output, at once."""
    begun = time.monotonic()
    with (
        pytest.raises(TimeLimitReached, match="Error: broken"),
        dm.serve(BASE, port=8080, command=["sh", "-c", "echo Error: broken; exit 1"], ready_within_s=500),
    ):
        pytest.fail("it served")
    assert time.monotonic() - begun < 300


def test_a_container_that_never_answers():
    """A container that listens on no port is told after the time that it was given."""
    begun = time.monotonic()
    with (
        pytest.raises(TimeLimitReached, match="within 1 s") as caught,
        dm.serve(BASE, port=8080, command="sleep 600", ready_within_s=1),
    ):
        pytest.fail("it served")
    assert time.monotonic() - begun < 300
    assert "0.0.0.0" in caught.value.hint  # noqa: S104  the advice, not an address


def test_a_fault_inside_the_block_leaves_no_container():
    """An exception inside the block passes through and the container goes."""
    with pytest.raises(ZeroDivisionError), dm.serve(BASE, port=8080, command=SERVER):
        _ = 1 / 0
