"""Proof that a container really runs: a program of a few machine instructions, packed, loaded, run, removed.

The program is written here by hand, so the proof needs no registry, no compiler and no base image.
It prints a line and what `statfs("/")` says inside the container, which is the free space of the
disk that the engine keeps its layers on, wherever that disk is.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from dmhelpers.engine import ledger
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import EngineError, EngineUnavailable, TimeLimitReached

_LINE = b"a container ran\n"
_STATFS_BYTES = 120
_LOAD_ADDRESS = 0x400000
_HEADER_BYTES = 64 + 56
_MACHINE = {"amd64": 62, "arm64": 183}


@dataclass(frozen=True, slots=True)
class Probed:
    """What a container told: free and total bytes of the disk that the engine keeps its layers on."""

    disk_free_bytes: int
    disk_total_bytes: int


def probe(*, time_limit_s: float = 8.0) -> Probed:
    """Run the smallest container there is on this engine, and leave nothing behind.

    Args:
        time_limit_s: Seconds until the container is given up and removed.

    Returns:
        What the container saw.

    Raises:
        EngineUnavailable: No engine answers.
        EngineRefused: The engine would not load, create or start it.
        EngineError: It ran but did not print its line, or the engine's machine is none of amd64 and arm64.
        TimeLimitReached: It did not end in time.
    """
    client: Any = api()
    with engine_answers():
        architecture = client.version()["Arch"]
        engine_id = client.info()["ID"]
    with _image(engine_id, architecture) as tag:
        return read_output(_run(engine_id, tag, time_limit_s))


def read_output(output: bytes) -> Probed:
    """Return what the test program told.

    Args:
        output: All that it printed: its line, then the C structure that Linux fills in for `statfs`.

    Raises:
        EngineError: It printed something else.
    """
    line, _, numbers = output.partition(b"\n")
    if line + b"\n" != _LINE or len(numbers) != _STATFS_BYTES:
        raise EngineError(
            f"The test container ran but printed {output[:60]!r} in place of its line.",
            hint="See what the engine says: docker run --rm hello-world",
        )
    _kind, block_bytes, blocks, _free, available = struct.unpack_from("<5Q", numbers)
    return Probed(disk_free_bytes=available * block_bytes, disk_total_bytes=blocks * block_bytes)


def program(architecture: str) -> bytes:
    """Return the test program as a static ELF file.

    Args:
        architecture: ``"amd64"`` or ``"arm64"``, as Docker names them.

    Raises:
        EngineError: Another architecture.
    """
    if architecture not in _MACHINE:
        raise EngineError(
            f"There is no test program for an engine on {architecture}.",
            hint="The course is made for amd64 and arm64; check by hand with: docker run --rm hello-world",
        )
    code = (_amd64_code if architecture == "amd64" else _arm64_code)()
    size = _HEADER_BYTES + len(code)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        2,  # an executable
        _MACHINE[architecture],
        1,
        _LOAD_ADDRESS + _HEADER_BYTES,  # where it begins
        64,  # where the program header stands
        0,
        0,
        64,
        56,
        1,
        0,
        0,
        0,
    )
    # One segment to load, readable and executable, aligned for pages of up to 64 KiB.
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _LOAD_ADDRESS, _LOAD_ADDRESS, size, size, 0x10000)
    return header + segment + code


def image_archive(architecture: str, tag: str) -> bytes:
    """Return the test image as `docker load` takes it; the same bytes for the same arguments."""
    layer = _tar({"probe": program(architecture)})
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Cmd": ["/probe"], "Labels": COURSE_LABELS},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "COPY probe /probe"}],
    }
    raw_config = json.dumps(config, sort_keys=True).encode()
    name = f"{hashlib.sha256(raw_config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]
    return _tar({name: raw_config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()})


def _amd64_code() -> bytes:
    """Return: write the line; statfs("/") onto the stack; write that; exit 0."""
    length = 77  # of the instructions; the line follows them, then the path
    go = "0f05"
    code = bytes.fromhex(
        "b801000000 bf01000000"  # eax = write, edi = standard output
        f"488d35 {_little(length - 17)}"  # rsi = the line
        f"ba {_little(len(_LINE))} {go}"  # edx = its length
        "4881ec00010000"  # 256 bytes of stack
        "b889000000"  # eax = statfs
        f"488d3d {_little(length + len(_LINE) - 43)}"  # rdi = the path
        f"4889e6 {go}"  # rsi = the stack
        "b801000000 bf01000000 4889e6"  # write from the stack
        f"ba {_little(_STATFS_BYTES)} {go}"
        f"b83c000000 31ff {go}"  # eax = exit, edi = 0
    )
    return code + _LINE + b"/\0"


def _arm64_code() -> bytes:
    """Return the same for arm64, whose system calls are 64 (write), 43 (statfs) and 93 (exit)."""
    go = 0xD4000001
    stack_to_x1 = 0x910003E1
    code = [
        *(_set(0, 1), _address(1, 68), _set(2, len(_LINE)), _set(8, 64), go),
        0xD10403FF,  # 256 bytes of stack
        *(_address(0, 48 + len(_LINE)), stack_to_x1, _set(8, 43), go),
        *(_set(0, 1), stack_to_x1, _set(2, _STATFS_BYTES), _set(8, 64), go),
        *(_set(0, 0), _set(8, 93), go),
    ]
    return struct.pack(f"<{len(code)}I", *code) + _LINE + b"/\0"


def _little(number: int) -> str:
    return number.to_bytes(4, "little").hex()


def _set(register: int, number: int) -> int:
    """Return arm64's `movz`: a register takes a number."""
    return 0xD2800000 | number << 5 | register


def _address(register: int, offset: int) -> int:
    """Return arm64's `adr`: a register takes this instruction's address plus a multiple of 4."""
    return 0x10000000 | offset >> 2 << 5 | register


def _run(engine_id: str, tag: str, time_limit_s: float) -> bytes:
    """Run the image and return what it printed, byte for byte; its container is removed."""
    client: Any = api()
    with engine_answers():
        container_id = client.create_container(tag, labels=COURSE_LABELS)["Id"]
    ledger.record(engine_id, "container", [container_id])
    try:
        with engine_answers():
            # Attached before it starts: the engine's log file would not keep bytes that are no text.
            chunks = client.attach(container_id, stdout=True, stderr=True, stream=True)
            client.start(container_id)
            client.wait(container_id, timeout=time_limit_s)
            return b"".join(chunks)
    except EngineUnavailable as error:
        if "timed out" in str(error.__cause__).lower():
            raise TimeLimitReached(
                f"The test container did not end within {time_limit_s:g} s.",
                hint="The engine is overloaded or stuck: restart it, then run: dmhelpers doctor",
            ) from error
        raise
    finally:
        with suppress(Exception):
            client.remove_container(container_id, force=True)
            ledger.forget(engine_id, "container", [container_id])


@contextmanager
def _image(engine_id: str, architecture: str) -> Iterator[str]:
    """Load the image under a tag of its own, and remove it at the end."""
    tag = f"dmhelpers-probe:{uuid.uuid4().hex[:12]}"
    client: Any = api()
    try:
        with engine_answers():
            for _ in client.load_image(image_archive(architecture, tag)):
                pass
            ledger.record(engine_id, "image", [client.inspect_image(tag)["Id"]])
        yield tag
    finally:
        with suppress(Exception):
            image_id = client.inspect_image(tag)["Id"]
            client.remove_image(tag, force=True)
            ledger.forget(engine_id, "image", [image_id])


def _tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
