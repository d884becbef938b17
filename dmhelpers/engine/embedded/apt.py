"""Which packages make an engine on this Debian or Ubuntu, and from which of the machine's own sources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dmhelpers.errors import EngineError, EngineUnavailable

SOURCE_NAME = "dmhelpers-docker"
PIN_PRIORITY = 100

_NEXT_RELEASE = "trixie"
_DEBIAN_12 = "bookworm"


@dataclass(frozen=True, slots=True)
class AptEntry:
    """One configured package source; `signed_by` and `trusted` are as the machine's owner wrote them."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""
    trusted: str = ""


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """The packages to ask for, and the files to write first: path -> content."""

    packages: tuple[str, ...]
    files: Mapping[Path, str]
    target_release: str = ""


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Return the distribution's own description of itself; empty where there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {key: value.strip().strip("\"'") for key, value in pairs}


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
        files = _files_for_next_release(apt_entries(etc_apt), etc_apt)
        packages = tuple(f"{one}/{_NEXT_RELEASE}" for one in ("docker.io", "docker-cli", "docker-buildx"))
        return InstallPlan((*packages, "iptables"), files, _NEXT_RELEASE)
    if name == "debian" and (version >= 13 or not release.get("VERSION_ID")):
        return InstallPlan(("docker.io", "docker-cli", "docker-buildx", "iptables"), {})
    if name == "ubuntu" and version >= 24.04:
        return InstallPlan(("docker.io", "docker-buildx", "iptables"), {})
    shown = release.get("PRETTY_NAME") or "This system"
    raise EngineUnavailable(
        f"{shown} is not one that the course installs an engine on (Debian 12 or newer, Ubuntu 24.04 or newer).",
        hint="Install Docker Engine 23 or newer and buildx by your distribution's own means; then: dmhelpers doctor",
    )


def apt_entries(etc_apt: Path) -> tuple[AptEntry, ...]:
    """Return the machine's enabled binary package sources, from both of apt's formats."""
    parts = etc_apt / "sources.list.d"
    found: list[AptEntry] = []
    for path in [etc_apt / "sources.list", *sorted(parts.glob("*.list"))]:
        if path.is_file():
            found += one_line_entries(path.read_text(encoding="utf-8", errors="replace"))
    for path in sorted(parts.glob("*.sources")):
        found += deb822_entries(path.read_text(encoding="utf-8", errors="replace"))
    return tuple(found)


def one_line_entries(text: str) -> list[AptEntry]:
    """Return the `deb` lines of a sources.list."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)", line)
        if match:
            options = dict(pair.split("=", 1) for pair in (match.group(1) or "").split() if "=" in pair)
            found.append(
                AptEntry(
                    uris=(match.group(2),),
                    suites=(match.group(3),),
                    components=tuple(match.group(4).split()),
                    signed_by=options.get("signed-by", ""),
                    trusted=options.get("trusted", ""),
                )
            )
    return found


def deb822_entries(text: str) -> list[AptEntry]:
    """Return the enabled `deb` paragraphs of a .sources file."""
    found = []
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n[ \t]*\n", lines):
        fields: dict[str, str] = {}
        for key, value in re.findall(r"^([A-Za-z0-9-]+):((?:.*)(?:\n[ \t]+.*)*)", paragraph, re.MULTILINE):
            fields[key.lower()] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            found.append(
                AptEntry(
                    uris=tuple(fields.get("uris", "").split()),
                    suites=tuple(fields.get("suites", "").split()),
                    components=tuple(fields.get("components", "").split()),
                    signed_by=fields.get("signed-by", ""),
                    trusted=fields.get("trusted", ""),
                )
            )
    return found


def _files_for_next_release(entries: tuple[AptEntry, ...], etc_apt: Path) -> dict[Path, str]:
    """Return the source and the pin to write; none where the machine has that release already."""
    if _main_entry(entries, (_NEXT_RELEASE,)):
        return {}
    own = _main_entry(entries, (_DEBIAN_12, "oldstable"))
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
    source += [f"Signed-By: {own.signed_by}"] if own.signed_by else []
    source += [f"Trusted: {own.trusted}"] if own.trusted else []
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


def _main_entry(entries: tuple[AptEntry, ...], suites: tuple[str, ...]) -> AptEntry | None:
    for entry in entries:
        usable = entry.uris and not entry.uris[0].startswith("cdrom:") and "main" in entry.components
        if usable and any(suite in suites for suite in entry.suites):
            return entry
    return None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
