"""What the course says when the engine is away, out of reach or unwilling, and what to do about it."""

from __future__ import annotations

import errno
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dmhelpers.errors import EngineRefused, EngineUnavailable

if TYPE_CHECKING:
    import docker.errors

    from dmhelpers.engine.client import Endpoint

NO_CLI = "There is no `docker` command on this machine."


def no_cli_hint() -> str:
    """Return the next step for a machine without Docker."""
    if sys.platform == "darwin":
        return "Install and start Docker Desktop (or Colima, OrbStack), then run: dmhelpers doctor"
    if os.name == "nt":
        return "Install Docker Desktop with its WSL 2 backend, start it, then run: dmhelpers doctor"
    if _is_root():
        return "Install and start one with: dmhelpers engine up"
    return f"Install and start one with: {_as_root()} engine up  (or ask your administrator for Docker Engine)"


def no_engine_hint() -> str:
    """Return the next step where the command is there but no engine answers."""
    if sys.platform == "darwin" or os.name == "nt":
        return "Start Docker Desktop, wait until it says that the engine is running, then run: dmhelpers doctor"
    if _is_root():
        return "Start it with: dmhelpers engine up"
    return f"Start it with: {_as_root()} engine up  (or: sudo systemctl start docker)"


def no_permission_hint() -> str:
    """Return the next step where the socket may not be opened."""
    return (
        f"Let your account use it: sudo usermod -aG docker {getpass.getuser()}, then log out and in again. "
        "Know that this equals root on this machine."
    )


def unavailable(endpoint: Endpoint, error: Exception) -> EngineUnavailable:
    """Return the course's error for an engine that did not answer.

    Args:
        endpoint: Where it was looked for.
        error: What the attempt ended with.
    """
    where = f"{shown_host(endpoint.host)} ({endpoint.source})"
    if _has_errno(error, errno.EACCES, errno.EPERM):
        return EngineUnavailable(
            f"You may not open the engine's socket {where}: permission denied.", hint=no_permission_hint()
        )
    if endpoint.source == "standard socket":
        return EngineUnavailable(f"No Docker Engine answers at {where}.", hint=no_engine_hint())
    return EngineUnavailable(
        f"No Docker Engine answers at {where}.",
        hint="Start that engine, or unset DOCKER_HOST / run `docker context use default` to use the local one.",
    )


def refused(error: docker.errors.APIError) -> EngineRefused:
    """Return the course's error for a request that the engine turned down."""
    text = str(error.explanation or error)
    return EngineRefused(f"The engine refused a request: {text}", hint=command_hint(text))


def command_hint(text: str) -> str:
    """Return what to do about an engine's or a command's own words."""
    lowered = text.lower()
    if "permission denied" in lowered and "sock" in lowered:
        return no_permission_hint()
    if "cannot connect to the docker daemon" in lowered or "connection refused" in lowered:
        return no_engine_hint()
    if "no space left on device" in lowered:
        return "The engine's disk is full. See what takes the space: docker system df. Then run: dmhelpers cleanup"
    return "See what is wrong with: dmhelpers doctor"


def _as_root() -> str:
    # `sudo` has a PATH of its own, on which a project's environment does not stand.
    own = Path(sys.executable).with_name("dmhelpers")
    return f"sudo {own}" if own.is_file() else "sudo dmhelpers"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def shown_host(host: str) -> str:
    """Return an engine's address without the user name and password that it may carry."""
    scheme, separator, rest = host.partition("://")
    return f"{scheme}{separator}{rest.rsplit('@', 1)[-1]}"


def _has_errno(error: BaseException | None, *numbers: int) -> bool:
    """Look through the chain of causes, and the arguments that urllib3 hides them in."""
    seen: set[int] = set()
    stack = [error]
    while stack:
        one = stack.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and one.errno in numbers:
            return True
        stack += [
            one.__cause__,
            one.__context__,
            *(arg for arg in one.args if isinstance(arg, BaseException)),
        ]
        stack.append(
            getattr(one, "reason", None) if isinstance(getattr(one, "reason", None), BaseException) else None
        )
    return False
