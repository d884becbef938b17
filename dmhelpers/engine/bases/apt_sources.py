"""Which package sources of this machine are the distribution's own, read from its apt configuration.

Both forms are read: one-line `.list` files and deb822 `.sources` files. What comes out is a private
source for the suite that a recipe needs, with the machine's own mirror and its own signing keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

NEWEST_DEBIAN_SUITE = "trixie"
"""The Debian release that the recipes' minimum versions come from (Debian 13)."""

_ROLLING_NAMES = frozenset({"stable", "testing", "unstable", "sid"})
_COMPONENTS = frozenset({"main", "universe"})
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>.*)$")


@dataclass(frozen=True, slots=True)
class AptSource:
    """One place that packages come from.

    Args:
        uris: The mirrors, as the machine's configuration names them.
        suites: The releases that are asked for there.
        components: For example ``("main",)``.
        signed_by: The `Signed-By` field's text: a key file, a fingerprint or a whole key; ``""`` for none.
    """

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def machine_sources(etc_apt: Path = Path("/etc/apt")) -> tuple[AptSource, ...]:
    """Return every enabled binary source of this machine, in apt's order of reading.

    Args:
        etc_apt: The folder of apt's configuration.
    """
    parts = etc_apt / "sources.list.d"
    files = [etc_apt / "sources.list", *(sorted(parts.iterdir()) if parts.is_dir() else [])]
    found: list[AptSource] = []
    for file in files:
        if file.is_file() and file.suffix in {".list", ".sources"}:
            text = file.read_text(encoding="utf-8", errors="replace")
            found += read_deb822(text) if file.suffix == ".sources" else read_one_line(text)
    return tuple(found)


def read_one_line(text: str) -> list[AptSource]:
    """Return the binary sources of a one-line style file."""
    found = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#", 1)[0].strip())
        if match:
            options = dict(option.split("=", 1) for option in (match["options"] or "").split() if "=" in option)
            found.append(
                AptSource(
                    (match["uri"],),
                    (match["suite"],),
                    tuple(match["components"].split()),
                    options.get("signed-by", ""),
                )
            )
    return found


def read_deb822(text: str) -> list[AptSource]:
    """Return the binary sources of a deb822 style file that are not switched off."""
    found = []
    for fields in _stanzas(text):
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false"}:
            continue
        found.append(
            AptSource(
                tuple(fields.get("uris", "").split()),
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                fields.get("signed-by", ""),
            )
        )
    return found


def for_recipes(sources: tuple[AptSource, ...], os_release: Mapping[str, str]) -> tuple[AptSource, ...]:
    """Return the sources to try for a recipe's packages, best first, each with one suite.

    The distribution's own mirror is a source of this machine's release with a component `main`, whose
    keyring or address names the distribution. On Debian the newest suite that the recipes were written
    for comes first, so that Debian 12 and 13 give the same image; then the machine's own release.

    Args:
        sources: What `machine_sources()` found.
        os_release: The fields of /etc/os-release.

    Returns:
        Empty where no source is the distribution's own.
    """
    distribution = os_release.get("ID", "")
    codename = os_release.get("VERSION_CODENAME", "")
    own = [one for one in sources if _is_distribution(one, codename)]
    named = [one for one in own if distribution and _names(one, distribution)]
    tried: list[AptSource] = []
    for one in named or own:
        components = tuple(name for name in one.components if name in _COMPONENTS)
        suites = [suite for suite in one.suites if suite == codename or suite in _ROLLING_NAMES]
        if distribution == "debian":
            suites = list(dict.fromkeys([NEWEST_DEBIAN_SUITE, *suites]))
        tried += [AptSource(one.uris, (suite,), components, one.signed_by) for suite in suites]
    newest_first = sorted(tried, key=lambda one: one.suites[0] != NEWEST_DEBIAN_SUITE)
    return tuple(dict.fromkeys(newest_first))


def as_deb822(source: AptSource, architecture: str) -> str:
    """Return a source as a deb822 stanza for one architecture.

    Args:
        source: The source.
        architecture: Debian's name for it, ``"amd64"`` or ``"arm64"``.
    """
    lines = [
        "Types: deb",
        f"URIs: {' '.join(source.uris)}",
        f"Suites: {' '.join(source.suites)}",
        f"Components: {' '.join(source.components)}",
        f"Architectures: {architecture}",
    ]
    if source.signed_by:
        separator = "" if source.signed_by.startswith("\n") else " "
        lines.append(f"Signed-By:{separator}{source.signed_by}")
    return "\n".join(lines) + "\n"


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Return the fields of /etc/os-release; empty where there is none."""
    if not path.is_file():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def _is_distribution(source: AptSource, codename: str) -> bool:
    released = any(suite == codename or suite in _ROLLING_NAMES for suite in source.suites)
    return released and "main" in source.components


def _names(source: AptSource, distribution: str) -> bool:
    keyring = f"{distribution}-archive" in source.signed_by
    return keyring or any(distribution in uri.rstrip("/").rsplit("/", 1)[-1] for uri in source.uris)


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[0] in " \t":
            if last:
                fields[last] += f"\n{line}"
        else:
            name, _, value = line.partition(":")
            last = name.strip().lower()
            fields[last] = value.strip()
    if fields:
        yield fields
