"""The person's current Docker context: where the engine is when `DOCKER_HOST` does not say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dmhelpers.errors import EngineUnavailable

if TYPE_CHECKING:
    from docker.context import Context


def current_context() -> Context | None:
    """Return the person's current Docker context, or None for the default one."""
    name = os.environ.get("DOCKER_CONTEXT")
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if not name and not config.is_file():
        return None
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    try:
        name = name or get_current_context_name()
        context = ContextAPI.get_context(name)
    except PermissionError as error:
        raise EngineUnavailable(
            f"You may not read Docker's settings at {str(config)!r}; `sudo docker login` leaves them to root.",
            hint=f"Take them back: sudo chown -R $USER {str(config.parent)!r}",
        ) from error
    if context is None:
        raise EngineUnavailable(
            f"The Docker context {name!r} does not exist.",
            hint="List the contexts with `docker context ls` and choose one with `docker context use NAME`.",
        )
    return None if context.Name == "default" else context
