"""The tree of errors, what each says last, and the names that it offers."""

from __future__ import annotations

import inspect
import re

import pytest

from dmhelpers import errors
from dmhelpers.errors import (
    BuildFailed,
    BuildIncomplete,
    CommandFailed,
    DmHelpersError,
    DockerfileError,
    InputError,
    near_matches,
)

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)]


def drawn_tree():
    """Return {class: its parent} as the module's docstring draws them."""
    parents, path = {}, []
    for line in errors.__doc__.splitlines():
        found = re.match(r"^(?P<lead>[ │├└─]*)(?P<name>[A-Z]\w+)", line)
        if not found or "::" in line or not line.startswith("    "):
            continue
        depth = (len(found["lead"]) - 4) // 4
        path = [*path[:depth], found["name"]]
        parents[found["name"]] = path[-2] if depth else None
    return parents


def make(kind):
    """Return an instance of an error class."""
    more = {"command": ("docker", "ps"), "exit_code": 1} if issubclass(kind, CommandFailed) else {}
    return kind("What happened.", hint="What to do.", **more)


def test_the_drawn_tree_is_the_tree():
    """The tree in the docstring has every error class, under its parent, and no other."""
    drawn = drawn_tree()
    assert drawn.pop("DmHelpersError") is None
    assert drawn == {one.__name__: one.__mro__[1].__name__ for one in CLASSES if one is not DmHelpersError}


@pytest.mark.parametrize("kind", CLASSES)
def test_the_last_line_says_what_to_do(kind):
    """An error reads: what happened, and as its last line what to do."""
    error = make(kind)
    assert str(error) == "What happened.\nWhat to do."
    assert (error.message, error.hint) == ("What happened.", "What to do.")


@pytest.mark.parametrize("kind", CLASSES)
def test_a_hint_is_required(kind):
    """No error can be made without saying what to do."""
    with pytest.raises(TypeError, match="hint"):
        kind("What happened.")


@pytest.mark.parametrize("kind", CLASSES)
def test_one_except_catches_all(kind):
    """`except dm.DmHelpersError` catches every error of the course."""
    assert issubclass(kind, DmHelpersError)


def test_bad_arguments_are_value_errors_too():
    """An argument that cannot be meant is also Python's own ValueError."""
    assert issubclass(InputError, ValueError)


def test_a_failed_command_keeps_what_it_said():
    """A failed command keeps its argument list, exit code and output."""
    error = CommandFailed("x", hint="y", command=("docker", "x"), exit_code=7, stdout="out", stderr="err")
    assert (error.command, error.exit_code, error.stdout, error.stderr) == (("docker", "x"), 7, "out", "err")


def test_a_failed_build_keeps_its_place():
    """A failed build keeps stage, line, exit code and log; an incomplete one is a failed build."""
    error = BuildIncomplete("x", hint="y", stage="builder", line=4, exit_code=0, log="all of it")
    assert isinstance(error, BuildFailed)
    assert (error.stage, error.line, error.exit_code, error.log) == ("builder", 4, 0, "all of it")
    assert DockerfileError("x", hint="y", line=3).line == 3


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("biulder", ["builder", "test"], "Did you mean 'builder'?"),
        ("my-ap", ["my-api", "go-server"], "Did you mean 'my-api'?"),
        ("zzz", ["b", "a", "a"], "There is: 'a', 'b'."),
        ("zzz", [], "There is none yet."),
        ("zzz", [f"n{number:02}" for number in range(15)], "and 3 more"),
    ],
)
def test_near_names_are_offered(name, known, sentence):
    """A wrong name is answered with the close ones, else with what there is, else by saying that there is none."""
    assert sentence in near_matches(name, known)
