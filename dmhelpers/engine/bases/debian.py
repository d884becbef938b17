"""Debian packages for recipes, fetched by apt into a private folder: the machine's own apt stays untouched.

apt runs with its own state, cache, sources and preferences; of the machine's configuration it keeps
how to reach the network (`Acquire`: proxies, certificates) and the signing keys. No root is needed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from dmhelpers.engine.bases.apt_sources import AptSource, as_deb822, for_recipes, machine_sources, os_release
from dmhelpers.engine.bases.recipe import DebianPackage
from dmhelpers.engine.places import cache_folder
from dmhelpers.errors import BaseImageError

_UPDATE_LIMIT_S = 600.0
_DOWNLOAD_LIMIT_S = 600.0
_QUERY_LIMIT_S = 60.0
_KEPT_SETTING = re.compile(r"^Acquire::(?!IndexTargets|Languages|GzipIndexes|CompressionTypes)")


def debian_files(
    packages: tuple[DebianPackage, ...], architecture: str, *, work: Path, progress: Callable[[str], None]
) -> dict[str, Path]:
    """Return each package's `.deb` file, from the course's cache or downloaded into it.

    A file that was fetched once is kept and used from then on, so that an image assembled again on this
    machine is the same image, whatever the distribution has released meanwhile.

    Args:
        packages: The packages, with the oldest version that works.
        architecture: ``"amd64"`` or ``"arm64"``; it need not be this machine's own.
        work: An empty folder for apt's own files; the caller removes it.
        progress: Told before each thing that takes a while.

    Returns:
        Package name to file.

    Raises:
        BaseImageError: This machine has no apt, no source of its distribution's own, or none with a
            version that is new enough.
    """
    kept = {one.package: _kept_file(one, architecture) for one in packages}
    missing = tuple(one for one in packages if kept[one.package] is None)
    if missing:
        _fetch(missing, architecture, work, progress)
        kept = {one.package: _kept_file(one, architecture) for one in packages}
    return {package: file for package, file in kept.items() if file is not None}


def version_of(file: Path) -> str:
    """Return the version in a `.deb` file's name: ``"1:1.37.0-6+b9"``."""
    return file.name.split("_")[1].replace("%3a", ":")


def _kept_folder(package: DebianPackage, architecture: str) -> Path:
    # The minimum is part of the place: a recipe that asks for a newer one does not find an older file.
    minimum = package.minimum.replace(":", "%3a")
    return cache_folder() / "bases" / "debian" / architecture / f"{package.package}-from-{minimum}"


def _kept_file(package: DebianPackage, architecture: str) -> Path | None:
    return next(iter(sorted(_kept_folder(package, architecture).glob("*.deb"))), None)


def _fetch(
    packages: tuple[DebianPackage, ...], architecture: str, work: Path, progress: Callable[[str], None]
) -> None:
    _require_apt()
    names = ", ".join(one.package for one in packages)
    sources = for_recipes(machine_sources(), os_release())
    if not sources:
        raise BaseImageError(
            f"Found no source of this distribution's own packages in /etc/apt, so cannot fetch {names}.",
            hint=_other_ways(),
        )
    reasons = []
    for number, source in enumerate(sources):
        progress(f"Fetching {names} ({architecture}) from the distribution's {source.suites[0]} packages with apt")
        apt = PrivateApt(work / f"apt-{number}", source, architecture)
        reason = apt.update() or _fetch_all(apt, packages, architecture)
        if not reason:
            return
        reasons.append(f"{source.suites[0]}: {reason}")
    raise BaseImageError(f"Cannot fetch {names} ({architecture}): {'; '.join(reasons)}.", hint=_other_ways())


def _fetch_all(apt: PrivateApt, packages: tuple[DebianPackage, ...], architecture: str) -> str:
    for package in packages:
        version = apt.version(package.package)
        if not version:
            return f"there is no {package.package}"
        if not _at_least(version, package.minimum):
            return f"{package.package} is {version}, the recipe needs {package.minimum} or newer"
        file = apt.download(package.package, version)
        if file is None:
            return f"{package.package} {version} could not be downloaded"
        folder = _kept_folder(package, architecture)
        folder.mkdir(parents=True, exist_ok=True)
        file.replace(folder / file.name)
    return ""


