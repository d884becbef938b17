"""Many tiny images on the engine for as long as a benchmark needs them."""

from __future__ import annotations

import hashlib
import json
import secrets
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from dmhelpers.engine import ledger
from dmhelpers.engine.cleanup import suppress_gone
from dmhelpers.engine.client import api, engine_answers, get_json
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE_LABELS
from dmhelpers.errors import EngineRefused

_STEPS = (
    "ADD rootfs.tar / # buildkit",
    "WORKDIR /app",
    "COPY package.json package-lock.json ./ # buildkit",
    "RUN /bin/sh -c npm ci # buildkit",
)
_NO_LAYER = ("ENV PATH=/usr/local/bin:/usr/bin:/bin", "EXPOSE map[3000/tcp:{}]", 'CMD ["node" "dist/server.js"]')


class Crowd:
    """Images named ``bench-<token>/img:0001`` and on: each its own configuration, all on the same few tiny layers."""

    def __init__(self) -> None:
        self.repository = f"bench-{secrets.token_hex(3)}/img"
        self.names: list[str] = []

    def grow_to(self, total: int) -> int:
        """Load images until the engine lists at least that many in all, and return how many it lists.

        Args:
            total: Images on the engine, those of other people among them.

        Raises:
            EngineRefused: The engine could not load them.
        """
        missing = total - len(get_json("/images/json"))
        if missing > 0:
            self.add(missing)
        return len(get_json("/images/json"))

    def add(self, count: int) -> None:
        """Load that many more images, with one request.

        Raises:
            EngineRefused: The engine could not load them.
        """
        first = len(self.names) + 1
        names = [f"{self.repository}:{number:04d}" for number in range(first, first + count)]
        client: Any = api()
        with engine_answers():
            for answer in client.load_image(_archive(names), quiet=True):
                if "error" in answer:
                    raise EngineRefused(
                        f"The engine could not load the benchmark's images: {answer['error']}",
                        hint="See what is wrong with: dmhelpers doctor",
                    )
        self.names += names
        ledger.record(engine_info().engine_id, "image", [one["Id"] for one in self._loaded()])

    def remove(self) -> None:
        """Remove the images, also those that an interrupted load left."""
        client, engine_id = api(), engine_info().engine_id
        for one in self._loaded():
            ledger.record(engine_id, "image", [one["Id"]])
            with engine_answers(), suppress_gone():
                client.remove_image(one["Id"], force=True)
            ledger.forget(engine_id, "image", [one["Id"]])

    def _loaded(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = get_json(
            "/images/json", {"filters": json.dumps({"reference": [self.repository]})}
        )
        return found


@contextmanager
def crowd() -> Iterator[Crowd]:
    """Give a crowd that is gone after the block, on Ctrl-C too.

    What a second Ctrl-C keeps it from removing stands in the ledger, for `dmhelpers cleanup`.
    """
    made = Crowd()
    try:
        yield made
    finally:
        made.remove()


def _archive(names: Sequence[str]) -> Iterator[bytes]:
    """Yield a docker-archive, the format of `docker save`, piece by piece."""
    layers = [_entry(f"file-{number}", b"x" * number) + b"\0" * 1024 for number in range(1, len(_STEPS) + 1)]
    diff_ids = [hashlib.sha256(one).hexdigest() for one in layers]
    for diff_id, layer in zip(diff_ids, layers, strict=True):
        yield _entry(f"{diff_id}/layer.tar", layer)
    manifest = []
    for number, name in enumerate(names):
        config = _config(name, diff_ids, datetime.now(UTC) - timedelta(minutes=number))
        path = f"{hashlib.sha256(config).hexdigest()}.json"
        yield _entry(path, config)
        manifest.append({"Config": path, "RepoTags": [name], "Layers": [f"{one}/layer.tar" for one in diff_ids]})
    yield _entry("manifest.json", json.dumps(manifest).encode())
    yield b"\0" * 1024


def _config(name: str, diff_ids: Sequence[str], created: datetime) -> bytes:
    system, _, architecture = engine_info().platform.partition("/")
    moment = created.isoformat()
    steps = [{"created": moment, "created_by": one, "comment": "buildkit.dockerfile.v0"} for one in _STEPS]
    steps += [{"created": moment, "created_by": one, "empty_layer": True} for one in _NO_LAYER]  # type: ignore[dict-item]
    config = {
        "architecture": architecture,
        "os": system,
        "created": moment,
        "config": {
            "Labels": {**COURSE_LABELS, "io.dmhelpers.bench": name},
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
            "Cmd": ["node", "dist/server.js"],
            "WorkingDir": "/app",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one}" for one in diff_ids]},
        "history": steps,
    }
    return json.dumps(config).encode()


def _entry(path: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(path)
    info.size = len(data)
    info.mode = 0o644
    return info.tobuf() + data + b"\0" * (-len(data) % tarfile.BLOCKSIZE)
