"""What a recording must not hold: addresses, tokens, this machine's names and folders, other people's images."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dmhelpers.engine.labels import BASE_NAME, COURSE

_TELLING = re.compile(
    r"PROXY|MIRROR|REGISTRY|INDEX|TOKEN|SECRET|PASSW|CREDENTIAL|_KEY$|_URL$|_HOST$|BUNDLE", re.IGNORECASE
)
_SETTINGS = ("~/.npmrc", "~/.pip/pip.conf", "~/.config/pip/pip.conf", "/etc/pip.conf", "~/.docker/config.json")
_ADDRESS = re.compile(r"https?://[^\s\"'<>]+")
_PUBLIC = ("github.com", "docker.io", "localhost", "127.0.0.1")
_SHORTEST = 8
_SYSTEM = ("/etc/", "/usr/")
"""A distribution's own places, which images have too: they tell nothing of a person."""

_INFO = (
    "ServerVersion",
    "Driver",
    "DriverStatus",
    "OSType",
    "Architecture",
    "MemTotal",
    "OperatingSystem",
)
_INSTEAD = {"ID": "RECORDED", "DockerRootDir": "/var/lib/docker"}
"""What names one engine and one disk: in a recording it is the same for all."""

_INSPECTED = re.compile(r"/(?:images|containers)/.+/json")
_PLACES_ON_DISK = ("GraphDriver", "HostnamePath", "HostsPath", "LogPath", "ResolvConfPath")
_OWN_NETWORK = re.compile(r"\b(?:10\.\d{1,3}|172\.(?:1[6-9]|2\d|3[01])|192\.168)(?:\.\d{1,3}){2}\b(?!\.\d)")
"""Addresses of networks that are nobody else's: of containers, and of this machine's name server."""

_ASKED_BY_NPM = re.compile(r"(?<=npm http )(\w+ [A-Z]+ \d+ https?://)([^/\s]+)")
"""Whom npm asked, in what it prints of its questions: the public registry, or a mirror of somebody's own."""


@dataclass(frozen=True, slots=True)
class Hider:
    """Puts crosses over words. A word keeps its length, so that what counts bytes stays whole."""

    words: tuple[str, ...]

    @classmethod
    def of_this_machine(cls) -> Hider:
        """Return one that knows this person's folders, this machine's name, and the addresses in its settings."""
        found = {str(Path.home()), str(Path.cwd()), socket.gethostname(), tempfile.gettempdir()}
        found.update(value for name, value in os.environ.items() if _TELLING.search(name))
        for place in _SETTINGS:
            try:
                text = Path(place).expanduser().read_text(encoding="utf-8", errors="replace")
            except (OSError, RuntimeError):
                continue
            found.update(_ADDRESS.findall(text))
        hosts = {urlsplit(word).hostname or "" for word in found if "://" in word}
        return cls.of(found | hosts)

    @classmethod
    def of(cls, words: Iterable[str]) -> Hider:
        """Return one that knows these words; short ones, and public names, stand for too much else."""
        plain = ("/root", "/tmp", *_PUBLIC)  # noqa: S108  folders of every container
        telling = {one for one in words if len(one) >= _SHORTEST and one not in plain and not one.startswith(_SYSTEM)}
        return cls(tuple(sorted(telling, key=lambda one: (-len(one), one))))

    def hide(self, text: str) -> str:
        """Return a text with its words crossed out."""
        for word in self.words:
            text = text.replace(word, "x" * len(word))
        return _without_addresses(text)

    def hide_bytes(self, data: bytes) -> bytes:
        """Return bytes with the words in them crossed out."""
        for word in self.words:
            raw = word.encode()
            data = data.replace(raw, b"x" * len(raw))
        try:
            return _without_addresses(data.decode()).encode()
        except UnicodeDecodeError:
            return data

    def hide_json(self, value: Any) -> Any:
        """Return plain JSON with the words in its texts crossed out."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return {self.hide(name): self.hide_json(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide_json(one) for one in value]
        return value


def of_the_course(path: str, answer: Any, *, since: datetime, names: Iterable[str]) -> Any:
    """Return of an engine's answer what the course needs of it: nothing of a person's other work.

    Args:
        path: What was asked for, without the API's version.
        answer: The engine's answer.
        since: When the recording began: older build cache records are somebody else's.
        names: The images that the course asked for by name.
    """
    if path == "/info":
        return {name: answer[name] for name in _INFO if name in answer} | _INSTEAD
    if _INSPECTED.fullmatch(path):
        return {name: value for name, value in answer.items() if name not in _PLACES_ON_DISK}
    if path == "/system/df":
        records = answer.get("BuildCache") or []
        recent = [one for one in records if datetime.fromisoformat(one["CreatedAt"]) >= since]
        return {"LayersSize": answer.get("LayersSize"), "BuildCache": recent}
    if path == "/images/json":
        known = set(names)
        return [one for one in answer if _is_ours(one, known)]
    return answer


def is_pruned(path: str) -> bool:
    """Return whether of an answer to this only a part is kept."""
    return path in ("/info", "/system/df", "/images/json") or _INSPECTED.fullmatch(path) is not None


def _without_addresses(text: str) -> str:
    text = _ASKED_BY_NPM.sub(lambda found: found[1] + "x" * len(found[2]), text)
    return _OWN_NETWORK.sub(_crossed, text)


def _crossed(found: re.Match[str]) -> str:
    return re.sub(r"\d", "x", found.group())


def _is_ours(image: Mapping[str, Any], known: set[str]) -> bool:
    labels = image.get("Labels") or {}
    return COURSE in labels or BASE_NAME in labels or bool(known.intersection(image.get("RepoTags") or ()))
