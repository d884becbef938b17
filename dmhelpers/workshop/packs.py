"""The pack in a workshop: whether it brings packages, and the mirror that hands them to the learners' builds."""

from __future__ import annotations

import sys
from pathlib import Path

from dmhelpers.errors import PackError
from dmhelpers.workshop.settings import Workshop


def has_packages(pack: str) -> bool:
    """Tell whether a file is a pack of the course's, with packages in it, and not a plain archive of images."""
    from dmhelpers.engine.pack.archive import opened

    if not pack:
        return False
    try:
        with opened(Path(pack)):
            return True
    except PackError:
        return False


def mirror_command(workshop: Workshop) -> list[str]:
    """Return the command line of the mirror."""
    place = ["--address", workshop.hub_address, "--port", str(workshop.mirror_port)]
    return [sys.executable, "-m", "dmhelpers", "pack", "serve", *place, workshop.pack]
