"""Which images an archive holds, by its own documents: Docker's `manifest.json`, or an OCI layout's `index.json`."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dmhelpers.errors import InputError
from dmhelpers.measure.tar_headers import Damaged

Documents = Mapping[str, Any]
_DIGEST = re.compile(r"[a-z0-9]+:[0-9a-f]{32,128}")
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_NESTED_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """One image of an archive: where its configuration and its layers are, oldest first, and what it is called."""

    config_name: str
    layer_names: tuple[str, ...]
    diff_ids: tuple[str, ...]
    tags: tuple[str, ...] = ()
    platform: str = ""


def images_in(documents: Documents) -> tuple[Listed, ...]:
    """Return the images that an archive's documents list, in their order.

    Raises:
        Damaged: They list none, or not as they should.
    """
    found = tuple(_of_manifest(documents) if "manifest.json" in documents else _of_index(documents))
    if not found:
        raise Damaged("it lists no image")
    return found


def choose(images: Sequence[Listed], wanted: str | None, what: str) -> Listed:
    """Return the image that is asked for; without a name the only one, of several platforms this machine's.

    Args:
        images: What the archive lists.
        wanted: A name in it, with or without ``:latest``.
        what: What to call the archive in an error.

    Raises:
        InputError: It holds several and none was named, or none of that name.
    """
    named = [one for one in images if wanted is None or wanted in _spellings(one)]
    if len({one.tags for one in named}) == 1:
        own = [one for one in named if one.platform == f"linux/{_machine()}"]
        return (own or named)[0]
    names = ", ".join(sorted({tag for one in images for tag in one.tags})) or "none with a name"
    if wanted is None:
        raise InputError(f"{what} holds several images: {names}.", hint="Name the one that you mean: image=NAME")
    raise InputError(f"{what} holds no image {wanted!r}; it holds: {names}.", hint="Name one of these: image=NAME")


def blob_name(descriptor: Mapping[str, Any]) -> str:
    """Return where an OCI layout keeps what a descriptor points at.

    Raises:
        Damaged: The descriptor's digest is none.
    """
    digest = str(descriptor["digest"])
    if not _DIGEST.fullmatch(digest):
        raise Damaged(f"{digest[:80]!r} is no digest")
    return "blobs/" + digest.replace(":", "/")


def diff_ids_of(config: Any) -> tuple[str, ...]:
    """Return the SHA-256 of each unpacked layer, oldest first, as an image's configuration gives them."""
    return tuple(map(str, config["rootfs"].get("diff_ids") or ()))


def _of_manifest(documents: Documents) -> Iterator[Listed]:
    for one in documents["manifest.json"]:
        config = documents[one["Config"]]
        layers = tuple(map(str, one["Layers"] or ()))
        yield Listed(one["Config"], layers, diff_ids_of(config), tuple(one.get("RepoTags") or ()), _platform(config))


def _of_index(documents: Documents) -> Iterator[Listed]:
    waiting = [(one, ()) for one in documents["index.json"]["manifests"]]
    for _ in range(_NESTED_LIMIT):
        if not waiting:
            return
        descriptor, tags = waiting.pop(0)
        name = blob_name(descriptor)
        told = tuple(v for k in _NAMES if (v := (descriptor.get("annotations") or {}).get(k)))[:1] or tags
        document = documents.get(name, {})  # of an index of several platforms, one may be all that was saved
        waiting += [(one, told) for one in document.get("manifests", ())]
        config = documents.get(blob_name(document["config"]), {}) if "config" in document else {}
        layers = document.get("layers") or ()
        is_image = (config.get("rootfs") or {}).get("type") == "layers" or "diff_ids" in (config.get("rootfs") or {})
        if is_image and not any("in-toto" in str(one.get("mediaType")) for one in layers):
            names = tuple(blob_name(one) for one in layers)
            yield Listed(blob_name(document["config"]), names, diff_ids_of(config), told, _platform(config))
    raise Damaged(f"it has more than {_NESTED_LIMIT} manifests")


def _platform(config: Any) -> str:
    return f"{config.get('os', '')}/{config.get('architecture', '')}"


def _spellings(one: Listed) -> set[str]:
    short = {tag.removeprefix("docker.io/").removeprefix("library/") for tag in one.tags}
    return {*one.tags, *short, *(tag.removesuffix(":latest") for tag in short)}


def _machine() -> str:
    return {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
