"""`import dmhelpers as dm`: the names, and how little importing them does."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import dmhelpers as dm

HEAVY = ("pandas", "numpy", "matplotlib", "ipywidgets", "docker", "requests", "urllib3", "e2b_dockerfile_utils")


def in_a_new_interpreter(code):
    """Run code in an interpreter that has imported nothing, and return what it printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_name_has_a_home_and_nothing_else_is_offered():
    """`__all__` holds the names that `_HOMES` maps to a module, each once."""
    assert sorted(dm.__all__) == sorted(dm._HOMES)
    assert len(set(dm.__all__)) == len(dm.__all__)


@pytest.mark.parametrize("name", dm.__all__)
def test_every_name_is_there_and_documented(name):
    """Each public name can be had, is what its home calls by that name, and says what it is."""
    found = getattr(dm, name)
    assert found is getattr(import_module(dm._HOMES[name]), name)
    assert inspect.getdoc(found)


@pytest.mark.parametrize("name", [one for one in dm.__all__ if one.islower()])
def test_calls_read_alike(name):
    """Every public function takes its subject first and all else by keyword, and says what it returns."""
    signature = inspect.signature(getattr(dm, name))
    positional = [one for one in signature.parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 2
    assert signature.return_annotation is not inspect.Signature.empty
    for one in signature.parameters.values():
        assert one.annotation is not inspect.Parameter.empty, one.name


def test_editors_see_the_same_names():
    """What the type checker reads in `__init__` is the same list of names."""
    tree = ast.parse(Path(dm.__file__).read_text())
    guarded = next(one for one in tree.body if isinstance(one, ast.If))
    declared = {alias.name: one.module for one in guarded.body for alias in one.names}
    assert declared == dm._HOMES
    assert set(dm.__all__) <= set(dir(dm))


def test_an_unknown_name_is_answered_with_a_near_one():
    """A mistyped name is an AttributeError that offers the close one."""
    with pytest.raises(AttributeError, match="'images'"):
        _ = dm.imges


def test_importing_is_light():
    """`import dmhelpers` imports none of the heavy packages."""
    code = f"import dmhelpers, sys; print([one for one in {HEAVY!r} if one in sys.modules])"
    assert in_a_new_interpreter(code).strip() == "[]"


def test_importing_starts_nothing_and_asks_nobody():
    """`import dmhelpers` starts no process, opens no socket and writes no file."""
    code = """
import sys
seen = []
def watch(event, args):
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "os.system")):
        seen.append(event)
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wxa+")
    if (writes and "__pycache__" not in str(args[0])) or event in ("os.mkdir", "os.remove"):
        seen.append((event, str(args[0])))
sys.addaudithook(watch)
import dmhelpers
print([one for one in seen if "__pycache__" not in str(one)])
"""
    assert in_a_new_interpreter(code).strip() == "[]"


ONLY_IN_A_HUB = ("workshop.authenticator", "workshop.swarm_spawner", "view.service")
"""Modules that JupyterHub itself loads: they build on its classes, which come with the extra `workshop`."""


def test_the_gates_import_lightly_too():
    """Every module, but for those of a hub, can be imported without the heavy packages: they come when first used."""
    root = Path(dm.__file__).parent
    modules = sorted(
        ".".join(("dmhelpers", *path.relative_to(root).with_suffix("").parts)) for path in root.rglob("*.py")
    )
    names = [one.removesuffix(".__init__") for one in modules if not one.endswith(("__main__", *ONLY_IN_A_HUB))]
    code = f"""
import importlib, sys
for name in {names!r}:
    importlib.import_module(name)
print([one for one in {HEAVY!r} if one in sys.modules])
"""
    assert in_a_new_interpreter(code).strip() == "[]"
