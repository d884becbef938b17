"""With a pack loaded and no network at all, the course sets itself up and runs from its first notebook to its last.

The pack is made on the machine's engine, which has a network. All else happens in namespaces with no interface but
the loopback and an engine's own bridge: no route leads out, and no name is resolved.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmhelpers.course.notebooks import shelf
from dmhelpers.course.packing import Made, make
from dmhelpers.course.sample_info import original
from dmhelpers.engine.client import docker_cli, forget_clients
from dmhelpers.engine.embedded import PrivateEngine
from dmhelpers.engine.info import forget_info
from dmhelpers.errors import EngineError

pytestmark = [
    pytest.mark.engine,
    pytest.mark.private_engine,
    pytest.mark.one_store,
    pytest.mark.beside,
    pytest.mark.timeout(9000),
]

LIMIT_S = 7200
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make the pack once, on the engine that has a network."""
    return make(tmp_path_factory.mktemp("pack") / "course-pack.tar", progress=str)


@pytest.fixture(scope="module")
def room(made: Made) -> Iterator[PrivateEngine]:
    """Start an engine without a network; the course and its wheels are unpacked beside it."""
    with pytest.MonkeyPatch.context() as environment, PrivateEngine() as engine:
        environment.setenv("DOCKER_HOST", engine.host)
        environment.setenv("DMHELPERS_HOME", str(engine.folder / "home"))
        for name in [one for one in os.environ if one.startswith("PIP_")]:
            environment.delenv(name)
        environment.setenv("PIP_CONFIG_FILE", os.devnull)  # this machine's own index may be a folder
        forget_clients()
        forget_info()
        engine.run_inside(["tar", "-xf", str(made.file), "-C", str(engine.folder), "course", "wheels"])
        yield engine
    forget_clients()
    forget_info()


def inside(engine: PrivateEngine, command: str) -> str:
    """Run a command of a shell at the project's root, inside the namespaces, and return all that it said."""
    log = engine.folder / "said.txt"
    script = f"cd '{ROOT}' && {{ {command} ; }} >{log} 2>&1"
    try:
        engine.run_inside(["sh", "-c", script], timeout_s=LIMIT_S)
    except EngineError:
        pytest.fail(f"{command}\n{log.read_text(errors='replace')}")
    return log.read_text(errors="replace")


def test_there_is_no_network(room: PrivateEngine) -> None:
    """No route leads out of the namespaces, and no name is resolved there."""
    routes = room.run_inside(["cat", "/proc/net/route"])
    assert not re.search(r"^\S+\t00000000\t", routes, re.MULTILINE)
    asked = "import socket; socket.getaddrinfo('example.com', 80)"
    with pytest.raises(EngineError):
        room.run_inside([sys.executable, "-c", asked])


def test_setup_finds_every_wheel_in_the_pack(room: PrivateEngine) -> None:
    """All that `make setup` installs, and what builds the project itself, is in the pack: pip asks nobody else."""
    wheels = f"--no-index --find-links {room.folder}/wheels --constraint constraints.txt"
    asked = f"pip install --dry-run --ignore-installed {wheels} --editable '.[test,dev]'"
    said = inside(room, f"cd {room.folder}/course && {sys.executable} -m {asked}")
    assert re.search(r"Would install .*\bjupyterlab-", said)


def test_the_course_runs(room: PrivateEngine, made: Made) -> None:
    """`pack load`, then `make course`: every notebook runs to its end, and every claim holds.

    As in the tests of the notebooks, the samples' packages are in the build cache before the first one.
    """
    assert "loaded." in inside(room, f"{sys.executable} -m dmhelpers pack load {made.file}")
    api, go = original("my-api"), original("go-server")
    for options in ([str(api)], [f"--file={api / 'Dockerfile.test'}", "--target=test", str(api)], [str(go)]):
        docker_cli(["buildx", "build", "--provenance=false", "--output=type=cacheonly", *options], timeout_s=LIMIT_S)
    said = inside(room, "make course")
    ran = json.loads((ROOT / "build" / "course" / "claims.json").read_text(encoding="utf-8"))
    assert [one["notebook"] for one in ran] == list(shelf().written())
    assert [one["failed_cells"] for one in ran] == [[]] * len(ran), said
    assert ", 0 broken;" in said
