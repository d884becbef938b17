"""How codes are checked when many come at once: on a thread of their own, and only so many in line."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from dmhelpers.workshop import roster
from dmhelpers.workshop.roster import Learner

OF_A_LOGIN_FROM_AN_ADDRESS = 2
OF_A_LOGIN = 8
OFF_THE_ROSTER = 8
"""How many tries may wait at a time. Nothing is locked: a place is free again as soon as its try is answered."""


class Turnstile:
    """Checks logins and codes, so that no flood of wrong ones costs more than one thread or keeps the others out.

    Who floods a login takes that login's places only. Whoever came in before does not wait at all: their code is
    known again, by a digest under a key that this process alone has.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="codes")
        self._waiting: Counter[tuple[str, ...]] = Counter()
        self._key = secrets.token_bytes(32)
        self._known: dict[str, tuple[str, bytes]] = {}

    async def admits(self, people: Mapping[str, Learner], login: str, code: str, address: str) -> bool | None:
        """Tell whether this login and code belong together.

        Args:
            people: The roster.
            login: The login.
            code: The code.
            address: Where the try came from.

        Returns:
            None where too many tries wait already, for this login or off the roster: it was not looked at.
        """
        digest = hmac.digest(self._key, code.strip().lower().encode("utf-8", "replace"), hashlib.sha256)
        learner = people.get(login)
        code_hash, known = self._known.get(login, ("", b""))
        if learner and learner.code_hash == code_hash and hmac.compare_digest(known, digest):
            return True
        with self._place(login if learner else "", address) as free:
            if not free:
                return None
            # Hashing is slow on purpose; the hub has others to answer meanwhile.
            loop = asyncio.get_running_loop()
            admitted = await loop.run_in_executor(self._thread, roster.admits, people, login, code)
        if admitted and learner:
            self._known[login] = (learner.code_hash, digest)
        return admitted

    @contextmanager
    def _place(self, login: str, address: str) -> Iterator[bool]:
        most: dict[tuple[str, ...], int] = {(login,): OF_A_LOGIN if login else OFF_THE_ROSTER}
        if login:
            most[login, address] = OF_A_LOGIN_FROM_AN_ADDRESS
        if any(self._waiting[key] >= limit for key, limit in most.items()):
            yield False
            return
        self._waiting.update(most.keys())
        try:
            yield True
        finally:
            self._waiting.subtract(most.keys())
            self._waiting = +self._waiting
