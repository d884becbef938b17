"""Downloading in a container of a base image: its own tools know their registries, and check what comes."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dmhelpers.engine import ledger
from dmhelpers.engine.bases.records import BaseImage
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.engine.pack.records import MIRROR_VARIABLES
from dmhelpers.engine.streams import as_file
from dmhelpers.errors import PackError

_TIME_LIMIT_S = 900
_ASK_THE_NETWORK = dict.fromkeys(MIRROR_VARIABLES, "")
"""A base image that came from a pack names that pack's mirror, which lacks what is new; empty is unset to both."""


@contextmanager
def fetched(
    base: BaseImage, script: str, folder: str, *, environment: Mapping[str, str], put: bytes = b""
) -> Iterator[tarfile.TarFile]:
    """Run a script in a container and give what it left in a folder as a stream of a tar archive.

    Args:
        base: The image to run it in.
        script: What its shell runs.
        folder: The folder in the container.
        environment: The script's variables.
        put: A tar archive that is laid over the container's root first.

    Raises:
        PackError: The script failed.
    """
    image = base.build_context.removeprefix("docker-image://") if base.build_context else base.name
    with engine_answers():
        made = api().create_container(
            image,
            ["-ec", script],
            entrypoint=["/bin/sh"],
            user="root",
            environment={**_ASK_THE_NETWORK, **environment},
            labels=COURSE_LABELS,
        )
    container = str(made["Id"])
    ledger.record(engine_info().engine_id, "container", [container])
    try:
        _run(container, base.name, put)
        with engine_answers():
            pieces, _ = api().get_archive(container, folder)
            with tarfile.open(fileobj=as_file(pieces), mode="r|") as tar:
                yield tar
    finally:
        with engine_answers():
            api().remove_container(container, force=True, v=True)
        ledger.forget(engine_info().engine_id, "container", [container])


def _run(container: str, name: str, put: bytes) -> None:
    with engine_answers():
        if put:
            api().put_archive(container, "/", put)
        api().start(container)
        exit_code = int(api().wait(container, timeout=_TIME_LIMIT_S)["StatusCode"])
        said = "" if exit_code == 0 else api().logs(container).decode("utf-8", "replace").lower()
    if exit_code != 0:
        # What it said may hold the address of a mirror: it is not repeated.
        untrusted = "certificate" in said or "x509" in said
        reason = "it does not trust this network's certificate" if untrusted else f"exit code {exit_code}"
        raise PackError(
            f"The samples' packages could not be downloaded in a container of {name}: {reason}.",
            hint="A pack is made on a machine with a network; see whether it is there: dmhelpers doctor",
        )
