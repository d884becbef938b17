"""Where the course keeps its own files: the person's cache and state folders, never their projects."""

from __future__ import annotations

import os
from pathlib import Path

STATE = "DMHELPERS_STATE"
"""The environment variable that moves the state folder alone: `dmhelpers record` gives each notebook an empty one."""


def cache_folder() -> Path:
    """Return the folder for what can be downloaded or computed again; it need not exist yet.

    `DMHELPERS_HOME` moves it, with the state folder, to one place.
    """
    return _folder("cache")


def state_folder() -> Path:
    """Return the folder for what must outlive this process: the ledger, the engine that was started."""
    return _folder("state")


def _folder(kind: str) -> Path:
    from dmhelpers.engine import recorded

    replay = recorded.player()
    if kind == "state" and replay is not None:
        return replay.state_folder  # what a recording did was done on no engine of this person's
    if kind == "state" and os.environ.get(STATE):
        return Path(os.environ[STATE])
    home = os.environ.get("DMHELPERS_HOME")
    if home:
        return Path(home).expanduser() / kind
    import platformdirs  # lazily: `import dmhelpers` stays quick

    find = platformdirs.user_cache_path if kind == "cache" else platformdirs.user_state_path
    return find("dmhelpers", appauthor=False)
