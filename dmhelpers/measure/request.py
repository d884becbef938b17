"""What a build was asked for: checked before anything runs, and told as the command a person would type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dmhelpers.engine.client import endpoint
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import InputError

_TAG = re.compile(
    r"(?P<name>(?:[A-Za-z0-9][A-Za-z0-9.-]*:\d+/)?"  # a registry with its port
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)(?::(?P<tag>\w[\w.-]{0,127}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One build as it was asked for; `folder` is the build context, `target` None for the last stage."""

    folder: Path
    file: str
    tag: str
    target: str | None
    build_args: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False
    rerun: Sequence[str] = ()

    def shown_command(self) -> str:
        """Return the `docker build` command that a person in the project's folder would type for this."""
        args = ["docker", "build", *self._common()]
        if self.file != "Dockerfile":
            args += ["-f", self.file]
        return shlex.join([*args, "-t", self.tag, "."])

    def client_args(self, *, metadata_file: Path, build_contexts: Mapping[str, str]) -> list[str]:
        """Return the arguments after `docker` that run it.

        Args:
            metadata_file: Where buildx writes what it knows of the result.
            build_contexts: Names of base images to replace, each with what stands in for it.
        """
        args = ["buildx", "build", "--builder", endpoint().context, "--progress=rawjson", "--provenance=false"]
        args += [f"--metadata-file={metadata_file}", f"--file={self.folder / self.file}", f"--tag={self.tag}"]
        args += [f"--label={name}={value}" for name, value in COURSE_LABELS.items()]
        args += [f"--build-context={name}={source}" for name, source in build_contexts.items()]
        return [*args, *self._common(), "--", str(self.folder)]

    def _common(self) -> list[str]:
        args = [] if self.target is None else ["--target", self.target]
        for name, value in self.build_args.items():
            args += ["--build-arg", f"{name}={value}"]
        if self.no_cache:
            args.append("--no-cache")
        for stage in self.rerun:
            args += ["--no-cache-filter", stage]
        return args


def full_tag(tag: str | None, folder: Path) -> str:
    """Return the tag as Docker writes it in full, ``name:latest`` where no tag was given.

    Args:
        tag: What was asked for; None takes the folder's name.
        folder: The project's folder.

    Raises:
        InputError: It cannot be an image's name.
    """
    wanted = tag if tag is not None else re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "project"
    found = _TAG.fullmatch(wanted)
    if found is None:
        raise InputError(
            f"{wanted!r} cannot be the name of an image.",
            hint="Use lower-case letters, digits and dashes, then perhaps a colon and a tag: my-api:latest",
        )
    return wanted if found["tag"] else f"{wanted}:latest"
