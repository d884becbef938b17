"""The life of a container: labelled, bounded, in the ledger while it is there, and always removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from dmhelpers.engine import ledger
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import ImageNotFound

# A container prints to the disk of the engine first: bounded there too, and readable whatever its default is.
_BOUNDED_LOG = {"Type": "json-file", "Config": {"max-size": "8m", "max-file": "2"}}
NO_LOG = {"Type": "none", "Config": {}}
"""What a container is created with whose output is taken as it is printed."""


@contextmanager
def unstarted(image: str) -> Iterator[str]:
    """Create a container of an image that is never started, to read files through, and remove it afterwards.

    Args:
        image: The image's name or ID.

    Yields:
        The container's ID.

    Raises:
        ImageNotFound: The engine has no such image.
    """
    # An image need not have a command of its own, a container must.
    with created(image, ["-"], None, {}) as container_id:
        yield container_id


@contextmanager
def created(
    image: str,
    command: Sequence[str] | None,
    environment: Mapping[str, str] | None,
    host_settings: Mapping[str, Any],
    ports: Sequence[int] = (),
) -> Iterator[str]:
    """Create a container, give its ID, and remove it at the end of the block, whatever happens in it.

    Args:
        image: The image's name or ID.
        command: What it is to run; the image's own for None.
        environment: Environment variables for it.
        host_settings: What docker-py's `create_host_config` takes; None stands for the engine's default.
        ports: Ports that it listens on inside.

    Raises:
        ImageNotFound: The engine has no such image.
    """
    import docker.errors

    if not image:
        raise image_not_found(image)
    client = api()
    engine_id = engine_info().engine_id
    given = {name: one for name, one in host_settings.items() if one is not None}
    host_config = client.create_host_config(**{"log_config": _BOUNDED_LOG, **given})
    try:
        with engine_answers():
            made = client.create_container(
                image,
                list(command) if command is not None else None,
                environment=dict(environment or {}),
                labels=COURSE_LABELS,
                ports=list(ports),
                host_config=host_config,
            )
    except docker.errors.NotFound as error:
        raise image_not_found(image) from error
    container_id = str(made["Id"])
    try:
        ledger.record(engine_id, "container", [container_id])
        yield container_id
    finally:
        with suppress(docker.errors.NotFound), engine_answers():
            client.remove_container(container_id, force=True, v=True)
        ledger.forget(engine_id, "container", [container_id])


def image_not_found(image: str) -> ImageNotFound:
    """Return the error for an image that the engine does not have, with the names that it has."""
    from dmhelpers.errors import near_matches

    with engine_answers():
        known = [name for one in api().images() for name in one.get("RepoTags") or () if name != "<none>:<none>"]
    return ImageNotFound(
        f"There is no image {image!r} on this engine.",
        hint=f"Build it first, or check the name. {near_matches(image, known)}",
    )
