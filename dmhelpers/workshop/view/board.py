"""The page's refreshed part for pages that have an earlier one: only what changed since, if anything did."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

from dmhelpers.workshop.view import page
from dmhelpers.workshop.view.grid import Grid, Limits, grid
from dmhelpers.workshop.view.store import Store

_VERSION = re.compile(r"([0-9a-f]{8})\.([0-9]{1,15})")


class Board:
    """The grid as it was last looked at, and when each row of it changed.

    A version is ``<era>.<number>``. The number grows with each change; a new era begins where an earlier page cannot
    be mended with changed rows: a row is gone, or the service was started again.

    Args:
        store: The learners' rows.
        limits: When somebody counts as stuck.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self._store, self._limits, self._clock = store, limits, clock
        self._grid = grid((), now=0.0, limits=limits)
        self._summary = ""
        self._opened: tuple[int, ...] = ()
        self._number, self._opened_at = 0, 0
        self._changed_at: dict[int, int] = {}
        self._era = ""

    @property
    def version(self) -> str:
        """What the grid was last looked at as; a page that has it needs to be told only what changed later."""
        return f"{self._era}.{self._number}"

    def grid(self) -> Grid:
        """Return the grid as it is now."""
        before, self._grid = self._grid, self._now()
        numbers = [row.number for row in before.rows]
        if not self._era or [row.number for row in self._grid.rows[: len(numbers)]] != numbers:
            self._era = secrets.token_hex(4)
        known = {id(row) for row in before.rows}
        changed = [row.number for row in self._grid.rows if id(row) not in known]
        summary = page.summary(self._grid)
        if changed or summary != self._summary:
            self._number, self._summary = self._number + 1, summary
            self._changed_at.update(dict.fromkeys(changed, self._number))
        if changed or len(self._grid.rows) < len(numbers):
            self._note_columns()
        return self._grid

    def table(self, *, everything: bool, since: str = "") -> str | None:
        """Return what is refreshed.

        Args:
            everything: Whether notebooks that nobody opened are shown too.
            since: The version that the page has, under the same `everything`.

        Returns:
            All of it, or with only those rows that changed since; None where nothing did.
        """
        found, version = self.grid(), self.version
        if since == version:
            return None
        shown = tuple(range(len(found.columns))) if everything else self._opened
        known = _VERSION.fullmatch(since)
        oldest = 0 if everything else self._opened_at
        if known is None or known[1] != self._era or not oldest <= int(known[2]) <= self._number:
            return page.table(found, shown, version=version)
        changed = [row for row in found.rows if self._changed_at[row.number] > int(known[2])]
        return page.table(found, shown, version=version, changed=changed)

    def _now(self) -> Grid:
        return grid(self._store.learners(), now=self._clock(), limits=self._limits, before=self._grid)

    def _note_columns(self) -> None:
        opened = page.opened_columns(self._grid)
        if opened != self._opened:
            self._opened, self._opened_at = opened, self._number
