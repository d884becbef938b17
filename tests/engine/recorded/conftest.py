"""Recorded mode in this process, from a recording that a test makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dmhelpers.engine import recorded
from dmhelpers.engine.client import forget_clients
from dmhelpers.engine.info import forget_info
from dmhelpers.engine.recorded.store import Exchange, Manifest, Recording

MANIFEST = Manifest("2026-01-02T03:04:05+00:00", "26.1.5", "overlay2", "linux/amd64", "1.45", "0.1.0")


@pytest.fixture
def recorded_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Recording]]:
    """Switch recorded mode on: `recorded_mode(exchange, …)` says what is in the recording."""

    def switch(*exchanges: Exchange) -> Recording:
        recording = Recording(tmp_path / "recording")
        recording.write_manifest(MANIFEST)
        recording.write("00_start_here", exchanges)
        monkeypatch.setenv("DMHELPERS_ENGINE", "recorded")
        monkeypatch.setenv("DMHELPERS_RECORDING", str(recording.folder))
        monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
        _forget()
        return recording

    _forget()
    yield switch
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    recorded.forget()
    forget_clients()
    forget_info()
