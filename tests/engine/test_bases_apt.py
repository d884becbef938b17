"""Which package sources are the distribution's own, read from sample configurations."""

from __future__ import annotations

from pathlib import Path

from dmhelpers.engine.bases.apt_sources import (
    AptSource,
    as_deb822,
    for_recipes,
    machine_sources,
    os_release,
    read_deb822,
    read_one_line,
)
from dmhelpers.engine.bases.debian import version_of

BOOKWORM = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
NOBLE = {"ID": "ubuntu", "VERSION_CODENAME": "noble"}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEB822 = f"""\
# the distribution
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: {KEYRING}

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: {KEYRING}
"""
THIRD_PARTY = """\
Types: deb
URIs: https://tools.example/apt
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/tools.gpg
"""


def test_debian_12_is_asked_for_the_newer_suite_first() -> None:
    """On Debian 12 the mirror's newest suite comes first, then its own, both with the machine's keyring."""
    found = for_recipes(tuple(read_deb822(DEB822)), BOOKWORM)
    assert found == (
        AptSource(("http://mirror.example/debian",), ("trixie",), ("main",), KEYRING),
        AptSource(("http://mirror.example/debian",), ("bookworm",), ("main",), KEYRING),
    )


def test_debian_13_is_asked_once() -> None:
    """Where the machine's own suite is the recipes' suite, there is one source."""
    text = DEB822.replace("bookworm", "trixie")
    found = for_recipes(tuple(read_deb822(text)), {"ID": "debian", "VERSION_CODENAME": "trixie"})
    assert [one.suites for one in found] == [("trixie",)]


def test_ubuntu_is_asked_for_its_own_suite() -> None:
    """Ubuntu's own release is used, with `universe`, where musl lives; no Debian suite is invented."""
    text = "deb [signed-by=/k/ubuntu-archive-keyring.gpg] http://mirror.example/ubuntu noble main universe"
    found = for_recipes(tuple(read_one_line(text)), NOBLE)
    assert [(one.suites, one.components) for one in found] == [(("noble",), ("main", "universe"))]


def test_third_party_sources_are_passed_over() -> None:
    """A repository that merely uses the release's name is left out when the distribution's own is there."""
    found = for_recipes((*read_deb822(THIRD_PARTY), *read_deb822(DEB822)), BOOKWORM)
    assert {one.uris for one in found} == {("http://mirror.example/debian",)}


def test_a_mirror_under_another_name_is_still_found() -> None:
    """A company's mirror whose address does not say debian is used when it is the only one."""
    text = "deb http://packages.example/os-remote bookworm main"
    assert next(one.uris for one in for_recipes(tuple(read_one_line(text)), BOOKWORM)) == (
        "http://packages.example/os-remote",
    )


def test_disabled_and_source_only_stanzas_are_passed_over() -> None:
    """`Enabled: no`, `Types: deb-src` and commented lines are no sources."""
    assert read_deb822(DEB822.replace("Types: deb deb-src", "Enabled: no\nTypes: deb"))[0].suites == (
        "bookworm-security",
    )
    assert read_deb822(THIRD_PARTY.replace("Types: deb", "Types: deb-src")) == []
    assert (
        read_one_line("# deb http://mirror.example/debian bookworm main\ndeb-src http://mirror.example/debian b m")
        == []
    )


def test_options_of_one_line_sources_are_read() -> None:
    """Architecture and keyring in brackets do not become part of the address."""
    line = f"deb [arch=amd64 signed-by={KEYRING}] http://mirror.example/debian bookworm main contrib # mine"
    assert read_one_line(line) == [
        AptSource(("http://mirror.example/debian",), ("bookworm",), ("main", "contrib"), KEYRING)
    ]


def test_a_key_inside_the_file_survives() -> None:
    """A whole key in `Signed-By` is carried over line by line."""
    text = DEB822.partition("\n\n")[0].replace(f" {KEYRING}", "\n -----BEGIN\n .\n -----END\n")
    (source,) = read_deb822(text)
    assert as_deb822(source, "arm64").endswith("Architectures: arm64\nSigned-By:\n -----BEGIN\n .\n -----END\n")


def test_both_forms_are_read_from_the_folder(tmp_path: Path) -> None:
    """`sources.list`, `.list` and `.sources` files count; other endings do not."""
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")
    (parts / "debian.sources").write_text(DEB822)
    (parts / "old.list.disabled").write_text("deb http://other.example/debian bookworm main\n")
    assert [one.suites[0] for one in machine_sources(tmp_path)] == ["bookworm", "bookworm", "bookworm-security"]
    assert machine_sources(tmp_path / "none") == ()


def test_os_release_is_read_with_and_without_quotes(tmp_path: Path) -> None:
    """Values lose their quotes; a machine without the file has none."""
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n\n# a remark\n')
    assert os_release(tmp_path / "os-release") == BOOKWORM
    assert os_release(tmp_path / "none") == {}


def test_the_version_is_read_from_the_file_name() -> None:
    """Apt writes an epoch's colon as %3a."""
    assert version_of(Path("busybox-static_1%3a1.37.0-6+b9_amd64.deb")) == "1:1.37.0-6+b9"
