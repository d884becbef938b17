"""What this engine is: version, image store, buildx; asked once per address."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

from dmhelpers.engine.client import api, docker_cli, endpoint, engine_answers
from dmhelpers.errors import CommandFailed, EngineTooOld

MINIMUM_ENGINE = (23, 0)
MINIMUM_BUILDX = (0, 13)

Store = Literal["overlay2", "containerd", "other"]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """One engine: `api_version` and `buildx` are (major, minor); `platform` reads ``linux/amd64``."""

    engine_id: str
    version: str
    api_version: tuple[int, int]
    buildx: tuple[int, int]
    buildx_version: str
    store: Store
    driver: str
    platform: str
    memory_bytes: int
    data_root: str
    name: str


def engine_info() -> EngineInfo:
    """Return what the engine at the current address is; asked once, then remembered.

    Raises:
        EngineUnavailable: No engine answers.
        EngineTooOld: The engine is below 23.0 or buildx below 0.13.
    """
    return _info_for(endpoint().host)


def forget_info() -> None:
    """Ask again next time: after an engine was started, stopped or replaced."""
    _info_for.cache_clear()


def buildx_version() -> str:
    """Return buildx's version as it prints it, without a leading ``v``; ``""`` where there is none."""
    try:
        text = docker_cli(["buildx", "version"], timeout_s=60).stdout
    except CommandFailed:
        return ""
    found = re.search(r"\bv?(\d+\.\d+\.\d+[^\s]*)", text)
    return found.group(1) if found else ""


def version_pair(text: str) -> tuple[int, int]:
    """Return ``(26, 1)`` for ``"26.1.5+dfsg1"``; ``(0, 0)`` where there is no version in it."""
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def store_of(driver: str, driver_status: list[list[str]]) -> Store:
    """Return the image store: containerd's own, or the classic one on overlay2 or another driver.

    Args:
        driver: `Driver` of the engine's `/info`.
        driver_status: `DriverStatus` of the same; containerd's store names its snapshotter plug-in there.
    """
    if any(value.startswith("io.containerd.snapshotter") for _, value in driver_status):
        return "containerd"
    return "overlay2" if driver == "overlay2" else "other"


@functools.lru_cache(maxsize=8)
def _info_for(host: str) -> EngineInfo:  # noqa: ARG001  the key of the cache
    client = api()
    with engine_answers():
        raw = client.info()
    buildx = buildx_version()
    info = EngineInfo(
        engine_id=raw["ID"],
        version=raw["ServerVersion"],
        api_version=version_pair(client.api_version),
        buildx=version_pair(buildx),
        buildx_version=buildx,
        store=store_of(raw["Driver"], raw.get("DriverStatus") or []),
        driver=raw["Driver"],
        platform=f"{raw['OSType']}/{_architecture(raw['Architecture'])}",
        memory_bytes=raw["MemTotal"],
        data_root=raw["DockerRootDir"],
        name=raw.get("OperatingSystem", ""),
    )
    _require_minimum(info)
    return info


def _architecture(kernel_name: str) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(kernel_name, kernel_name)


def _require_minimum(info: EngineInfo) -> None:
    if version_pair(info.version) < MINIMUM_ENGINE:
        raise EngineTooOld(
            f"This is Docker Engine {info.version}; the course needs 23.0 or newer.",
            hint="Update Docker (Docker Desktop: Settings, Software updates; Linux: Docker's own packages).",
        )
    if info.buildx < MINIMUM_BUILDX:
        what = f"buildx {info.buildx_version}" if info.buildx_version else "no buildx"
        raise EngineTooOld(
            f"This machine has {what}; the course builds with buildx 0.13 or newer.",
            hint="Install the buildx plugin (Debian: docker-buildx; others: docker-buildx-plugin).",
        )
