"""What a node is prepared with: made once, seen through by nobody, and taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dmhelpers.engine.embedded.namespaces import Namespaces
from tests.deploy.swarm_room import PREPARE_NODE

pytestmark = pytest.mark.private_engine


@pytest.fixture
def node() -> Iterator[Namespaces]:
    """Make a node: mounts and processes of its own."""
    with Namespaces() as made:
        yield made


def _mounts(node: Namespaces, folder: Path) -> list[str]:
    lines = node.run(["cat", "/proc/self/mountinfo"]).stdout.splitlines()
    return [line.split()[4] for line in lines if str(folder) in line]


def test_preparing_twice_mounts_once(node: Namespaces, tmp_path: Path) -> None:
    """A second run changes nothing, and what is there shows neither a process nor an interface of the node."""
    folder = tmp_path / "prepared"
    for _ in range(2):
        node.run([str(PREPARE_NODE), str(folder)])
    assert sorted(_mounts(node, folder)) == [str(folder / "proc"), str(folder / "sys")]
    assert not any(name.isdigit() for name in node.run(["ls", str(folder / "proc")]).stdout.split())
    assert node.run(["ls", str(folder / "sys" / "class" / "net")]).stdout.split() == []
    assert (folder / "tun").is_char_device()


def test_removing_leaves_nothing(node: Namespaces, tmp_path: Path) -> None:
    """`--remove` takes all of it away, and may be run where there is nothing."""
    folder = tmp_path / "prepared"
    node.run([str(PREPARE_NODE), str(folder)])
    for _ in range(2):
        node.run([str(PREPARE_NODE), "--remove", str(folder)])
    assert _mounts(node, folder) == []
    assert not folder.exists()
