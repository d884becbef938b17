"""The hub's authenticator: the roster's logins and codes, and nobody else. Imported inside the hub only."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from tornado.web import HTTPError
from traitlets import Unicode

from dmhelpers.workshop import hub_bounds, roster
from dmhelpers.workshop.turnstile import Turnstile

_CROWDED = "Too many are logging in at this moment. Wait a few seconds, then try again."


class RosterAuthenticator(Authenticator):  # type: ignore[misc]  # JupyterHub has no types
    """Lets in who is on the roster, with their own code."""

    roster_file = Unicode(config=True, help="The roster, as `dmhelpers workshop up` wrote it.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._turnstile = Turnstile()

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:
        """Return JupyterHub's own handlers, before them those that bound what a person leaves in its database."""
        return [*hub_bounds.HANDLERS, *super().get_handlers(app)]

    def validate_username(self, username: str) -> bool:
        """Say whether somebody is on the roster; a hub that starts forgets everybody else, sessions too."""
        return username in roster.load(Path(self.roster_file))

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """Return the login if the code is its own, else None.

        Raises:
            HTTPError: Too many tries wait; the login page shows its words.
        """
        login, code = data.get("username", "").strip().lower(), data.get("password", "")
        people = roster.load(Path(self.roster_file))
        admitted = await self._turnstile.admits(people, login, code, str(handler.request.remote_ip))
        if admitted is None:
            raise HTTPError(HTTPStatus.TOO_MANY_REQUESTS, _CROWDED)
        return login if admitted else None
