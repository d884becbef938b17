"""What is known of a build that failed, before it is put into words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.records import Instruction, Stage

_EXCERPT = re.compile(r"^\s*\d+ \| ")


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a failed build: BuildKit's last words, what the step printed, where it stands."""

    error: str
    printed: str
    log: str
    dockerfile: Dockerfile
    stage: Stage | None
    instruction: Instruction | None
    exit_code: int | None
    cached_install: int | None
    sending: bool

    @property
    def reason(self) -> str:
        """BuildKit's last words without the excerpt of the Dockerfile."""
        return "\n".join(line for line in self.error.splitlines() if not _EXCERPT.match(line))

    @property
    def where(self) -> str:
        """The place as a person names it: "line 12 (stage builder)"."""
        if self.instruction is None:
            return self.dockerfile.path.name
        stage = f" (stage {self.stage.label})" if self.stage else ""
        return f"{self.dockerfile.path.name} line {self.instruction.line}{stage}"
