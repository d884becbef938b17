"""The two gates to Docker: where the engine is looked for, and what a command or an address that fails says."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from dmhelpers.engine import client
from dmhelpers.engine.client import api, docker_argv, docker_cli, endpoint, engine_answers, forget_clients, get_json
from dmhelpers.errors import CommandFailed, EngineRefused, EngineUnavailable, TimeLimitReached


@pytest.fixture(autouse=True)
def no_settings(tmp_path, monkeypatch):
    """Have no Docker settings but the test's own, and remember no client."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    forget_clients()
    yield
    forget_clients()


@pytest.fixture
def context(tmp_path):
    """Write a Docker context as `docker context create` does."""

    def write(name, host, *, current=False):
        import hashlib

        folder = tmp_path / "config" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        endpoints = {"docker": {"Host": host, "SkipTLSVerify": False}}
        (folder / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
        settings = {"currentContext": name} if current else {}
        (tmp_path / "config" / "config.json").write_text(json.dumps(settings))

    return write


@pytest.fixture
def fake_docker(tmp_path, monkeypatch):
    """Put a script of this test on PATH as `docker`, and no buildx plugin."""

    def write(script):
        path = tmp_path / "bin" / "docker"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(path.parent))
        return path

    monkeypatch.setattr(client, "_PLUGIN_FOLDERS", ())
    return write


def test_the_standard_socket_comes_last():
    """Without any setting the engine is looked for at the standard socket."""
    assert endpoint() == client.Endpoint(client.STANDARD_SOCKET, "standard socket")


def test_docker_host_comes_first(monkeypatch, context):
    """DOCKER_HOST wins over the current context, as for the command itself."""
    context("mine", "unix:///mine.sock", current=True)
    monkeypatch.setenv("DOCKER_HOST", "tcp://host.example:2375")
    assert endpoint() == client.Endpoint("tcp://host.example:2375", "DOCKER_HOST")


def test_the_current_context(context):
    """The context that `docker context use` chose comes before the standard socket."""
    context("mine", "unix:///mine.sock", current=True)
    assert endpoint() == client.Endpoint("unix:///mine.sock", "Docker context 'mine'", "mine")


def test_the_context_of_the_environment(monkeypatch, context):
    """DOCKER_CONTEXT names a context for this process alone; `default` is the standard socket."""
    context("mine", "unix:///mine.sock")
    assert endpoint().source == "standard socket"
    monkeypatch.setenv("DOCKER_CONTEXT", "mine")
    assert endpoint().host == "unix:///mine.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert endpoint().source == "standard socket"


@pytest.mark.parametrize("where", ["environment", "settings"])
def test_a_context_that_is_not_there(monkeypatch, tmp_path, where):
    """A context that does not exist is named, wherever its name came from."""
    if where == "environment":
        monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    else:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "config.json").write_text('{"currentContext": "gone"}')
    with pytest.raises(EngineUnavailable, match="'gone' does not exist") as caught:
        endpoint()
    assert "docker context ls" in caught.value.hint


ADDRESSES = [
    "nonsense",
    "tcp://",
    "tcp://127.0.0.1:1",
    "unix:///nowhere.sock",
    "fd://",
    "tcp://[::1",
    "tcp://127.0.0.1:99999999",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_where_nobody_answers(monkeypatch, address):
    """Whatever DOCKER_HOST holds, an engine that does not answer there is an error of the course that names it."""
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineUnavailable) as caught:
        api()
    assert address in caught.value.message
    assert "unset DOCKER_HOST" in caught.value.hint


def test_no_password_is_told(monkeypatch):
    """A user name or password in the address stands in no error."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://somebody:secret@127.0.0.1:1")
    with pytest.raises(EngineUnavailable) as caught:
        api()
    assert "secret" not in str(caught.value)
    assert "somebody" not in str(caught.value)


def test_no_command(monkeypatch, tmp_path):
    """Without a `docker` command the error says how to come by one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="no `docker` command") as caught:
        docker_cli(["version"], timeout_s=120)
    assert caught.value.hint


def test_arguments_pass_through_no_shell(fake_docker):
    """Arguments reach the command as they are: spaces, quotes, dollars and stars are nothing special."""
    fake_docker("print(sys.argv[1:])")
    args = ["run", "a b", "$HOME", "*", "'", "; touch x"]
    assert docker_cli(args, timeout_s=120).stdout == f"{args}\n"


def test_what_a_command_answered(fake_docker):
    """A command's outputs, exit code and full argument list are kept."""
    path = fake_docker("print('out'); print('err', file=sys.stderr); sys.exit(4)")
    done = docker_cli(["ps"], timeout_s=120, check=False)
    assert (done.exit_code, done.stdout, done.stderr) == (4, "out\n", "err\n")
    assert done.command == (str(path), "ps")


