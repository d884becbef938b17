"""How much longer to wait than usual. Thirty engines on two processors are slow, not stuck."""

from __future__ import annotations

import os

VARIABLE = "DMHELPERS_PATIENCE"
"""The environment variable with the factor; a workshop's seats have it set."""


def patient(limit_s: float) -> float:
    """Return a time limit stretched by the factor of `DMHELPERS_PATIENCE`; as it is where that is none from 1 on."""
    try:
        factor = float(os.environ.get(VARIABLE, "1"))
    except ValueError:
        return limit_s
    return limit_s * factor if 1 <= factor <= 100 else limit_s
