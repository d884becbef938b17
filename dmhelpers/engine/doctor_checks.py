"""The checks that the doctor makes. Each returns its row or raises an error of the course, which becomes one."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from dmhelpers.engine import messages
from dmhelpers.engine.client import api, docker_cli, endpoint, engine_answers
from dmhelpers.engine.doctor import Check, Examination
from dmhelpers.engine.info import MINIMUM_BUILDX, MINIMUM_ENGINE, buildx_version, store_of, version_pair
from dmhelpers.engine.patience import patient
from dmhelpers.engine.probe import Probed, probe
from dmhelpers.errors import DmHelpersError, TimeLimitReached
from dmhelpers.units import docker_size

NEEDED_DISK_BYTES = 3_000_000_000
COMFORTABLE_DISK_BYTES = 6_000_000_000
COMFORTABLE_MEMORY_BYTES = 2_000_000_000
CLOCK_LIMIT_S = 60.0

_QUESTION_LIMIT_S = 4.0
_CONTAINER_LIMIT_S = 8.0
_NETWORK_LIMIT_S = 7.0
_NPM_PING = ("npm", "ping", "--fetch-retries=0", "--loglevel=error", "--update-notifier=false")
_NPM_LIMIT_MS, _NPM_LONGEST_MS = 5000, 20_000
_TLS_CODES = re.compile(r"SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|CERT_|ERR_TLS|DEPTH_ZERO")
_DNS_CODES = re.compile(r"EAI_AGAIN|ENOTFOUND")
_ROUTE_CODES = re.compile(r"ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT")
_OLD_ENGINE_HINT = "Update Docker (Docker Desktop: Settings, Software updates; Linux: Docker's own packages)."
_NO_BUILDX_HINT = "Install the buildx plugin (Debian: docker-buildx; others: docker-buildx-plugin)."


class OneProbe:
    """One test container for the checks of one report that need what it tells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcome: Probed | DmHelpersError | None = None

    def __call__(self) -> Probed:
        """Return what the container told; the first caller runs it, the others wait for it.

        Raises:
            DmHelpersError: It did not run, whoever asks.
        """
        with self._lock:
            if self._outcome is None:
                try:
                    self._outcome = probe(time_limit_s=patient(_CONTAINER_LIMIT_S))
                except DmHelpersError as error:
                    self._outcome = error
        if isinstance(self._outcome, DmHelpersError):
            raise self._outcome
        return self._outcome


def examinations() -> tuple[Examination, ...]:
    """Return the checks in the order of the report's rows."""
    probed = OneProbe()
    asked_s, run_s, reached_s = map(patient, (_QUESTION_LIMIT_S, _CONTAINER_LIMIT_S + 1, _NETWORK_LIMIT_S + 2))
    return (
        Examination("docker command", docker_command, limit_s=asked_s, needs_engine=False),
        Examination("engine", engine, limit_s=asked_s, needs_engine=False),
        Examination("container runs", lambda: container_runs(probed), limit_s=run_s),
        Examination("engine version", engine_version, limit_s=asked_s),
        Examination("buildx", buildx, limit_s=asked_s, needs_engine=False),
        Examination("image store", image_store, limit_s=asked_s),
        Examination("disk", lambda: disk(probed), limit_s=run_s),
        Examination("memory", memory, limit_s=asked_s),
        Examination("network", network, limit_s=reached_s),
        Examination("base images", base_images, limit_s=asked_s),
        Examination("clock", clock, limit_s=asked_s),
    )


def docker_command() -> Check:
    """Is there a `docker` command?"""
    text = docker_cli(["--version"], timeout_s=_QUESTION_LIMIT_S).stdout.strip()
    return Check("docker command", "ok", text)


def engine() -> Check:
    """Does an engine answer, and may this person use it?"""
    where = endpoint()
    raw = _info()
    name = raw.get("OperatingSystem") or raw.get("Name") or "an engine"
    return Check("engine", "ok", f"{name} answers at {messages.shown_host(where.host)} ({where.source})")


def container_runs(probed: Callable[[], Probed]) -> Check:
    """Does a container really run?"""
    probed()
    return Check("container runs", "ok", "a test container ran, printed its line and is gone")


def engine_version() -> Check:
    """Is the engine new enough?"""
    version = str(_info()["ServerVersion"])
    if version_pair(version) >= MINIMUM_ENGINE:
        return Check("engine version", "ok", version)
    return Check("engine version", "fix", f"{version}; the course needs 23.0 or newer", _OLD_ENGINE_HINT)


def buildx() -> Check:
    """Is the BuildKit command line there and new enough?"""
    version = buildx_version()
    if version_pair(version) >= MINIMUM_BUILDX:
        return Check("buildx", "ok", version)
    what = f"{version}; the course needs 0.13 or newer" if version else "not installed"
    return Check("buildx", "fix", what, _NO_BUILDX_HINT)


def image_store() -> Check:
    """Which image store is it? Both are fine, but sizes of one are not to be compared with the other's."""
    raw = _info()
    store = store_of(raw["Driver"], raw.get("DriverStatus") or [])
    if store == "other":
        hint = "Builds work, but may be slow and large: overlay2 or the containerd store is what Docker recommends."
        return Check("image store", "note", f"{raw['Driver']}", hint)
    return Check("image store", "ok", store)