class PrivateApt:
    """apt with a folder of its own for everything that it reads and writes.

    Args:
        folder: Its folder; made here.
        source: The one source that it knows.
        architecture: The architecture of the packages.
    """

    def __init__(self, folder: Path, source: AptSource, architecture: str) -> None:
        self.folder = folder
        for part in ("etc/parts", "etc/preferences", "state/lists/partial", "cache/archives/partial", "sources"):
            (folder / part).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources" / "base.sources").write_text(as_deb822(source, architecture), encoding="utf-8")
        (folder / "apt.conf").write_text(self._settings(architecture), encoding="utf-8")
        (folder / "apt.conf").chmod(0o600)

    def update(self) -> str:
        """Read the source's index; return why that failed, ``""`` if it did not."""
        done = self._run(["apt-get", "update", "-qq", "--error-on=any"], _UPDATE_LIMIT_S)
        if done is None:
            return "its index took longer than ten minutes"
        return "" if done.returncode == 0 else _reason(done.stderr)

    def version(self, package: str) -> str:
        """Return the newest version of a package, ``""`` where there is none."""
        done = self._run(["apt-cache", "show", "--no-all-versions", package], _QUERY_LIMIT_S)
        match = re.search(r"^Version: (\S+)$", done.stdout if done else "", re.MULTILINE)
        return match.group(1) if match else ""

    def download(self, package: str, version: str) -> Path | None:
        """Download a package, checked against the signed index; None if that failed."""
        done = self._run(["apt-get", "download", "-qq", f"{package}={version}"], _DOWNLOAD_LIMIT_S)
        files = sorted(self.folder.glob(f"{package}_*.deb"))
        return files[0] if done is not None and done.returncode == 0 and files else None

    def _run(self, command: list[str], limit_s: float) -> subprocess.CompletedProcess[str] | None:
        environment = {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C"}
        try:
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=limit_s,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None

    def _settings(self, architecture: str) -> str:
        own = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Dir::Etc::main": str(self.folder / "none"),
            "Dir::Etc::parts": str(self.folder / "etc/parts"),
            "Dir::Etc::preferences": str(self.folder / "none"),
            "Dir::Etc::preferencesparts": str(self.folder / "etc/preferences"),
            "Dir::Etc::sourcelist": str(self.folder / "none"),
            "Dir::Etc::sourceparts": str(self.folder / "sources"),
            "Dir::State": str(self.folder / "state"),
            "Dir::State::status": str(self.folder / "status"),
            "Dir::Cache": str(self.folder / "cache"),
        }
        lines = [line for line in _machine_settings() if _KEPT_SETTING.match(line)]
        return "\n".join([*lines, *(f'{key} "{value}";' for key, value in own.items())]) + "\n"


def _machine_settings() -> list[str]:
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=_QUERY_LIMIT_S, check=False)
    return done.stdout.splitlines()


def _at_least(version: str, minimum: str) -> bool:
    command = ["dpkg", "--compare-versions", version, "ge", minimum]
    return subprocess.run(command, capture_output=True, timeout=_QUERY_LIMIT_S, check=False).returncode == 0


def _require_apt() -> None:
    if not all(shutil.which(tool) for tool in ("apt-get", "apt-cache", "apt-config", "dpkg", "dpkg-deb")):
        raise BaseImageError(
            "A stand-in base image is assembled from Debian packages, and this machine has no apt.",
            hint=_other_ways(),
        )


def _other_ways() -> str:
    return (
        "Let the engine reach a registry, or set DMHELPERS_REGISTRY_MIRROR to one that it reaches, "
        "or bring the image over from another machine with `docker save` and `docker load`."
    )


def _reason(complaint: str) -> str:
    # apt's own words hold addresses: they are not repeated.
    lowered = complaint.lower()
    if "no_pubkey" in lowered or "not signed" in lowered or "signature" in lowered:
        return "its signature cannot be checked (update the package debian-archive-keyring)"
    if "certificate" in lowered:
        return "the mirror's certificate is not trusted (install the package ca-certificates)"
    if "expired" in lowered or "not valid" in lowered:
        return "its index has expired, or this machine's clock is wrong"
    if "does not have a release file" in lowered:
        return "the mirror does not have it"
    return "its index could not be read"
