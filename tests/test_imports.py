"""The house's plan, read from the code: imports go downwards, and only the two gates talk to Docker."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dmhelpers

ROOT = Path(dmhelpers.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FLOORS = {"errors": 0, "units": 0, "engine": 1, "measure": 2, "show": 3, "course": 4, "workshop": 5}
FACE = ("__init__.py", "__main__.py", "cli.py", "cli_pack.py")
GATE = ROOT / "engine" / "client.py"


def floor_of(path):
    """Return the floor of a file; the public face stands above all."""
    inside = path.relative_to(ROOT)
    return 6 if inside.as_posix() in FACE else FLOORS[inside.parts[0].removesuffix(".py")]


def imported(path):
    """Return the modules that a file imports, anywhere in it, each with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def calls(path):
    """Return the dotted names of what a file calls, each with the call."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def ids(path):
    """Name a file in a test's name."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_imports_go_downwards(path):
    """Workshop imports course, course show, show measure, measure engine, engine errors; never the other way."""
    for module, line in imported(path):
        parts = module.split(".")
        if parts[0] == "dmhelpers" and len(parts) > 1 and parts[1] in FLOORS:
            floor = FLOORS[parts[1]]
            assert floor < floor_of(path) or parts[1] == path.relative_to(ROOT).parts[0], f"{path}:{line}: {module}"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_no_relative_imports(path):
    """A module is imported by its full name, so that the plan can be read from the imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", [one for one in FILES if one != GATE], ids=ids)
def test_only_the_gate_makes_clients_of_the_engine(path):
    """Only engine/client.py makes a client of the Engine API."""
    for name, node in calls(path):
        last = name.rsplit(".", 1)[-1]
        assert last not in ("APIClient", "DockerClient", "UnixHTTPAdapter"), f"{path}:{node.lineno}"
        assert name not in ("docker.from_env", "docker_py.from_env", "from_env"), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", [one for one in FILES if one != GATE], ids=ids)
def test_only_the_gate_runs_the_docker_command(path):
    """No other file starts `docker` by name: it asks engine/client.py for the argument list, or to run it."""
    for name, node in calls(path):
        if not name.startswith(("subprocess.", "os.exec", "os.spawn", "os.system", "os.popen")):
            continue
        texts = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        assert not {"docker", "docker-buildx"} & {one.split(" ")[0] for one in texts if one}, f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_no_command_goes_through_a_shell(path):
    """Every command is an argument list: none passes through a shell."""
    for name, node in calls(path):
        assert not name.startswith(("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"))
        for keyword in node.keywords:
            shell = keyword.arg == "shell" and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            )
            assert not (name.startswith("subprocess.") and shell), f"{path}:{node.lineno}"
