"""What a check can ask about the learner's images, by their state on the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from dmhelpers.course.checks.records import Look, NotYet
from dmhelpers.course.sample_info import sample_info
from dmhelpers.engine.client import get_json
from dmhelpers.engine.containers import Serving, execute, serve
from dmhelpers.engine.patience import patient
from dmhelpers.errors import DmHelpersError, EngineRefused, EngineUnavailable
from dmhelpers.measure import images as reading
from dmhelpers.measure import peek
from dmhelpers.measure.built import Built, built_from

NODE = "node:20-alpine"


@dataclass(frozen=True, slots=True)
class Image:
    """One image on the engine: its ID, its configuration, and what it was built from where the course built it."""

    name: str
    image_id: str
    config: Mapping[str, Any]
    built: Built | None

    @property
    def workdir(self) -> str:
        """Its WORKDIR, ``"/"`` where it has none."""
        return str(self.config.get("WorkingDir") or "/")

    @property
    def size_bytes(self) -> int:
        """Its unpacked size."""
        return reading.size_of(self.image_id)

    def files(self, folder: str | None = None) -> Mapping[str, int]:
        """Return the files below a folder, by default its WORKDIR: absolute path to bytes."""
        return peek.files_under(self.image_id, folder or self.workdir)

    def content(self, path: str) -> bytes | None:
        """Return a file's content, None where there is no such file."""
        return peek.file_content(self.image_id, path)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a running container answered over HTTP; `body` is None where it is not JSON."""

    status: int
    body: Any


class Service:
    """A running container of the learner's image."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def get(self, path: str) -> Answer:
        """Ask for a path."""
        import requests

        try:
            answer = requests.get(self._serving.url + path, timeout=patient(10), proxies={"http": ""})
        except requests.exceptions.RequestException as error:
            raise NotYet(f"a container of it gave no answer to GET {path}: {type(error).__name__}") from error
        try:
            return Answer(answer.status_code, answer.json())
        except ValueError:
            return Answer(answer.status_code, None)

    def execute(self, *command: str) -> tuple[int, str]:
        """Run a command in it; return its exit code and what it printed."""
        import docker.errors

        try:
            return execute(self._serving.container_id, command)
        except (EngineRefused, docker.errors.NotFound) as error:
            raise NotYet(f"a container of it ended before {' '.join(command)} could run in it") from error


def find_image(name: str) -> Image | None:
    """Return the image of that name, None where the engine has none."""
    import docker.errors

    full = name if ":" in name else f"{name}:latest"
    try:
        raw = get_json(f"/images/{quote(full)}/json")
    except docker.errors.NotFound:
        return None
    return Image(full, raw["Id"], raw.get("Config") or {}, built_from(full, raw["Id"]))


def need_image(look: Look, name: str, *, how: str = "build it with that tag") -> Image:
    """Return the image of that name, or end the check."""
    found = find_image(name)
    if found is None:
        raise NotYet(f"there is no image {name if ':' in name else name + ':latest'} yet: {how}")
    look.saw(f"image {found.name}")
    return found


def need_built(look: Look, name: str) -> tuple[Image, Built]:
    """Return the image and what it was built from, or end the check."""
    image = need_image(look, name)
    if image.built is None:
        raise NotYet(
            f"{image.name} was not built with dm.build or %%dockerfile, so its Dockerfile is not known: "
            f"take the name away with docker rmi {image.name}, and build it with one of them"
        )
    return image, image.built


def matching(files: Mapping[str, int], *patterns: str) -> list[str]:
    """Return the paths that match one of the patterns, in which ``*`` also stands for ``/``."""
    return [path for path in files if any(fnmatchcase(path, pattern) for pattern in patterns)]


@contextmanager
def running(look: Look, image: Image, sample: str = "my-api") -> Iterator[Service]:
    """Start the image as it is and note that it answers as the sample does, or end the check."""
    info = sample_info(sample)
    environment = {"PORT": str(info.port)}
    try:
        with serve(
            image.image_id, port=info.port, path=info.http_path, ready_within_s=20, environment=environment
        ) as one:
            service = Service(one)
            health = service.get(info.http_path)
            body = json.dumps(health.body, separators=(",", ":"))
            look.expect(
                health.status == 200 and info.http_answer in body,
                f"a container of it answers {info.http_path} over HTTP",
                f"a container of it answers {info.http_path} with {health.status} instead of 200",
            )
            yield service
    except EngineUnavailable:
        raise
    except DmHelpersError as error:
        raise NotYet(f"a container of it does not answer over HTTP: {_last_words(error.message)}") from error


def beyond(image: Image, base: str = NODE) -> int:
    """Return how many bytes an image adds to its base; all of its size where the base is not on the engine."""
    found = find_image(base)
    return image.size_bytes - (found.size_bytes if found else 0)


def _last_words(message: str) -> str:
    """Return the line that says most: what the container printed as its error, else the first sentence."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    telling = [line for line in lines[1:] if "Error" in line or "error" in line or "not found" in line]
    words = (telling or lines)[0][:200]
    if words.startswith("/bin/sh: ["):
        return f"{words} (a list in square brackets needs double quotes; with others it is a line for the shell)"
    return words
