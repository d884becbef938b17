"""A question's form without what varies: the same question has the same text when it is asked again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, unquote, urlsplit

_VARIES = (
    (re.compile(r"dmhelpers-check/[0-9a-f]{12}\b"), "dmhelpers-check/TRIAL"),
    (re.compile(r"(?<=\bclinic/)([a-z0-9-]+):[0-9a-f]{12}\b"), r"\1:EXAMINED"),
    (re.compile(r"changed by the check [0-9a-f]{32}\b"), "changed by the check MARK"),
    (re.compile(r"\b1\d{9}\.\d+\b"), "MOMENT"),  # seconds since 1970, as Python writes them
    (re.compile(r"\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?"), "MOMENT"),
)
_MARKED = re.compile(rb"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])")
"""A UUID, as checks and puzzles leave it in files so that no two are alike."""

_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
_NOT_SENT = (".ipynb_checkpoints", "__pycache__", ".git", ".DS_Store")
_DROPPED = ("--metadata-file=", "--file=", "--build-context=", "--builder=", "--progress=")


def as_text(request: Any) -> str:
    """Return a question as one line of text."""
    text = request if isinstance(request, str) else json.dumps(request, sort_keys=True, ensure_ascii=False)
    return steady(text)


def steady(text: str) -> str:
    """Return a text without the names and moments that differ each time."""
    for pattern, word in _VARIES:
        text = pattern.sub(word, text)
    return text


def http_request(method: str, url: str, body: Any) -> str:
    """Return the form of a request to the Engine API.

    Args:
        method: ``GET``, and so on.
        url: The whole address.
        body: What is sent: JSON as text or bytes, an archive as a file, or None.
    """
    parts = urlsplit(url)
    path = unquote(_VERSION.sub("", parts.path))
    if path == "/build/prune":
        return f"{method} {path}"  # what is removed is what was made; of that nothing is left in either case
    query = [(name, _without_proxies(value)) for name, value in sorted(parse_qsl(parts.query)) if name != "t"]
    return as_text([method, path, query, _body(path, body)])


def _body(path: str, body: Any) -> Any:
    if body is None:
        return None
    if hasattr(body, "read"):
        return _archive_digest(body)
    try:
        sent = json.loads(body)
    except ValueError:
        return hashlib.sha256(body if isinstance(body, bytes) else str(body).encode()).hexdigest()[:32]
    if path != "/containers/create" or not isinstance(sent, dict):
        return sent
    environment = [one for one in sent.get("Env") or () if one.partition("=")[0].lower() not in _PROXIES]
    network = (sent.get("HostConfig") or {}).get("NetworkMode")
    kept = {name: sent.get(name) for name in ("Image", "Cmd", "Entrypoint", "ExposedPorts", "WorkingDir", "User")}
    return {**kept, "Env": environment, "NetworkMode": network if network == "none" else None}


def image_named(method: str, url: str, body: Any) -> str | None:
    """Return the image that a request is about, where it is about one whose content decides the answer."""
    path = unquote(_VERSION.sub("", urlsplit(url).path))
    if path == "/containers/create":
        return str(json.loads(body).get("Image"))
    found = re.fullmatch(r"/images/(.+)/history", path)
    return found.group(1) if found and method == "GET" else None


def image_inspected(method: str, url: str) -> str | None:
    """Return the name that a request asks the meaning of, None where it asks something else."""
    found = re.fullmatch(r"/images/(.+)/json", unquote(_VERSION.sub("", urlsplit(url).path)))
    return found.group(1) if found and method == "GET" else None


def build_request(args: Sequence[str]) -> str:
    """Return the form of a build: its options, the Dockerfile's text, and a digest of its context.

    Args:
        args: The arguments after `docker`; the last is the context's folder.
    """
    folder = Path(args[-1])
    file = next((one.removeprefix("--file=") for one in args if one.startswith("--file=")), folder / "Dockerfile")
    options: list[str] = []
    for before, one in zip(("", *args), args[:-1], strict=False):
        if before != "--builder" and one != "--builder" and not one.startswith(_DROPPED):
            options.append(one)
    return as_text({"options": options, "dockerfile": _file_digest(Path(file)), "context": folder_digest(folder)})


def tags_of(build: str) -> tuple[str, ...]:
    """Return the names that a build gives, from its form; each with its tag."""
    try:
        options = json.loads(build)["options"]
    except (ValueError, TypeError, KeyError):
        return ()
    names = (one.removeprefix("--tag=") for one in options if one.startswith("--tag="))
    return tuple(full_name(one) for one in names)


def full_name(image: str) -> str:
    """Return an image's name with its tag, steady as in a question."""
    return steady(image if ":" in image.rpartition("/")[2] else f"{image}:latest")


def folder_digest(folder: Path) -> str:
    """Return a digest of a folder's files: their paths, contents, and whether they can be executed."""
    made = hashlib.sha256()
    for path in sorted(_files(folder)):
        mode = "x" if os.access(path, os.X_OK) else "-"
        made.update(f"{path.relative_to(folder).as_posix()} {mode} {_file_digest(path)}\n".encode())
    return made.hexdigest()[:32]


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for where, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if one not in _NOT_SENT]
        found += [Path(where, one) for one in files if one not in _NOT_SENT]
    return found


def _file_digest(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return _digest(path.read_bytes())


def _digest(data: bytes) -> str:
    if len(data) <= 1_000_000 and b"\0" not in data:
        data = _MARKED.sub(b"MARK", data)
        data = steady(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return hashlib.sha256(data).hexdigest()[:32]


def _archive_digest(file: IO[bytes]) -> str:
    """Return a digest of what is sent as an archive, whatever its dates and owners; the file is rewound."""
    file.seek(0)
    made = []
    with tarfile.open(fileobj=file, mode="r:*") as archive:
        for member in archive:
            read = archive.extractfile(member) if member.isfile() else None
            content = _digest(read.read()) if read is not None else member.linkname
            made.append(f"{member.name.removeprefix('./')} {'x' if member.mode & 0o100 else '-'} {content}")
    file.seek(0)
    return hashlib.sha256("\n".join(sorted(made)).encode()).hexdigest()[:32]


def _without_proxies(value: str) -> str:
    try:
        found = json.loads(value)
    except ValueError:
        return value
    if not isinstance(found, dict):
        return value
    return json.dumps({name: one for name, one in found.items() if name.lower() not in _PROXIES}, sort_keys=True)
