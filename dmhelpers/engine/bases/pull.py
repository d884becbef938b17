"""Pulling a base image through the engine, from Docker Hub or from the mirror that the person set."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dmhelpers.engine.client import api, engine_answers
from dmhelpers.errors import BaseImageError
from dmhelpers.units import docker_size

if TYPE_CHECKING:
    import docker

FIRST_ANSWER_S = 20.0
"""How long a registry may take to say what the image is."""

_SILENCE_S = 120.0
_REPORT_EVERY_S = 2.0
_REASONS = (
    (("certificate", "x509"), "the engine does not trust the registry's certificate"),
    (("toomanyrequests", "rate limit"), "the registry's rate limit is reached"),
    (("no space left",), "the engine's disk is full"),
    (("no matching manifest",), "the registry has it for other architectures only"),
    (("unauthorized", "denied", "forbidden"), "the registry refuses access, or does not have it"),
    (("manifest unknown", "not found", "does not exist"), "the registry does not have it"),
    (
        ("no such host", "lookup", "refused", "unreachable", "timeout", "deadline", "reset", "eof", "proxyconnect"),
        "no registry answers",
    ),
)


def mirror() -> str:
    """Return the registry of `DMHELPERS_REGISTRY_MIRROR` as it starts an image name, ``""`` where none is set."""
    value = os.environ.get("DMHELPERS_REGISTRY_MIRROR", "").strip()
    return value.partition("://")[2].rstrip("/") if "://" in value else value.rstrip("/")


def pull(name: str, *, progress: Callable[[str], None]) -> None:
    """Pull a base image from its registry.

    Args:
        name: The name as it stands after FROM.
        progress: Told how far it is, every two seconds.

    Raises:
        BaseImageError: It could not be had; the message gives the reason without an address.
    """
    progress(f"Asking the registry for {name}")
    _pull(name, name, progress)


def pull_from_mirror(name: str, *, progress: Callable[[str], None]) -> None:
    """Pull a Docker Hub image from the mirror, give it its official name and drop the mirror's.

    A mirror of Docker Hub keeps official images below `library/`; a registry that somebody filled by
    hand may not: both places are asked.

    Args:
        name: The official name.
        progress: Told how far it is, every two seconds.

    Raises:
        BaseImageError: Neither place has it, or the mirror does not answer.
    """
    places = [f"{mirror()}/{name}"] if "/" in name else [f"{mirror()}/library/{name}", f"{mirror()}/{name}"]
    progress(f"Asking the registry mirror for {name}")
    for number, place in enumerate(places):
        try:
            _pull(place, name, progress)
        except BaseImageError as error:
            if number + 1 == len(places) or "does not have it" not in error.message:
                raise
        else:
            _rename(place, name)
            return


def reason_for(complaint: str) -> str:
    """Return an engine's words about a failed pull as a reason that names no address.

    Args:
        complaint: What the engine said.
    """
    lowered = complaint.lower()
    for words, reason in _REASONS:
        if any(word in lowered for word in words):
            return reason
    return "the registry answered with an error"


def _pull(reference: str, name: str, progress: Callable[[str], None]) -> None:
    try:
        answered = _attempt(reference, name, progress, limit_s=FIRST_ANSWER_S)
    except _Silent as silent:
        if not silent.after_an_answer:
            raise _failed(name, f"no registry answers within {FIRST_ANSWER_S:g} s") from None
        answered = ""
        try:
            # What was downloaded is kept by the engine; a slow step gets its time.
            _attempt(reference, name, progress, limit_s=_SILENCE_S)
        except _Silent:
            raise _failed(name, f"nothing came for {_SILENCE_S:g} s") from None
    if answered:
        raise _failed(name, reason_for(answered))


class _Silent(Exception):
    """Nothing came for too long."""

    def __init__(self, after_an_answer: bool) -> None:
        super().__init__()
        self.after_an_answer = after_an_answer


def _attempt(reference: str, name: str, progress: Callable[[str], None], *, limit_s: float) -> str:
    """Pull once and return what the engine complained about, ``""`` for nothing."""
    import requests.exceptions

    answered = False
    report = _Report(name, progress)
    with engine_answers():
        try:
            for event in _events(api(), reference, limit_s):
                answered = True
                if "error" in event or "message" in event:
                    return str(event.get("error") or event.get("message"))
                report(event)
        except (requests.exceptions.Timeout, requests.exceptions.ConnectionError) as error:
            if "timed out" in str(error).lower():
                raise _Silent(answered) from error
            raise
    return ""


def _events(client: docker.APIClient, reference: str, limit_s: float) -> Iterator[dict[str, Any]]:
    # docker-py's own `pull` waits without a limit; closing the response ends the pull on the engine.
    from docker import auth

    repository, separator, digest = reference.partition("@")
    tag = f"{separator}{digest}".lstrip("@")
    if not separator:
        head, colon, last = reference.rpartition(":")
        repository, tag = (head, last) if colon and "/" not in last else (reference, "latest")
    registry, _ = auth.resolve_repository_name(repository)
    header = auth.get_config_header(client, registry)
    response = client.post(
        f"{client.base_url}/v{client.api_version}/images/create",
        params={"fromImage": repository, "tag": tag},
        headers={"X-Registry-Auth": header} if header else None,
        stream=True,
        timeout=(10, limit_s),
    )
    with response:
        for line in response.iter_lines():
            if line.strip():
                yield json.loads(line)


class _Report:
    """Adds up what is downloaded and says so every two seconds."""

    def __init__(self, name: str, progress: Callable[[str], None]) -> None:
        self.name = name
        self.progress = progress
        self.next_at = time.monotonic() + _REPORT_EVERY_S
        self.layers: dict[str, tuple[int, int]] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        detail = event.get("progressDetail") or {}
        if event.get("status") == "Downloading" and detail.get("total"):
            self.layers[event["id"]] = (detail["current"], detail["total"])
        if time.monotonic() >= self.next_at and self.layers:
            self.next_at = time.monotonic() + _REPORT_EVERY_S
            current, total = (sum(pair[index] for pair in self.layers.values()) for index in (0, 1))
            self.progress(f"Pulling {self.name}: {docker_size(current)} of {docker_size(total)}")


def _rename(place: str, name: str) -> None:
    repository, _, tag = name.rpartition(":") if ":" in name.rsplit("/", 1)[-1] else (name, "", "latest")
    with engine_answers():
        api().tag(place, repository, tag)
        api().remove_image(place)


def _failed(name: str, reason: str) -> BaseImageError:
    return BaseImageError(
        f"{name} could not be pulled: {reason}.",
        hint="Let the engine reach a registry, or set DMHELPERS_REGISTRY_MIRROR to one that it reaches.",
    )
