"""Which cell asks: how a recording finds its notebook where nobody says which one is open."""

from __future__ import annotations

import hashlib
import sys


def current() -> str | None:
    """Return a digest of the cell that runs now, None outside of notebooks."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return None
    entered = shell.user_ns.get("In") or [""]
    return hashlib.sha256(str(entered[-1]).strip().encode()).hexdigest()[:16]
