"""The exercise's sentences, held against what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from dmhelpers.course.report import Claim
from dmhelpers.course.sample_info import Role, SampleClaim, SampleImage, SampleInfo
from dmhelpers.units import docker_size, percent

TOLERANCE = 0.15
"""How far a measured size may be from the exercise's typical figure and still agree with it."""


def verdicts(info: SampleInfo, sizes: Mapping[Role, int], files: Mapping[Role, frozenset[str]]) -> Iterator[Claim]:
    """Yield a verdict on every claim of a sample project, its typical sizes first.

    Args:
        info: The project.
        sizes: The unpacked bytes of each of its images.
        files: The absolute paths of the final filesystem, for the images whose claims speak of files.
    """
    for image in info.images:
        if image.typical_bytes is not None:
            yield _on_size(image, sizes[image.role], image.typical_bytes)
    for claim in info.claims:
        if claim.kind in ("smaller", "reduction"):
            yield _on_sizes(claim, sizes)
        else:
            yield _on_files(claim, files[claim.role])


def roles_to_read(info: SampleInfo) -> frozenset[Role]:
    """Return the roles whose files the project's claims speak of."""
    return frozenset(claim.role for claim in info.claims if claim.kind in ("present", "absent"))


def _on_size(image: SampleImage, size_bytes: int, typical_bytes: int) -> Claim:
    if image.typical.endswith("+"):
        holds = size_bytes >= typical_bytes
        expected = image.typical
    else:
        holds = abs(size_bytes - typical_bytes) <= TOLERANCE * typical_bytes
        expected = f"{image.typical} (within {percent(TOLERANCE, digits=0)})"
    return Claim(f"{image.tag} typically weighs {image.typical}", expected, docker_size(size_bytes), holds)


def _on_sizes(claim: SampleClaim, sizes: Mapping[Role, int]) -> Claim:
    assert claim.than is not None  # noqa: S101  a test holds every sample.toml to it
    size, other = sizes[claim.role], sizes[claim.than]
    if claim.kind == "smaller":
        expected = f"below {docker_size(other)}"
        return Claim(claim.claim, expected, docker_size(size), size < other)
    least, fraction = claim.fraction or 0.0, 1 - size / other
    return Claim(
        claim.claim, f"at least {percent(least, digits=0)} less", f"{percent(fraction)} less", fraction >= least
    )


def _on_files(claim: SampleClaim, files: frozenset[str]) -> Claim:
    found = {pattern: sum(fnmatchcase(path, pattern) for path in files) for pattern in claim.paths}
    if claim.kind == "absent":
        return Claim(claim.claim, "no such file", _counted(sum(found.values())), not any(found.values()))
    missing = [pattern for pattern, count in found.items() if not count]
    measured = f"missing: {', '.join(missing)}" if missing else _counted(sum(found.values()))
    return Claim(claim.claim, "it is there", measured, not missing)


def _counted(count: int) -> str:
    return {0: "no such file", 1: "1 file"}.get(count, f"{count} files")
