"""`dmhelpers …`: what `--help` lists, what the exit codes say, and errors without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dmhelpers import cli
from dmhelpers.errors import BuildFailed, EngineUnavailable

COMMANDS = ("doctor", "measure", "clinic", "record", "engine", "bases", "pack", "workshop", "cleanup")
SUBCOMMANDS = {
    "engine": ("up", "status", "down"),
    "bases": ("list", "prepare", "remove"),
    "pack": ("make", "verify", "load", "serve"),
    "workshop": ("up", "status", "check", "down"),
}


def run(*args, **environment):
    """Run `python -m dmhelpers args…` as a person would and return what it answered."""
    return subprocess.run(
        [sys.executable, "-m", "dmhelpers", *args],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )


def failing(error):
    """Return a command that raises this."""

    def command(_):
        raise error

    return command


def test_help_lists_every_command():
    """`dmhelpers --help` lists each command with what it does."""
    listed = run("--help").stdout.splitlines()
    for name in COMMANDS:
        [line] = [one for one in listed if one.split()[:1] == [name]]
        assert len(line.split()) > 3


def test_the_list_above_is_complete(capsys):
    """There is no command that these tests do not know."""
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    listed = capsys.readouterr().out.partition("commands:")[2].splitlines()
    assert {one.split()[0] for one in listed if one.startswith("    ") and one[4] != " "} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    """`dmhelpers COMMAND --help` ends with 0, starts nothing, and names its own commands."""
    answer = run(command, "--help", DOCKER_HOST="unix:///nowhere")
    assert (answer.returncode, answer.stderr) == (0, "")
    for name in SUBCOMMANDS.get(command, ()):
        assert f"    {name} " in answer.stdout


def test_the_version():
    """`dmhelpers --version` prints the package's version."""
    import dmhelpers

    assert run("--version").stdout == f"dmhelpers {dmhelpers.__version__}\n"


@pytest.mark.parametrize("args", [(), ("cleanpu",), ("engine",), ("bases",), ("engine", "sideways"), ("--nope",)])
def test_a_wrong_call_ends_with_2(args):
    """A call that names no command, or none that exists, ends with 2 and says how to call it."""
    answer = run(*args)
    assert answer.returncode == 2
    assert "usage: dmhelpers" in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("args", [("cleanup",), ("bases", "prepare", "node:20-alpine"), ("measure", "my-api")])
def test_an_engine_that_is_away_ends_with_1(args, tmp_path):
    """Without an engine a command ends with 1, a sentence, and as its last line what to do; never a traceback."""
    more = ("--output", str(tmp_path / "out")) if args[0] == "measure" else ()
    answer = run(*args, *more, DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "Traceback" not in answer.stderr
    told = answer.stderr.strip().splitlines()
    assert any(one.startswith("dmhelpers: No Docker Engine answers at") for one in told)
    assert told[-1].startswith("Start that engine, or unset DOCKER_HOST")
    assert not (tmp_path / "out").exists()


def test_an_explained_error_ends_with_1(monkeypatch, capsys):
    """Any error of the course is printed as its message and its hint, on standard error."""
    error = BuildFailed("It failed.", hint="Mend it.", log="long story")
    monkeypatch.setattr(cli, "_cleanup", failing(error))
    assert cli.main(["cleanup"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "dmhelpers: It failed.\nMend it.\n")


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    """Ctrl-C ends with 130 and one line."""
    monkeypatch.setattr(cli, "_cleanup", failing(KeyboardInterrupt()))
    assert cli.main(["cleanup"]) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_fault_of_the_course_itself_is_not_hidden(monkeypatch):
    """What is not an error of the course passes through with its traceback: it is a fault to be reported."""
    monkeypatch.setattr(cli, "_cleanup", failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["cleanup"])


def test_a_reader_that_stops_reading_is_no_fault(tmp_path):
    """`dmhelpers --help | head -1` and the like end without a traceback."""
    code = "import sys; from dmhelpers.cli import main; sys.exit(main(['cleanup']))"
    stub = (
        "import dmhelpers.engine.cleanup as c; c.cleanup = lambda: '\\n'.join(str(n) for n in range(200000));" + code
    )
    with subprocess.Popen(
        [sys.executable, "-c", stub], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_errors_say_which_engine():
    """The address that was tried stands in the error, without a user name or password."""
    from dmhelpers.engine import messages
    from dmhelpers.engine.client import Endpoint

    error = messages.unavailable(Endpoint("ssh://me:secret@host.example", "DOCKER_HOST"), OSError())
    assert isinstance(error, EngineUnavailable)
    assert "ssh://host.example" in error.message
    assert "secret" not in str(error)
