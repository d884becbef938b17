"""A plugin for nbval: its own limits for a kernel's answers, 5 and 10 s, are too short for a busy machine."""

from __future__ import annotations

from typing import Any

import pytest
from nbval.kernel import RunningKernel

ANSWER_LIMIT_S = 300.0


class PatientKernel(RunningKernel):
    """A kernel whose replies are waited for."""

    def await_reply(self, msg_id: str, timeout: float | None = None) -> Any:
        """Wait for the reply to a message, longer than nbval does for the first one."""
        return super().await_reply(msg_id, None if timeout is None else max(timeout, ANSWER_LIMIT_S))


def pytest_configure() -> None:
    """Have nbval start such kernels."""
    from nbval import plugin

    plugin.RunningKernel = PatientKernel


def pytest_itemcollected(item: pytest.Item) -> None:
    """Wait as long for what a cell shows after its reply."""
    if hasattr(item, "output_timeout"):
        item.output_timeout = ANSWER_LIMIT_S
