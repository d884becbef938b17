"""`python -m dmhelpers.workshop.view`: what the hub starts as its service `progress`."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from dmhelpers.errors import DmHelpersError
from dmhelpers.workshop.view.grid import STUCK_MINUTES, STUCK_TRIES, Limits
from dmhelpers.workshop.view.reports import MOST_BYTES

_PARENT_CHECK_S = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until the process is ended; 1 where it cannot begin."""
    parser = argparse.ArgumentParser(prog="python -m dmhelpers.workshop.view", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the folder for the learners' progress")
    parser.add_argument("--stuck-tries", type=int, default=STUCK_TRIES, help=f"stuck from so many ({STUCK_TRIES})")
    parser.add_argument(
        "--stuck-minutes", type=float, default=STUCK_MINUTES, help=f"or so many minutes ({STUCK_MINUTES:g})"
    )
    given = parser.parse_args(argv)
    address = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", ""))
    if not address.hostname or not os.environ.get("JUPYTERHUB_API_TOKEN"):
        print(_NOT_BY_HAND, file=sys.stderr)  # noqa: T201  this is a command
        return 1
    try:
        _serve(given.state, Limits(given.stuck_tries, given.stuck_minutes), address.hostname, address.port or 80)
    except DmHelpersError as error:
        print(f"progress: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


_NOT_BY_HAND = """\
progress: this is a service of JupyterHub, which gives it its address and its token.
Add it to the hub's configuration: dmhelpers.workshop.view.config.hub_entries(...)."""


def _serve(state_folder: Path, limits: Limits, host: str, port: int) -> None:
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
    server.listen(port, address=host)
    PeriodicCallback(functools.partial(_end_without, os.getppid()), _PARENT_CHECK_S * 1000).start()
    IOLoop.current().start()


def _end_without(hub: int) -> None:
    """End this process if the hub that started it is gone: the next hub starts its own, on the same port."""
    if os.getppid() != hub:
        sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
