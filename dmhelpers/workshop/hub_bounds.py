"""How much a learner can make the hub keep: the length of a request and of a column, the number of tokens.

The hub's database is on the machine's own disk, where no learner's quota holds. Imported inside the hub only.
"""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from jupyterhub import orm
from jupyterhub.apihandlers.auth import OAuthAuthorizeHandler
from jupyterhub.apihandlers.users import UserTokenListAPIHandler
from jupyterhub.user import User
from sqlalchemy import Unicode, event
from tornado.httpserver import HTTPServer
from tornado.web import HTTPError

BODY_BYTES = 64 * 1024
"""The longest request: what the hub is sent is a login, a token's name or a seat's options."""

TOKEN_BODY_BYTES = 4 * 1024
TOKENS = 20
"""How many tokens a person may have of those that they ask for by name, the one of their own seat among them."""

LOGINS = 50
"""How many tokens and codes are kept of those that a seat or the view gets when somebody opens it in a browser."""

_TOKEN_LIFE_S = 86400
_BODY_TIMEOUT_S = 60


def hold(c: Any) -> None:
    """Set the bounds, for this process and in JupyterHub's configuration."""
    c.JupyterHub.token_expires_in_max_seconds = _TOKEN_LIFE_S
    # JupyterHub has no setting for it; this is tornado's own way to give every server a default.
    HTTPServer.configure(None, max_body_size=BODY_BYTES, body_timeout=_BODY_TIMEOUT_S)
    _hold_lengths()


@cache
def _hold_lengths() -> None:
    """Cut each text to its column's length, which SQLite does not hold: a note, a session's ID out of a cookie."""
    for mapper in orm.Base.registry.mappers:
        for attribute in mapper.column_attrs:
            kind = attribute.columns[0].type
            if isinstance(kind, Unicode) and kind.length:
                event.listen(getattr(mapper.class_, attribute.key), "set", _cut_to(kind.length), retval=True)


def _cut_to(length: int) -> Any:
    def cut(_target: Any, value: Any, _old: Any, _initiator: Any) -> Any:
        return value[:length] if isinstance(value, str) else value

    return cut


class FewTokens(UserTokenListAPIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """JupyterHub's own handler of a person's tokens, for short requests of people who have few."""

    async def post(self, user_name: str) -> None:
        """Make a token, unless there are many."""
        if len(self.request.body) > TOKEN_BODY_BYTES:
            raise HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "A token needs a short note only.")
        user = self.find_user(user_name)
        if user and _named(self.db, user.id).count() >= TOKENS:
            raise HTTPError(HTTPStatus.FORBIDDEN, f"You have {TOKENS} tokens. Revoke one, then ask again.")
        await super().post(user_name)


class FewLogins(OAuthAuthorizeHandler):  # type: ignore[misc]
    """JupyterHub's own handler that lets a browser into a seat; with too many such logins, the oldest end."""

    async def get(self) -> None:
        """Let the browser in, or ask first."""
        self._end_oldest()
        await super().get()

    def post(self) -> None:
        """Let the browser in, after it was asked."""
        self._end_oldest()
        super().post()

    def _end_oldest(self) -> None:
        user = self.current_user
        if not isinstance(user, User):
            return
        tokens = self.db.query(orm.APIToken).filter_by(user_id=user.id).filter(orm.APIToken.client_id != "jupyterhub")
        codes = self.db.query(orm.OAuthCode).filter_by(user_id=user.id)
        for kept, made in ((orm.APIToken.id, tokens), (orm.OAuthCode.id, codes)):
            for one in made.order_by(kept.desc()).offset(LOGINS - 1):
                self.db.delete(one)
        self.db.commit()


def _named(db: Any, user_id: int) -> Any:
    return db.query(orm.APIToken).filter_by(user_id=user_id, client_id="jupyterhub")


HANDLERS = [(r"/api/users/([^/]+)/tokens", FewTokens), (r"/api/oauth2/authorize", FewLogins)]
"""What comes before JupyterHub's own handlers, at the same addresses."""
