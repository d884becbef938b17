"""The images that the benchmarks put on the engine, and take away again."""

from __future__ import annotations

import pytest

from benchmarks.crowd import crowd
from dmhelpers.engine import ledger
from dmhelpers.engine.client import api
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import COURSE


@pytest.mark.engine
def test_crowd_is_labelled_in_the_ledger_and_gone_after_an_interrupt(unchanged_engine):
    """The images are distinct, carry the course's label, stand in the ledger, and leave with Ctrl-C."""
    repositories: list[str] = []

    def interrupted() -> None:
        with crowd() as images:
            images.add(3)
            loaded = api().images(images.repository, filters={"label": f"{COURSE}=1"})
            assert len({one["Id"] for one in loaded}) == len(images.names) == 3
            assert {one["Id"] for one in loaded} <= ledger.recorded(engine_info().engine_id, "image")
            repositories.append(images.repository)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert api().images(repositories[0]) == []


@pytest.mark.engine
def test_crowd_has_a_history_like_a_built_image(unchanged_engine):
    """Each image has layers and rows without a layer, so that reading its history is a fair task."""
    with crowd() as images:
        images.add(1)
        rows = api().history(images.names[0])

    assert [bool(row["Size"]) for row in rows] == [False] * 3 + [True] * 4
