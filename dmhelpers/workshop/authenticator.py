"""The hub's authenticator: the roster's logins and codes, and nobody else. Imported inside the hub only."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from traitlets import Unicode

from dmhelpers.workshop import roster


class RosterAuthenticator(Authenticator):  # type: ignore[misc]  # JupyterHub has no types
    """Lets in who is on the roster, with their own code."""

    roster_file = Unicode(config=True, help="The roster, as `dmhelpers workshop up` wrote it.")

    def validate_username(self, username: str) -> bool:
        """Say whether somebody is on the roster; a hub that starts forgets everybody else, sessions too."""
        return username in roster.load(Path(self.roster_file))

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:  # noqa: ARG002
        """Return the login if the code is its own, else None."""
        login, code = data.get("username", "").strip().lower(), data.get("password", "")
        people = roster.load(Path(self.roster_file))
        # Hashing is slow on purpose; the hub has others to answer meanwhile.
        admitted = await asyncio.get_running_loop().run_in_executor(None, roster.admits, people, login, code)
        return login if admitted else None
