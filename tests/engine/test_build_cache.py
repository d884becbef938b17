"""The build cache: listed in one request, removed by ID and by nothing else."""

from __future__ import annotations

import uuid

import pytest

from dmhelpers.engine import build_cache
from dmhelpers.engine.build_cache import (
    CacheRecord,
    cache_records,
    remove_cache_records,
    remove_chosen,
    with_descendants,
)
from dmhelpers.engine.client import docker_cli
from tests.conftest import let_go_of


def record(name, *parents, description="", in_use=False):
    """Return a record that stands on others."""
    return CacheRecord(name, description, "regular", "2026-01-01T00:00:00Z", 1, False, parents, in_use)


def test_records_stand_on_each_other():
    """With a record go all that stand on it, and no other, whatever the order and even in a circle."""
    records = [record("d", "c"), record("c", "b"), record("b", "a"), record("a"), record("x", "y"), record("y", "x")]
    assert with_descendants(["b"], records) == {"b", "c", "d"}
    assert with_descendants(["x"], records) == {"x", "y"}
    assert with_descendants([], records) == frozenset()


class Engine:
    """An engine of which each list is the next of some, and which removes what is not in use."""

    def __init__(self, monkeypatch, *lists):
        self._lists, self._gone, self.asked = list(lists), set(), []
        monkeypatch.setattr(build_cache, "cache_records", self._next)
        monkeypatch.setattr(build_cache, "remove_cache_records", self._remove)
        monkeypatch.setattr(build_cache, "_PAUSE_S", 0)

    def _next(self):
        self._now = self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]
        return tuple(one for one in self._now if one.record_id not in self._gone)

    def _remove(self, ids):
        self.asked.append(ids)
        self._gone |= {one.record_id for one in self._now if one.record_id in ids and not one.in_use}


def test_a_layer_that_a_build_lets_go_of_is_removed_under_its_other_id(monkeypatch):
    """In use it has one ID, a moment later another; it counts once, and what was not chosen stays."""
    others = record("others", description="theirs")
    before, after = record("read", description="ours", in_use=True), record("written", description="ours")
    engine = Engine(monkeypatch, [before, others], [after, others])
    assert remove_chosen(lambda listed: [one for one in listed if one.description == "ours"]) == (1, ())
    assert engine.asked == [{"read"}, {"written"}]


def test_what_something_else_stands_on_is_not_asked_for_again(monkeypatch):
    """A record that the engine keeps though it is not in use stays, and is named, after one request."""
    engine = Engine(monkeypatch, [record("ours")])
    monkeypatch.setattr(build_cache, "remove_cache_records", engine.asked.append)
    assert remove_chosen(tuple) == (0, (record("ours"),))
    assert engine.asked == [{"ours"}]


def test_what_stays_in_use_is_named_in_the_end(monkeypatch):
    """A record that is in use all the time is asked for some seconds long, and no longer."""
    engine = Engine(monkeypatch, [record("ours", in_use=True), record("free")])
    assert remove_chosen(tuple) == (1, (record("ours", in_use=True),))
    assert 1 < len(engine.asked) < 100


@pytest.fixture
def cached(tmp_path):
    """Build two chains of layers that only the build cache keeps, and return their records."""

    def build(name):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(uuid.uuid4().hex)
        lines = ["FROM scratch", *(f"COPY f /{name}-{number}" for number in range(3))]
        (tmp_path / name / "Dockerfile").write_text("\n".join(lines))
        asked = ["buildx", "build", "--provenance=false", "--output=type=cacheonly", str(tmp_path / name)]
        docker_cli(asked, timeout_s=120)
        return {one.record_id for one in let_go_of(lambda one: f"/{name}-" in one.description)}

    suffix = uuid.uuid4().hex[:8]
    found = [build(f"{which}{suffix}") for which in ("ours", "theirs")]
    yield found
    remove_cache_records(found[0] | found[1])


@pytest.mark.engine
def test_records_are_removed_by_id(cached):
    """Removing one build's records frees their bytes and leaves another's where they are."""
    ours, theirs = cached
    assert len(ours) == len(theirs) == 3
    assert remove_cache_records(ours) > 0
    left = {one.record_id for one in cache_records()}
    assert not ours & left
    assert theirs <= left


@pytest.mark.engine
def test_nothing_is_removed_for_nothing(cached):
    """No ID removes no record: an empty filter would be everything."""
    before = {one.record_id for one in cache_records()}
    assert remove_cache_records([]) == 0
    assert cached[0] | cached[1] <= before & {one.record_id for one in cache_records()}


@pytest.mark.engine
@pytest.mark.parametrize("pattern", [".*", "", "[a-z0-9]+", "^", "a|b"])
def test_an_id_is_no_pattern(cached, pattern):
    """What is given as an ID is taken literally."""
    remove_cache_records([pattern])
    assert cached[0] | cached[1] <= {one.record_id for one in cache_records()}


@pytest.mark.engine
def test_what_is_known_of_a_record(cached):
    """A record has its ID, description, kind, time and size."""
    [last] = [one for one in cache_records() if one.record_id in cached[0] and one.description.endswith("-2")]
    assert last.kind == "regular"
    assert last.size_bytes >= 32
    assert last.created.startswith("20")
