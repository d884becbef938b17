"""What the course knows about its sample projects: where they are, and the facts in each one's sample.toml."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dmhelpers.errors import SampleNotFound, near_matches

Role = Literal["base", "single", "builder", "runtime"]
"""What an image of a sample project is there to show."""

ClaimKind = Literal["smaller", "reduction", "present", "absent"]
"""How a claim is measured: by two sizes, or by the files of one image."""

METADATA = "sample.toml"
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class SampleImage:
    """One image of a sample project and how to build it; `file` is None for the base image, which is not built.

    `command` is what serves in it where the image's own command does not (a builder stage has none).
    `typical` is the written exercise's own words for the size and `typical_bytes` the figure in them
    (for ``"450MB+"`` a lower bound); empty and None where the exercise says nothing.
    """

    role: Role
    tag: str
    holds: str
    file: str | None
    target: str | None
    command: tuple[str, ...] | None
    typical: str
    typical_bytes: int | None


@dataclass(frozen=True, slots=True)
class SampleClaim:
    """A sentence of the exercise as data.

    `kind` says what must hold: ``"smaller"``, the image in `role` weighs less than the one in `than`;
    ``"reduction"``, less by at least `fraction` of the latter (1.0 is all of it); ``"present"``, every
    pattern in `paths` matches a file of the final filesystem; ``"absent"``, none does. Patterns are
    absolute and read as by `fnmatch`, whose ``*`` also matches ``/``.
    """

    claim: str
    kind: ClaimKind
    role: Role
    than: Role | None
    fraction: float | None
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SampleInfo:
    """A sample project: its base image, what it answers over HTTP, its images and the exercise's claims.

    Asked for `http_path` on `port` inside the container, it answers 200 and a body that contains `http_answer`.
    One that is not `measured` is there for a lesson of its own: it has no images and no claims.
    """

    name: str
    title: str
    base: str
    port: int
    http_path: str
    http_answer: str
    measured: bool
    images: tuple[SampleImage, ...]
    claims: tuple[SampleClaim, ...]

    def image(self, role: Role) -> SampleImage:
        """Return the image in that role."""
        return next(one for one in self.images if one.role == role)


def samples() -> tuple[str, ...]:
    """Return the names of the sample projects, in the order of the course."""
    return _names(library())


def measured_samples() -> tuple[str, ...]:
    """Return the names of the sample projects that the main measurement measures, in the order of the course."""
    return tuple(name for name in samples() if sample_info(name).measured)


def sample_info(name: str) -> SampleInfo:
    """Return what the course knows about a sample project.

    Args:
        name: Its name, such as ``"my-api"``.

    Raises:
        SampleNotFound: There is none of that name; close names are offered.
    """
    raw = _metadata(original(name))
    http = raw["http"]
    return SampleInfo(
        name=name,
        title=raw["title"],
        base=raw["base"],
        port=http["port"],
        http_path=http["path"],
        http_answer=http["answer"],
        measured=raw.get("measured", True),
        images=tuple(_image(one) for one in raw.get("images", ())),
        claims=tuple(_claim(one) for one in raw.get("claims", ())),
    )


def original(name: str) -> Path:
    """Return the folder of a sample project as the course ships it. It is read, never written.

    Raises:
        SampleNotFound: There is none of that name.
    """
    # Only names from the list become paths, so no name leads elsewhere.
    if name not in samples():
        raise SampleNotFound(f"There is no sample project {name!r}.", hint=near_matches(str(name), samples()))
    return library() / name


def library() -> Path:
    """Return the folder of the originals: inside an installed package, else at the repository's root."""
    inside = _PACKAGE / "sample_projects"
    return inside if inside.is_dir() else _PACKAGE.parent / "sample_projects"


def checkout() -> Path | None:
    """Return the repository's root if this package runs from a checkout, else None."""
    root = _PACKAGE.parent
    return root if library().parent == root and (root / "pyproject.toml").is_file() else None


@functools.lru_cache(maxsize=4)
def _names(folder: Path) -> tuple[str, ...]:
    found = [(int(_metadata(path.parent)["order"]), path.parent.name) for path in folder.glob(f"*/{METADATA}")]
    return tuple(name for _, name in sorted(found))


def _metadata(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / METADATA).read_text(encoding="utf-8"))


def _image(raw: dict[str, Any]) -> SampleImage:
    return SampleImage(
        role=raw["role"],
        tag=raw["tag"],
        holds=raw["holds"],
        file=None if raw["role"] == "base" else raw.get("file", "Dockerfile"),
        target=raw.get("target"),
        command=tuple(raw["command"]) if "command" in raw else None,
        typical=raw.get("typical", ""),
        typical_bytes=raw.get("typical_bytes"),
    )


def _claim(raw: dict[str, Any]) -> SampleClaim:
    return SampleClaim(
        claim=raw["claim"],
        kind=raw["kind"],
        role=raw["role"],
        than=raw.get("than"),
        fraction=raw.get("fraction"),
        paths=tuple(raw.get("paths", ())),
    )