def disk(probed: Callable[[], Probed]) -> Check:
    """Is there room where the engine keeps its layers, as a container sees it?"""
    try:
        told = probed()
    except DmHelpersError:
        return Check("disk", "note", "unknown: no container ran that could have told")
    free = told.disk_free_bytes
    detail = f"{docker_size(free)} free of {docker_size(told.disk_total_bytes)} where the engine keeps its images"
    hint = "See what takes the space: docker system df. What the course made goes with: dmhelpers cleanup"
    if free < NEEDED_DISK_BYTES:
        return Check("disk", "fix", f"{detail}; the course needs {docker_size(NEEDED_DISK_BYTES)}", hint)
    return Check("disk", "ok", detail) if free >= COMFORTABLE_DISK_BYTES else Check("disk", "note", detail, hint)


def memory() -> Check:
    """Has the engine enough memory for npm and the Go compiler?"""
    size = int(_info()["MemTotal"])
    if size >= COMFORTABLE_MEMORY_BYTES:
        return Check("memory", "ok", docker_size(size))
    hint = "Give the engine more (Docker Desktop: Settings, Resources), or close other programs while you build."
    return Check("memory", "note", f"{docker_size(size)}; builds are comfortable from 2 GB", hint)


def network() -> Check:
    """Does npm, in a container of the Node base image, reach the registry it is set up for, certificates included?"""
    from dmhelpers.engine import bases
    from dmhelpers.engine.containers import run

    base = next((one.name for one in bases.status() if one.present and one.name.startswith("node:")), None)
    if base is None:
        return Check("network", "note", "not checked: no Node base image is here yet", "dmhelpers bases prepare")
    # A network that answers nothing is no busy machine: nobody's first cell waits a minute for it.
    ping = [*_NPM_PING, f"--fetch-timeout={min(patient(_NPM_LIMIT_MS), _NPM_LONGEST_MS):.0f}"]
    try:
        done = run(base, ping, time_limit_s=patient(_NETWORK_LIMIT_S))
    except TimeLimitReached:
        return network_verdict(1, "ETIMEDOUT")
    return network_verdict(done.exit_code, done.stdout + done.stderr)


def network_verdict(exit_code: int, output: str) -> Check:
    """Return the row for what `npm ping` said; no address of a registry gets into it.

    Args:
        exit_code: What it ended with.
        output: What it printed on both streams.
    """
    if exit_code == 0 or re.search(r"\bE4\d\d\b", output):
        return Check("network", "ok", "npm in a container reached its registry, and its certificate was accepted")
    if _TLS_CODES.search(output):
        return Check(
            "network",
            "fix",
            "npm in a container reached its registry but did not trust its certificate",
            "Your network intercepts TLS: let this machine trust its certificate authority "
            "(update-ca-certificates), then run: dmhelpers bases prepare",
        )
    if _DNS_CODES.search(output):
        return Check(
            "network",
            "fix",
            "names do not resolve inside a container",
            'Give the engine a name server that it reaches: "dns" in /etc/docker/daemon.json, then restart it.',
        )
    if _ROUTE_CODES.search(output):
        return Check(
            "network",
            "fix",
            "npm in a container got no answer from its registry",
            "See whether this machine is online, and whether a firewall or a proxy stands in the containers' way "
            "(set HTTPS_PROXY for the engine).",
        )
    found = re.search(r"\bcode (E?[A-Z0-9_]+)", output)
    what = found.group(1) if found else f"exit code {exit_code}"
    return Check(
        "network", "fix", f"npm in a container failed: {what}", "Try again; if it stays, ask with this line."
    )


def base_images() -> Check:
    """Are the base images of the course here?"""
    from dmhelpers.engine import bases

    found = bases.status()
    here = [f"{one.name} ({one.origin})" for one in found if one.present]
    absent = [one.name for one in found if not one.present]
    if not absent:
        return Check("base images", "ok", ", ".join(here))
    detail = f"missing: {', '.join(absent)}" + (f"; here: {', '.join(here)}" if here else "")
    return Check("base images", "fix", detail, "Pull or assemble them with: dmhelpers bases prepare")


def clock() -> Check:
    """Do the engine's clock and this machine's agree? Certificates and build times depend on it."""
    before = datetime.now(UTC)
    there = engine_time(str(_info()["SystemTime"]))
    offset_s = (there - before).total_seconds()
    if abs(offset_s) <= CLOCK_LIMIT_S:
        return Check("clock", "ok", f"the engine's differs by {abs(offset_s):.0f} s at most")
    direction = "ahead of" if offset_s > 0 else "behind"
    return Check(
        "clock",
        "fix",
        f"the engine's is {abs(offset_s):.0f} s {direction} this machine's",
        "Set the clocks (Docker Desktop: restart it, its machine's clock stops while the computer sleeps).",
    )


def engine_time(text: str) -> datetime:
    """Return the engine's `SystemTime`: RFC 3339 with nanoseconds, of which Python reads microseconds."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def _info() -> dict[str, Any]:
    client: Any = api()
    with engine_answers():
        answer: dict[str, Any] = client.info()
    return answer
