"""This machine's CA bundle: the certificates that its network may be signed with."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

CA_KEY = "io.dmhelpers.ca"
"""On a base image with this machine's CA bundle: its digest; on a variant of another base a key of both."""

_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
_PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, Alpine
)
_PUBLIC_FOLDER = Path("/usr/share/ca-certificates")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def host_bundle() -> bytes:
    """Return this machine's CA certificates as PEM, each once, without the remarks between them.

    The machine's own bundle comes first; certificates that `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`,
    `NODE_EXTRA_CA_CERTS` or `CURL_CA_BUNDLE` name are added to it. Where there is neither, the list of
    Python's `certifi` stands in.
    """
    found: dict[bytes, None] = {}
    for path in _bundle_files():
        found.update(dict.fromkeys(_certificates(path)))
    if not found:
        found.update(dict.fromkeys(_certificates(_certifi())))
    return b"".join(one + b"\n" for one in found)


def bundle_digest() -> str:
    """Return the digest of this machine's CA bundle."""
    return hashlib.sha256(host_bundle()).hexdigest()


def has_private_certificates() -> bool:
    """Return whether this machine trusts a certificate that is on no public list.

    The public lists are Python's `certifi` and, on Debian, the files of the package ca-certificates.
    """
    public = {*_certificates(_certifi())}
    for path in _PUBLIC_FOLDER.glob("**/*.crt"):
        public.update(_certificates(path))
    return bool(set(_PEM.findall(host_bundle())) - public)


def _bundle_files() -> tuple[Path, ...]:
    own = next((place for place in _PLACES if Path(place).is_file()), "")
    named = (os.environ.get(variable, "") for variable in _VARIABLES)
    return tuple(Path(one) for one in dict.fromkeys((own, *named)) if one and Path(one).is_file())


def _certificates(path: Path) -> list[bytes]:
    try:
        text = path.read_bytes()
    except OSError:
        return []
    return [one.replace(b"\r\n", b"\n") for one in _PEM.findall(text)]


def _certifi() -> Path:
    import certifi

    return Path(certifi.where())
