"""What a build of a copy does again after one source file was edited."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dmhelpers.course.checks.records import Look, NotYet
from dmhelpers.course.checks.trials import tried
from dmhelpers.measure.built import Built
from dmhelpers.measure.records import Step

_INSTALL = re.compile(r"\bnpm\s+(?:ci|install|i|clean-install)\b")


@dataclass(frozen=True, slots=True)
class Edited:
    """A build after the edit: the installs that ran again, and the files of the image's WORKDIR with their bytes."""

    installed_again: tuple[Step, ...]
    files: Mapping[str, int]


def look_at_edit(look: Look, folder: Path, built: Built, source: str) -> Edited:
    """Edit a source in a copy of the project, build it, and note whether npm's install came from the cache.

    Raises:
        NotYet: The copy has no such file, or no step of its Dockerfile installs packages.
    """
    if not (folder / source).is_file():
        raise NotYet(f"the project has no {source}")
    known = _installs(_steps(folder, built))
    look.need(bool(known), "a step that installs the packages", "no step of it runs npm ci")
    return _after_an_edit(folder, built, source)


def note_install(look: Look, edited: Edited, source: str) -> None:
    """Note whether the install of the packages came from the cache after the edit."""
    lines = ", ".join(f"line {one.line}" for one in edited.installed_again)
    look.expect(
        not edited.installed_again,
        "npm ci comes from the build cache after that change",
        f"after a change of {source} alone, npm ci ran again ({lines}): what is copied before it has changed",
    )


def note_compiled(look: Look, edited: Edited, before: Mapping[str, int], compiled: str, source: str) -> None:
    """Note whether the edit reached the image: the compiled file's bytes there differ from those before it."""
    look.expect(
        edited.files.get(compiled) != before.get(compiled),
        f"a changed {source} is compiled again",
        f"a changed {source} does not reach the image: the sources are not copied before they are compiled",
    )


def _after_an_edit(folder: Path, built: Built, name: str) -> Edited:
    source = folder / name
    original = source.read_text(encoding="utf-8")
    for _ in range(2):
        source.write_text(f'{original}\nconsole.log("changed by the check {uuid.uuid4().hex}");\n', encoding="utf-8")
        with tried(folder, built, target=built.target) as trial:
            again = tuple(one for one in _installs(trial.record.steps) if one.state != "cached")
            files = trial.image.files()
        if not again:
            break
        # The engine may have dropped the layer in the meantime. Then it is gone for the unchanged source too.
        source.write_text(original, encoding="utf-8")
        if all(one.state == "cached" for one in _installs(_steps(folder, built))):
            break
    return Edited(again, files)


def _steps(folder: Path, built: Built) -> tuple[Step, ...]:
    with tried(folder, built, target=built.target) as trial:
        return trial.record.steps


def _installs(steps: tuple[Step, ...]) -> list[Step]:
    return [one for one in steps if _INSTALL.search(one.instruction)]
