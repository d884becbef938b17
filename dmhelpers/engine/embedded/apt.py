"""Which packages make an engine on this Debian or Ubuntu, and from which of the machine's own sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dmhelpers.engine.bases.apt_sources import AptSource, machine_sources
from dmhelpers.errors import EngineError, EngineUnavailable

SOURCE_NAME = "dmhelpers-docker"
PIN_PRIORITY = 100

_NEXT_RELEASE = "trixie"
_DEBIAN_12 = "bookworm"


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """The packages to ask for, and the files to write first: path -> content."""

    packages: tuple[str, ...]
    files: Mapping[Path, str]


def install_plan(release: Mapping[str, str], etc_apt: Path = Path("/etc/apt")) -> InstallPlan:
    """Return what to install on a distribution.

    Debian 12's own engine is too old and has no buildx, so there it comes from Debian 13 by a pin
    so low that nothing else does. The mirror and its key are those that the machine uses already.

    Args:
        release: What `os_release()` returned.
        etc_apt: The folder of apt's settings.

    Raises:
        EngineUnavailable: This is neither Debian 12 or newer nor Ubuntu 24.04 or newer.
        EngineError: Debian 12 without a usable source of its own.
    """
    name, version = release.get("ID", ""), _number(release.get("VERSION_ID", ""))
    if name == "debian" and release.get("VERSION_CODENAME") == _DEBIAN_12:
        files = _files_for_next_release(machine_sources(etc_apt), etc_apt)
        packages = tuple(f"{one}/{_NEXT_RELEASE}" for one in ("docker.io", "docker-cli", "docker-buildx"))
        return InstallPlan((*packages, "iptables"), files)
    if name == "debian" and (version >= 13 or not release.get("VERSION_ID")):
        return InstallPlan(("docker.io", "docker-cli", "docker-buildx", "iptables"), {})
    if name == "ubuntu" and version >= 24.04:
        return InstallPlan(("docker.io", "docker-buildx", "iptables"), {})
    shown = release.get("PRETTY_NAME") or "This system"
    raise EngineUnavailable(
        f"{shown} is not one that the course installs an engine on (Debian 12 or newer, Ubuntu 24.04 or newer).",
        hint="Install Docker Engine 23 or newer and buildx by your distribution's own means; then: dmhelpers doctor",
    )


def _files_for_next_release(sources: tuple[AptSource, ...], etc_apt: Path) -> dict[Path, str]:
    """Return the source and the pin to write; none where the machine has that release already."""
    if _main_archive(sources, (_NEXT_RELEASE,)):
        return {}
    own = _main_archive(sources, (_DEBIAN_12, "oldstable"))
    if own is None:
        raise EngineError(
            "This Debian 12 has no package source for its main archive, so no mirror to take the engine from.",
            hint="Add one to /etc/apt/sources.list.d (see `man sources.list`), run `apt-get update`, and try again.",
        )
    source = [
        "# Docker Engine and buildx for the course: Debian 12's own engine is too old for it.",
        "Types: deb",
        f"URIs: {own.uris[0]}",
        f"Suites: {_NEXT_RELEASE}",
        "Components: main",
    ]
    # A key written out in full begins on a line of its own.
    source += [f"Signed-By: {own.signed_by}".replace(": \n", ":\n")] if own.signed_by else []
    pin = [
        "# So low that nothing comes from there unless it is asked for by name.",
        "Package: *",
        f"Pin: release n={_NEXT_RELEASE}",
        f"Pin-Priority: {PIN_PRIORITY}",
    ]
    return {
        etc_apt / "preferences.d" / SOURCE_NAME: "\n".join(pin) + "\n",
        etc_apt / "sources.list.d" / f"{SOURCE_NAME}.sources": "\n".join(source) + "\n",
    }


def _main_archive(sources: tuple[AptSource, ...], suites: tuple[str, ...]) -> AptSource | None:
    for entry in sources:
        usable = entry.uris and not entry.uris[0].startswith("cdrom:") and "main" in entry.components
        if usable and any(suite in suites for suite in entry.suites):
            return entry
    return None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
