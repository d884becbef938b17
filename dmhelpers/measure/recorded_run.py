"""A build's client, run and kept, or told again from a recording: its events, exit code and metadata."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmhelpers.engine import recorded
from dmhelpers.engine.recorded.requests import build_request
from dmhelpers.measure.client_run import run_client
from dmhelpers.measure.events import Progress

Value = dict[str, Any] | str


def run(
    args: Sequence[str],
    *,
    progress: Progress,
    time_limit_s: float,
    environment: Mapping[str, str],
    metadata_file: Path,
) -> tuple[int, bool]:
    """Run `docker args…` as `run_client` does, or tell again what it did when it was recorded.

    Args:
        args: The arguments after `docker`; the last is the build context's folder.
        progress: Takes the events as they come.
        time_limit_s: Seconds until the client is ended.
        environment: Variables set on top of this process's own.
        metadata_file: Where the client writes what it knows of the result.

    Raises:
        NotRecorded: In recorded mode, this was not built when the recording was made.
    """
    replay, keep = recorded.player(), recorded.recorder()
    if replay is None and keep is None:
        return run_client(args, progress=progress, time_limit_s=time_limit_s, environment=environment)
    form = build_request(args)
    if replay is not None:
        tag = next((one.removeprefix("--tag=") for one in args if one.startswith("--tag=")), "an image")
        found = replay.answer("build", form, asked=f"the build of {tag} from this Dockerfile and these files")
        for value in json.loads(replay.recording.bytes_of(found["events"])):
            progress.feed(_with_data(value, _coded))
        if found["metadata"]:
            metadata_file.write_text(found["metadata"], encoding="utf-8")
        return int(found["exit_code"]), False
    assert keep is not None  # noqa: S101  one of the two is there
    kept = _Kept(progress)
    begun = time.monotonic()
    exit_code, too_long = run_client(args, progress=kept, time_limit_s=time_limit_s, environment=environment)
    if not too_long:
        metadata = metadata_file.read_text(encoding="utf-8") if metadata_file.is_file() else ""
        events = keep.keep(json.dumps(kept.values, ensure_ascii=False).encode())
        made = {"exit_code": exit_code, "metadata": metadata, "events": events}
        keep.note("build", form, made, time.monotonic() - begun)
    return exit_code, too_long


class _Kept(Progress):
    """Hands the events on, and keeps them with their logs as text, so that what must not be kept is seen."""

    def __init__(self, inner: Progress) -> None:
        super().__init__()
        self.values: list[Value] = []
        self._inner = inner

    def feed(self, value: Value) -> None:
        """Take in one value of `decode`."""
        self.values.append(_with_data(value, _plain))
        self._inner.feed(value)


def _with_data(value: Value, turned: Any) -> Value:
    if isinstance(value, str) or not value.get("logs"):
        return value
    return {**value, "logs": [{**one, "data": turned(one.get("data") or "")} for one in value["logs"]]}


def _plain(data: str) -> str:
    return base64.b64decode(data).decode("utf-8", "replace")


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
