"""The hub's spawner on a Swarm: a seat is a service that Swarm, not the hub, brings back. Only the hub imports it."""

from __future__ import annotations

import asyncio
from typing import Any

from dockerspawner import SwarmSpawner
from traitlets import Callable

_FAILED_FOR_GOOD = frozenset({"complete", "failed", "rejected", "shutdown", "remove"})


class SeatSpawner(SwarmSpawner):  # type: ignore[misc]  # it has no types
    """`SwarmSpawner` with a seat's mounts, and patience while a task, or the hub itself, moves to another node.

    SwarmSpawner takes every state of a task that it does not expect for the end of the server, and the hub then
    removes the service. While a node is being replaced, a task passes through such states.
    """

    seat_mounts = Callable(config=True, help="Returns a seat's mounts, in the Engine API's words, from its login.")

    @property
    def mounts(self) -> list[dict[str, Any]]:
        """The seat's mounts."""
        found: list[dict[str, Any]] = self.seat_mounts(self.user.name)
        return found

    async def pull_image(self, image: str) -> None:
        """Leave it to the node that the seat comes to: the hub's own engine need not have the image."""

    _started_here = False

    async def start(self) -> Any:
        """Start the seat, and remember that this hub did."""
        self._started_here = True
        return await super().start()

    def start_polling(self) -> None:
        """Look after the seat from now on; one that a new hub has found again gets its route at once.

        By itself the hub gives the routes when it has found the last one, or at its next round.
        """
        super().start_polling()
        if not self._started_here:
            self._route = asyncio.ensure_future(self._give_route())

    async def _give_route(self) -> None:
        try:
            await self.user.settings["proxy"].add_user(self.user, self.name)
        except Exception:
            self.log.debug("%s gets its route with the others", self._log_name, exc_info=True)

    async def poll(self) -> int | str | None:
        """Return None while the service is there and Swarm keeps a task of it going or coming; else what ended it."""
        if await self.get_object() is None:
            return 0
        tasks = await self.docker("tasks", filters={"service": self.service_name})
        # The newest is the one that Swarm wants to run; it starts another wherever that one ends.
        wanted = [one for one in tasks if one["DesiredState"] in {"running", "ready"}]
        if wanted or not tasks:
            return None
        newest = max(tasks, key=lambda one: str(one["CreatedAt"]))
        state = newest["Status"]["State"]
        return f"its task is {state}" if state in _FAILED_FOR_GOOD else None

    async def get_task(self) -> dict[str, Any] | None:
        """Return the newest task that Swarm wants to run, else the newest of all; None where the service is gone."""
        if await self.get_object() is None:
            return None
        tasks = await self.docker("tasks", filters={"service": self.service_name})
        wanted = [one for one in tasks if one["DesiredState"] in {"running", "ready"}] or tasks
        return max(wanted, key=lambda one: str(one["CreatedAt"]), default=None)
