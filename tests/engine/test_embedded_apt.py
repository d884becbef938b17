"""Which packages are asked for, and from which of the machine's own sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmhelpers.engine.embedded import apt, install
from dmhelpers.errors import EngineError, EngineUnavailable

DEBIAN_12 = {"ID": "debian", "VERSION_ID": "12", "VERSION_CODENAME": "bookworm"}
DEB822 = """\
# a mirror of the office
Types: deb deb-src
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/office.gpg

Types: deb
URIs: https://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def _etc_apt(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


def _source(plan: apt.InstallPlan) -> dict[str, str]:
    text = next(content for path, content in plan.files.items() if path.suffix == ".sources")
    return dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_debian_12_takes_the_engine_from_13_by_a_low_pin(tmp_path: Path) -> None:
    """On Debian 12 the engine is asked for from trixie, whose pin is so low that nothing else comes from there."""
    plan = apt.install_plan(DEBIAN_12, _etc_apt(tmp_path, "sources.list.d/debian.sources", DEB822))
    assert plan.packages == ("docker.io/trixie", "docker-cli/trixie", "docker-buildx/trixie", "iptables")
    pin = plan.files[tmp_path / "preferences.d" / "dmhelpers-docker"]
    assert "Pin: release n=trixie" in pin
    assert "Pin-Priority: 100" in pin


def test_mirror_and_key_come_from_a_deb822_file(tmp_path: Path) -> None:
    """The new source names the mirror and the key of the machine's own deb822 source."""
    fields = _source(apt.install_plan(DEBIAN_12, _etc_apt(tmp_path, "sources.list.d/debian.sources", DEB822)))
    assert fields["URIs"] == "https://mirror.example/debian"
    assert fields["Signed-By"] == "/usr/share/keyrings/office.gpg"
    assert (fields["Suites"], fields["Components"]) == ("trixie", "main")


def test_mirror_and_key_come_from_a_one_line_file(tmp_path: Path) -> None:
    """The new source names the mirror and the key of the machine's own one-line source; comments are no sources."""
    commented = "# deb http://old.example/d bookworm main\n"
    text = f"{commented}deb [arch=amd64 signed-by=/k.gpg] http://m.example/d bookworm main\n"
    fields = _source(apt.install_plan(DEBIAN_12, _etc_apt(tmp_path, "sources.list", text)))
    assert fields["URIs"] == "http://m.example/d"
    assert fields["Signed-By"] == "/k.gpg"


def test_source_without_a_key_gets_none(tmp_path: Path) -> None:
    """Where the machine's source names no key, the new one names none either: apt's trusted keys hold."""
    text = "deb http://m.example/debian bookworm main\n"
    assert "Signed-By" not in _source(apt.install_plan(DEBIAN_12, _etc_apt(tmp_path, "sources.list", text)))


def test_key_written_out_in_full_is_kept(tmp_path: Path) -> None:
    """A key that stands in the source itself is carried over line by line."""
    key = "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc=\n -----END PGP PUBLIC KEY BLOCK-----"
    text = DEB822.replace("Signed-By: /usr/share/keyrings/office.gpg", key)
    plan = apt.install_plan(DEBIAN_12, _etc_apt(tmp_path, "sources.list.d/debian.sources", text))
    assert key in plan.files[tmp_path / "sources.list.d" / "dmhelpers-docker.sources"]


def test_nothing_is_written_where_trixie_is_a_source_already(tmp_path: Path) -> None:
    """A machine that knows trixie keeps its own source and its own pin."""
    text = "deb http://m.example/debian bookworm main\ndeb http://m.example/debian trixie main\n"
    assert apt.install_plan(DEBIAN_12, _etc_apt(tmp_path, "sources.list", text)).files == {}


def test_debian_12_without_a_source_is_told_so(tmp_path: Path) -> None:
    """Without a source of its own there is no mirror to take, and the error says how to add one."""
    with pytest.raises(EngineError, match=r"no package source[\s\S]*sources.list"):
        apt.install_plan(DEBIAN_12, tmp_path)


@pytest.mark.parametrize(
    ("release", "packages"),
    [
        ({"ID": "debian", "VERSION_ID": "13"}, ("docker.io", "docker-cli", "docker-buildx", "iptables")),
        ({"ID": "debian"}, ("docker.io", "docker-cli", "docker-buildx", "iptables")),
        ({"ID": "ubuntu", "VERSION_ID": "24.04"}, ("docker.io", "docker-buildx", "iptables")),
    ],
)
def test_newer_distributions_use_their_own_packages(
    tmp_path: Path, release: dict[str, str], packages: tuple[str, ...]
) -> None:
    """Debian 13 and later and Ubuntu 24.04 and later install their own engine; no source is written."""
    plan = apt.install_plan(release, tmp_path)
    assert (plan.packages, plan.files) == (packages, {})


@pytest.mark.parametrize(
    "release", [{}, {"ID": "fedora", "VERSION_ID": "43"}, {"ID": "ubuntu", "VERSION_ID": "22.04"}]
)
def test_other_systems_get_the_next_step(tmp_path: Path, release: dict[str, str]) -> None:
    """Where the course installs no engine, the error says to install one and to run the doctor."""
    with pytest.raises(EngineUnavailable, match="dmhelpers doctor"):
        apt.install_plan(release, tmp_path)


def test_simulation_tells_new_packages_from_changed_ones() -> None:
    """A package that would be upgraded or removed is told from one that would be new."""
    said = (
        "Inst runc (1.1.5 Debian:12 [amd64])\n"
        "Inst libc6 [2.36-9] (2.41 Debian:13 [amd64])\n"
        "Remv podman [4.3]\n"
        "Conf runc (1.1.5 Debian:12 [amd64])\n"
    )
    assert install.additions(said) == (("runc",), ("libc6", "podman"))


def test_messages_carry_no_mirror() -> None:
    """Web addresses are taken out of what apt says before it is passed on."""
    assert install.without_addresses("E: Failed to fetch https://u:p@m.example/x.deb 404") == (
        "E: Failed to fetch [address] 404"
    )


def test_policy_of_the_machine_stays(tmp_path: Path) -> None:
    """A policy-rc.d that the machine's owner wrote is neither replaced nor removed; ours is gone afterwards."""
    policy = tmp_path / "policy-rc.d"
    with install.no_daemon_by_itself(policy):
        assert "exit 101" in policy.read_text()
    assert not policy.exists()
    policy.write_text("#!/bin/sh\nexit 0\n")
    with install.no_daemon_by_itself(policy):
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.exists()