def test_a_command_that_fails(fake_docker):
    """A failing command raises with its last line, its code and both outputs."""
    fake_docker("print('out'); print('one\\ntwo', file=sys.stderr); sys.exit(4)")
    with pytest.raises(CommandFailed, match="ended with 4: two") as caught:
        docker_cli(["ps"], timeout_s=120)
    assert (caught.value.exit_code, caught.value.stdout, caught.value.stderr) == (4, "out\n", "one\ntwo\n")


def test_a_command_that_says_nothing(fake_docker):
    """A failing command without a word is still told with its code."""
    fake_docker("sys.exit(9)")
    with pytest.raises(CommandFailed, match="ended with 9"):
        docker_cli(["ps"], timeout_s=120)


def test_a_command_that_never_ends(fake_docker):
    """A command is ended at its time limit."""
    fake_docker("time.sleep(60)")
    with pytest.raises(TimeLimitReached, match=r"docker ps. ran longer than 0\.5 s"):
        docker_cli(["ps"], timeout_s=0.5)


def test_a_command_has_no_input(fake_docker):
    """A command that asks something gets no answer, instead of waiting for one."""
    fake_docker("print(repr(sys.stdin.read()))")
    assert docker_cli(["login"], timeout_s=120).stdout == "''\n"


def test_environment_and_folder(fake_docker, tmp_path, monkeypatch):
    """Variables are set on top of this process's own, and the folder is the one asked for."""
    fake_docker("print(os.environ['ONE'], os.environ['TWO'], os.getcwd())")
    monkeypatch.setenv("ONE", "1")
    done = docker_cli(["x"], timeout_s=120, cwd=tmp_path, environment={"TWO": "2"})
    assert done.stdout.split() == ["1", "2", str(tmp_path)]


def test_long_output_is_bounded(fake_docker):
    """Of a long output the end is kept."""
    fake_docker("print('x' * 500_000 + 'end')")
    text = docker_cli(["x"], timeout_s=120).stdout
    assert len(text) == 200_000
    assert text.endswith("end\n")


def test_output_that_is_no_text(fake_docker):
    """Bytes that are no text are shown as such."""
    fake_docker(r"os.write(1, b'a\xffb')")
    assert docker_cli(["x"], timeout_s=120).stdout == "a\ufffdb"


def test_buildx_is_started_without_the_command_line(fake_docker, tmp_path):
    """`docker buildx …` starts the plugin itself where it is found, else through `docker`."""
    path = fake_docker("")
    assert docker_argv(["buildx", "version"]) == [str(path), "buildx", "version"]
    plugin = tmp_path / "config" / "cli-plugins" / "docker-buildx"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("#!/bin/sh\n")
    plugin.chmod(0o755)
    forget_clients()
    assert docker_argv(["buildx", "version"]) == [str(plugin), "version"]
    assert docker_argv(["ps"]) == [str(path), "ps"]


@pytest.mark.engine
def test_one_client_an_address():
    """The client is made once, and again after it was forgotten."""
    first = api()
    assert api() is first
    forget_clients()
    assert api() is not first


@pytest.mark.engine
def test_errors_of_the_api():
    """What the engine refuses is an error of the course; what it lacks passes through, for the caller to name."""
    import docker.errors

    with pytest.raises(docker.errors.NotFound):
        get_json("/images/dmhelpers-test-nobody/json")
    with pytest.raises(EngineRefused) as caught:
        get_json("/images/json", {"filters": "not json"})
    assert caught.value.hint


def test_a_lost_connection_is_an_engine_that_is_away():
    """A socket's error inside the block becomes the course's own, and the client is forgotten."""
    with pytest.raises(EngineUnavailable), engine_answers():
        raise ConnectionResetError


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.engine
def test_a_fork_has_a_client_of_its_own():
    """A forked process, as a worker of a pool is, shares no connection with its parent."""
    first = api()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"1" if api() is not first else b"0")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"1"


def test_the_home_of_the_course(monkeypatch, tmp_path):
    """DMHELPERS_HOME moves cache and state to one place; a tilde in it is the person's home."""
    from dmhelpers.engine.places import cache_folder, state_folder

    monkeypatch.setenv("DMHELPERS_HOME", "~/somewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (cache_folder(), state_folder()) == (tmp_path / "somewhere/cache", tmp_path / "somewhere/state")
    monkeypatch.delenv("DMHELPERS_HOME")
    assert cache_folder() != state_folder()
    assert Path("dmhelpers").name in str(cache_folder())


def test_settings_that_belong_to_root_are_named(tmp_path, monkeypatch):
    """Docker's settings that this person may not read are named, with the command that gives them back."""
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def refuse():
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("docker.context.config.get_current_context_name", refuse)
    with pytest.raises(EngineUnavailable, match="sudo chown -R") as caught:
        client.endpoint()
    assert str(tmp_path) in str(caught.value)
