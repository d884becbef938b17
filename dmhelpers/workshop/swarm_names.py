"""Names that move: on a Swarm the hub or a seat has another address wherever it starts again.

JupyterHub asks for names through aiohttp, which takes c-ares where it can, and c-ares keeps an answer as long as the
answer says: 600 seconds from Docker. So long a hub would look for a seat, and a seat for the hub, where none is.

`python -m dmhelpers.workshop.swarm_names` is ``jupyterhub-singleuser`` that does not.
"""

from __future__ import annotations

import sys


def ask_anew() -> None:
    """Have this process ask the system's resolver, which keeps nothing; aiohttp keeps an answer for 10 seconds."""
    from importlib import import_module
    from typing import Any

    connector: Any = import_module("aiohttp.connector")
    connector.DefaultResolver = import_module("aiohttp.resolver").ThreadedResolver  # there is no setting for it


if __name__ == "__main__":
    ask_anew()
    from jupyterhub.singleuser import main

    sys.exit(main())
