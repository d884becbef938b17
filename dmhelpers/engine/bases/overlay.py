"""A base image with this machine's CA bundle in it, for networks that sign their traffic themselves.

A base that was pulled or was there trusts the public authorities only. Behind a company's TLS proxy
`npm ci` then fails in the build. Builds take the image made here in its place (`--build-context`),
so that no Dockerfile needs a change.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from typing import Any

from dmhelpers.engine import ledger
from dmhelpers.engine.bases.certificates import CA_KEY, bundle_digest, has_private_certificates, host_bundle
from dmhelpers.engine.bases.recipe import CertificateCheck, certificate_check
from dmhelpers.engine.bases.tree import text_entry, write_tar
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE_LABELS, PACK_MIRROR
from dmhelpers.engine.patience import patient
from dmhelpers.engine.places import cache_folder

BUNDLE_PATH = "/etc/ssl/certs/ca-certificates.crt"
_CHECK_LIMIT_S = 60
_UNTRUSTED = (
    "self-signed certificate",
    "self signed certificate",
    "self_signed_cert",
    "unable_to_get_issuer",
    "unable_to_verify_leaf",
    "unable to get local issuer",
    "unable to verify the first certificate",
    "signed by unknown authority",
)


def overlay_reference(name: str) -> str:
    """Return the name of the image that stands in for `name` with this machine's CA bundle."""
    return f"dmhelpers/with-ca/{name.replace('@sha256:', ':sha256-')}"


def with_certificates(name: str, image: dict[str, Any], *, progress: Callable[[str], None]) -> str | None:
    """Return the image to build on in a base's place, or None where the base itself will do.

    `DMHELPERS_CA_OVERLAY` decides: ``1`` always, ``0`` never. Unset, it is made where this machine trusts a
    certificate that is on no public list and a container of the base fails to reach its package index for it.

    Args:
        name: The base's official name.
        image: The engine's description of it (`inspect_image`).
        progress: Told before each thing that takes a while.
    """
    wanted = os.environ.get("DMHELPERS_CA_OVERLAY", "")
    labels = image["Config"].get("Labels") or {}
    digest = bundle_digest()
    # A base from a pack asks the pack's mirror, and that needs no certificate.
    if wanted == "0" or (not wanted and (labels.get(CA_KEY) == digest or labels.get(PACK_MIRROR))):
        return None
    key = hashlib.sha256(f"{image['Id']} {digest}".encode()).hexdigest()
    reference = overlay_reference(name)
    if _key_of(reference) == key:
        return reference
    if wanted != "1" and not _is_needed(name, image["Id"], key, progress):
        return None
    progress(f"Adding this machine's CA bundle to {name} as {reference}")
    _make(reference, image, key, certificate_check(name))
    return reference


def trusts_network(image_id: str, check: CertificateCheck) -> bool | None:
    """Return whether a container of the image trusts this network; None where it could not be told.

    Args:
        image_id: The image.
        check: What to run in it.
    """
    exit_code, output = _run(image_id, check.check)
    if exit_code == 0:
        return True
    return False if any(word in output.lower() for word in _UNTRUSTED) else None


def _is_needed(name: str, image_id: str, key: str, progress: Callable[[str], None]) -> bool:
    check = certificate_check(name)
    known_good = cache_folder() / "bases" / "trusted" / key
    if check is None or known_good.exists() or not has_private_certificates():
        return False
    progress(f"Checking whether {name} trusts this network")
    trusted = trusts_network(image_id, check)
    if trusted:
        known_good.parent.mkdir(parents=True, exist_ok=True)
        known_good.touch()
    return trusted is False


def _run(image_id: str, command: tuple[str, ...]) -> tuple[int, str]:
    import requests.exceptions

    container = _create(image_id, list(command[1:]), entrypoint=[command[0]])
    try:
        with engine_answers():
            api().start(container)
            try:
                exit_code = int(api().wait(container, timeout=int(patient(_CHECK_LIMIT_S)))["StatusCode"])
            except (requests.exceptions.Timeout, requests.exceptions.ConnectionError):
                return -1, ""
            return exit_code, api().logs(container).decode("utf-8", "replace")
    finally:
        _remove(container)


def _make(reference: str, image: dict[str, Any], key: str, check: CertificateCheck | None) -> None:
    env = check.env if check else (f"SSL_CERT_FILE={BUNDLE_PATH}",)
    runs_nothing = not (image["Config"].get("Cmd") or image["Config"].get("Entrypoint"))
    container = _create(image["Id"], ["/bin/sh"] if runs_nothing else None)
    repository, _, tag = reference.rpartition(":") if ":" in reference else (reference, "", "latest")
    try:
        with engine_answers():
            api().put_archive(container, "/", _bundle_archive())
            made = api().commit(
                container,
                repository=repository,
                tag=tag,
                message="this machine's CA bundle, added by dmhelpers",
                changes=[*(f"ENV {one}" for one in env), *(f"LABEL {k}={v}" for k, v in _labels(key).items())],
            )
    finally:
        _remove(container)
    ledger.record(engine_info().engine_id, "base", [made["Id"]])


def _labels(key: str) -> dict[str, str]:
    return {**COURSE_LABELS, CA_KEY: key}


def _bundle_archive() -> bytes:
    output = io.BytesIO()
    write_tar({BUNDLE_PATH: text_entry(host_bundle())}, output, mtime=0)
    return output.getvalue()


def _create(image_id: str, command: list[str] | None, entrypoint: list[str] | None = None) -> str:
    with engine_answers():
        made = api().create_container(image_id, command, entrypoint=entrypoint, labels=COURSE_LABELS)
    ledger.record(engine_info().engine_id, "container", [made["Id"]])
    return str(made["Id"])


def _remove(container: str) -> None:
    with engine_answers():
        api().remove_container(container, force=True, v=True)
    ledger.forget(engine_info().engine_id, "container", [container])


def _key_of(reference: str) -> str:
    import docker.errors

    engine: Any = api()
    with engine_answers():
        try:
            return str((engine.inspect_image(reference)["Config"].get("Labels") or {}).get(CA_KEY, ""))
        except docker.errors.ImageNotFound:
            return ""
