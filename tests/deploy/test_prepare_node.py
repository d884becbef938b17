"""What a node is prepared with: made once, seen through by nobody, and taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dmhelpers.engine.embedded.namespaces import Namespaces
from tests.deploy.swarm_node import PREPARE_NODE

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


def test_disk_of_a_learner_is_its_size(node: Namespaces, tmp_path: Path) -> None:
    """Each login gets a disk of its own: kept when the node is prepared anew, full at its size, small while empty."""
    folder, store, logins = tmp_path / "prepared", tmp_path / "store", tmp_path / "seats"
    logins.write_text("ada\nben-2\n", encoding="utf-8")
    prepare = [str(PREPARE_NODE), "--disks", str(logins), "64M", str(store), str(folder)]
    node.run(prepare)
    node.run(["sh", "-c", f"echo kept >{folder}/disks/ada/kept"])
    node.run(["sh", "-c", f"head -c 3G /dev/zero >{folder}/disks/ada/big 2>/dev/null"], check=False)
    node.run(prepare)
    assert sorted(_mounts(node, folder / "disks")) == [str(folder / "disks" / one) for one in ("ada", "ben-2")]
    assert node.run(["cat", f"{folder}/disks/ada/kept"]).stdout == "kept\n"
    assert 30_000_000 < int(node.run(["stat", "-c", "%s", f"{folder}/disks/ada/big"]).stdout) < 64 * 2**20
    assert node.run(["stat", "-c", "%u %a", f"{folder}/disks/ben-2"]).stdout == "1000 700\n"
    assert (store / "ben-2.img").stat().st_blocks * 512 < 8_000_000
    node.run([str(PREPARE_NODE), "--remove", str(folder)])
    assert not folder.exists()
    logins.write_text("../ada\n", encoding="utf-8")
    assert node.run(prepare, check=False).returncode == 1
