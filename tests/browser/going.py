"""Opening a page while containers come and go on the same machine."""

from __future__ import annotations

from typing import Any

TRIES = 5


def go(page: Any, address: str) -> Any:
    """Open an address and return the answer.

    Where containers come and go, their network interfaces do, and Chromium gives up what it is loading: then again.
    """
    from playwright.sync_api import Error

    for _ in range(TRIES - 1):
        try:
            return page.goto(address)
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in error.message:
                raise
    return page.goto(address)
