"""The JupyterHub service: learners report with their own token, instructors look, and nobody else does."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated
from jupyterhub.utils import url_path_join
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler, authenticated

from dmhelpers.workshop.view import page, reports
from dmhelpers.workshop.view.board import Board
from dmhelpers.workshop.view.grid import Limits, as_csv
from dmhelpers.workshop.view.store import Store
from dmhelpers.workshop.view.turns import Turns

STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
_TOKEN = re.compile(r"(?:token|bearer) +([\x21-\x7e]{1,512})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Room:
    """What the handlers share: the rows, what is shown of them, when somebody is stuck, whose turn it is."""

    store: Store
    board: Board
    limits: Limits
    turns: Turns


def application(state_folder: Path, *, limits: Limits, prefix: str) -> Application:
    """Return the service below its prefix, such as ``/services/progress/``.

    Raises:
        InputError: The state folder cannot be written to.
    """
    store = Store(state_folder / "progress.sqlite")
    room = {"room": Room(store, Board(store, limits), limits, Turns())}
    routes: list[tuple[str, type[RequestHandler], dict[str, Any]]] = [
        ("", PageHandler, room),
        ("table", TableHandler, room),
        (r"progress\.csv", CsvHandler, room),
        ("clear", ClearHandler, room),
        ("api/report", ReportHandler, room),
        ("oauth_callback", HubOAuthCallbackHandler, {}),
        (r"static/(view\.(?:css|js))", AssetHandler, {"path": str(STATIC)}),
    ]
    return Application(
        [(re.escape(prefix) + path, handler, given) for path, handler, given in routes],
        cookie_secret=cookie_secret(state_folder / "cookie_secret"),
        xsrf_cookies=True,
        compress_response=True,
    )


def cookie_secret(path: Path) -> bytes:
    """Return the key that signs cookies; kept, so that an open page lives through a restart of the service."""
    path.touch(mode=0o600)
    found = path.read_bytes()
    if len(found) < 32:
        found = os.urandom(32)
        path.write_bytes(found)
    return found


class Handler(RequestHandler):
    """A handler of this service: every answer has the headers that let a page load nothing from elsewhere."""

    def initialize(self, room: Room) -> None:
        """Take what all handlers share."""
        self.room = room

    def set_default_headers(self) -> None:
        """Set them."""
        for name, value in HEADERS.items():
            self.set_header(name, value)


class AssetHandler(StaticFileHandler):
    """The page's style and script, for anybody: there is nothing of a learner in them."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002  tornado calls it so
        """Set the headers of this service."""
        for name, value in HEADERS.items():
            self.set_header(name, value)


class InstructorHandler(HubOAuthenticated, Handler):  # type: ignore[misc]
    """What only those may see whom the hub gives access to this service, by the role `progress-reader`."""

    async def prepare(self) -> None:
        """Ask the hub who this is without holding up everybody else; the answer is kept for this request."""
        await self.hub_auth.get_user(self, sync=False)

    def everything(self) -> bool:
        """Say whether notebooks that nobody opened are to be shown."""
        return bool(self.get_query_argument("all", "") == "1")


class PageHandler(InstructorHandler):
    """The page."""

    @authenticated
    def get(self) -> None:
        """Answer with it, or send the browser to the hub's log-in."""
        made = page.page(
            self.room.board.table(everything=self.everything()) or "",
            limits=self.room.limits,
            everything=self.everything(),
            xsrf_field=self.xsrf_form_html(),
        )
        self.finish(made)


class PartHandler(InstructorHandler):
    """What the page asks for while it stands open: refused, and not sent to a log-in, where nobody is logged in."""

    def get_login_url(self) -> str:
        """Refuse."""
        raise HTTPError(HTTPStatus.FORBIDDEN)


class TableHandler(PartHandler):
    """What is refreshed, without the rows that the page has; 204 where it has all."""

    @authenticated
    def get(self) -> None:
        """Answer with it."""
        self.set_header("Cache-Control", "no-store")
        since = self.get_query_argument("since", "")
        made = self.room.board.table(everything=self.everything(), since=since)
        if made is None:
            self.set_status(HTTPStatus.NO_CONTENT)
        self.finish(made)


class CsvHandler(PartHandler):
    """Everything, for a spreadsheet."""

    @authenticated
    def get(self) -> None:
        """Answer with it."""
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="progress-{time.strftime("%Y-%m-%d")}.csv"')
        self.finish(as_csv(self.room.board.grid()))


class ClearHandler(PartHandler):
    """The end of a workshop."""

    @authenticated
    def post(self) -> None:
        """Delete all rows and show the page again."""
        self.room.store.clear()
        self.redirect("./")


class ReportHandler(Handler):
    """What learners' kernels report. The row is that of the token's owner: nobody can report for another."""

    def check_xsrf_cookie(self) -> None:
        """Look at no cookie: only a token in a header counts here, and no foreign page can send that."""

    async def post(self) -> None:
        """Take a report, and answer with what stands beside it on the page."""
        name = await self._learner()
        now = time.time()
        try:
            report = reports.read(self.request.body, now=now)
        except reports.BadReport as reason:
            raise HTTPError(HTTPStatus.BAD_REQUEST, "%s", str(reason), reason=f"Bad report: {reason}") from reason
        self.finish({"label": self.room.store.put(name, report, now=now).label})

    async def delete(self) -> None:
        """Forget this learner, whose messages that are still on their way are then not taken."""
        name = await self._learner()
        self.room.store.remove(name)
        self.room.turns.close(name)
        self.finish({"label": ""})

    async def _learner(self) -> str:
        found = _TOKEN.fullmatch(self.request.headers.get("Authorization", ""))
        model = await _hub_auth().user_for_token(found[1], sync=False) if found else None
        if not model or model.get("kind") != "user":
            raise HTTPError(HTTPStatus.FORBIDDEN)
        name = str(model["name"])
        if not self.room.turns.take(name):
            self.set_header("Retry-After", "1")
            raise HTTPError(HTTPStatus.TOO_MANY_REQUESTS)
        return name


def _hub_auth() -> HubOAuth:
    return cast("HubOAuth", HubOAuth.instance())


def prefix() -> str:
    """Return the service's prefix below the hub, which the hub sets in its environment."""
    return str(url_path_join(os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/services/progress/"), "/"))
