"""`python -m dmhelpers.workshop.view`: what the hub starts as its service `progress`."""

from __future__ import annotations

import argparse
import errno
import functools
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dmhelpers.errors import DmHelpersError
from dmhelpers.workshop.view.grid import STUCK_MINUTES, STUCK_TRIES, Limits
from dmhelpers.workshop.view.reports import MOST_BYTES

if TYPE_CHECKING:
    from tornado.httpserver import HTTPServer

_PARENT_CHECK_S = 1.0
_PORT_LIMIT_S = 20.0


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until the process is ended; 1 where it cannot begin."""
    parser = argparse.ArgumentParser(prog="python -m dmhelpers.workshop.view", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the folder for the learners' progress")
    parser.add_argument("--stuck-tries", type=int, default=STUCK_TRIES, help=f"stuck from so many ({STUCK_TRIES})")
    parser.add_argument(
        "--stuck-minutes", type=float, default=STUCK_MINUTES, help=f"or so many minutes ({STUCK_MINUTES:g})"
    )
    parser.add_argument("--hub", type=int, default=os.getppid(), help="the hub's process; without it this one ends")
    given = parser.parse_args(argv)
    address = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", ""))
    if not address.hostname or not os.environ.get("JUPYTERHUB_API_TOKEN"):
        print(_NOT_BY_HAND, file=sys.stderr)  # noqa: T201  this is a command
        return 1
    try:
        limits = Limits(given.stuck_tries, given.stuck_minutes)
        _serve(given.state, limits, address.hostname, address.port or 80, hub=given.hub)
    except DmHelpersError as error:
        print(f"progress: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


_NOT_BY_HAND = """\
progress: this is a service of JupyterHub, which gives it its address and its token.
Add it to the hub's configuration: dmhelpers.workshop.view.config.hub_entries(...)."""


def _serve(state_folder: Path, limits: Limits, host: str, port: int, *, hub: int) -> None:
    from tornado.httpserver import HTTPServer
    from tornado.ioloop import IOLoop, PeriodicCallback
    from tornado.log import enable_pretty_logging

    from dmhelpers.workshop.view.service import application, prefix

    enable_pretty_logging()
    # A body that is too long is refused before it is in memory; half a request does not hold a connection for ever.
    server = HTTPServer(
        application(state_folder, limits=limits, prefix=prefix()),
        max_body_size=MOST_BYTES,
        max_header_size=MOST_BYTES,
        body_timeout=10,
        idle_connection_timeout=60,
    )
    _listen(server, host, port)
    PeriodicCallback(functools.partial(_end_without, hub), _PARENT_CHECK_S * 1000).start()
    IOLoop.current().start()


def _listen(server: HTTPServer, host: str, port: int) -> None:
    """Listen, once the service of an earlier hub has found out that its own is gone."""
    deadline = time.monotonic() + _PORT_LIMIT_S
    while True:
        try:
            server.listen(port, address=host)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _end_without(hub: int) -> None:
    """End this process if the hub that started it is gone: the next hub starts its own, on the same port."""
    if os.getppid() != hub:
        sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
