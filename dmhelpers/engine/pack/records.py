"""What a pack says about itself: its manifest, as records and as JSON. Only the standard library is used here.

`make setup` reads a pack before the course's environment is there: this module, `archive` and `unpack` must
run on a bare Python.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dmhelpers.errors import PackError

FORMAT = 1
"""The version of the file format; a pack of a newer one is refused."""

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"

MIRROR_VARIABLES = ("NPM_CONFIG_REGISTRY", "GOPROXY", "GOSUMDB")
"""The variables by which a base image of a pack names the mirror."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the pack: its path in the archive, its bytes as stored, and their SHA-256 in hex."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """One layer: the member that holds it packed, and its diff ID and bytes once it is unpacked."""

    path: str
    diff_id: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PackedImage:
    """One base image: where it came from, its digests, and its members, layers oldest first.

    `config_digest` is the digest of the configuration as it was on the engine that the pack was made on;
    `repo_digests` are those that a registry gave it, none for a stand-in.
    """

    name: str
    origin: str
    config_digest: str
    repo_digests: tuple[str, ...]
    config: str
    layers: tuple[PackedLayer, ...]

    @property
    def size_bytes(self) -> int:
        """The bytes of its unpacked layers."""
        return sum(one.size_bytes for one in self.layers)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a pack: `created` is RFC 3339, `platform` reads ``linux/amd64``, `pythons` ``3.11``."""

    course_version: str
    created: str
    platform: str
    pythons: tuple[str, ...]
    images: tuple[PackedImage, ...]
    npm_packages: tuple[str, ...]
    go_modules: tuple[str, ...]
    members: tuple[Member, ...]

    @property
    def size_bytes(self) -> int:
        """The bytes of all members."""
        return sum(one.size_bytes for one in self.members)

    def below(self, folder: str) -> tuple[Member, ...]:
        """Return the members in a folder of the pack."""
        return tuple(one for one in self.members if one.path.startswith(f"{folder}/"))

    def as_json(self) -> bytes:
        """Return the manifest as it is written: the same bytes for the same content."""
        return (json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True) + "\n").encode()


def read_manifest(raw: bytes) -> Manifest:
    """Return the manifest that these bytes are.

    Raises:
        PackError: They are none, or one of a newer format.
    """
    try:
        found = json.loads(raw)
        if found["format"] != FORMAT:
            raise PackError(
                f"The pack has format {found['format']!r}, and this course reads format {FORMAT}.",
                hint="Use the course's version that made the pack, or make the pack anew: dmhelpers pack",
            )
        return _manifest(found)
    except (ValueError, KeyError, TypeError) as error:
        raise PackError(f"{MANIFEST} of the pack cannot be read: {error!r}.", hint=MAKE_ANEW) from error


MAKE_ANEW = "Copy the pack again from where it came, or make it anew: dmhelpers pack --output FILE"


def _manifest(found: Mapping[str, Any]) -> Manifest:
    return Manifest(
        course_version=str(found["course_version"]),
        created=str(found["created"]),
        platform=str(found["platform"]),
        pythons=tuple(found["pythons"]),
        images=tuple(_image(one) for one in found["images"]),
        npm_packages=tuple(found["npm_packages"]),
        go_modules=tuple(found["go_modules"]),
        members=tuple(Member(one["path"], int(one["size_bytes"]), one["sha256"]) for one in found["members"]),
    )


def _image(raw: Mapping[str, Any]) -> PackedImage:
    layers = tuple(PackedLayer(one["path"], one["diff_id"], int(one["size_bytes"])) for one in raw["layers"])
    return PackedImage(
        raw["name"], raw["origin"], raw["config_digest"], tuple(raw["repo_digests"]), raw["config"], layers
    )
