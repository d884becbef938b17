"""Time limits that stretch where many share a machine."""

from __future__ import annotations

import pytest

from dmhelpers.engine.patience import patient


@pytest.mark.parametrize(
    ("value", "limit_s"), [("10", 300.0), ("1.5", 45.0), ("0.1", 30.0), ("soon", 30.0), ("-4", 30.0)]
)
def test_limits_stretch_by_the_factor_and_never_shrink(monkeypatch, value, limit_s):
    """A factor from 1 on stretches a limit; any other value leaves it as it is."""
    monkeypatch.setenv("DMHELPERS_PATIENCE", value)
    assert patient(30.0) == limit_s
