"""How often one learner may report: a burst, then once a second, so that nobody's loop keeps the others waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

BURST = 10
REFILL_S = 1.0
CLOSED_S = 5.0


@dataclass(slots=True)
class _Purse:
    left: float
    since: float


@dataclass(slots=True)
class Turns:
    """A purse of turns for each learner, which fills up again with time.

    Args:
        clock: Seconds that only grow.
    """

    clock: Callable[[], float] = time.monotonic
    _purses: dict[str, _Purse] = field(default_factory=dict)

    def take(self, name: str) -> bool:
        """Take a turn and say whether there was one."""
        now = self.clock()
        purse = self._purses.setdefault(name, _Purse(BURST, now))
        purse.left = min(BURST, purse.left + max(0.0, now - purse.since) / REFILL_S)
        purse.since = max(purse.since, now)
        if purse.left < 1 or now < purse.since:
            return False
        purse.left -= 1
        return True

    def close(self, name: str) -> None:
        """Give this learner no turn for longer than a message can be on its way."""
        self._purses[name] = _Purse(1.0, self.clock() + CLOSED_S)
