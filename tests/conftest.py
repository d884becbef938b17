"""What every test may use: the engine's markers, a home of its own, projects on disk, an engine left as it was."""

from __future__ import annotations

import functools
import io
import os
import shutil
import sys
import tarfile
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dmhelpers.engine.patience import VARIABLE as PATIENCE
from dmhelpers.errors import DmHelpersError

REQUIRE = "DMHELPERS_REQUIRE_ENGINE"
SHARED = "DMHELPERS_SHARED_ENGINE"
"""Set it to 1 where other people use the engine too: then only what the tests themselves made is looked at."""

SETTLED_WITHIN_S = 60

Project = Callable[..., Path]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose engine is not there, with the reason; fail it where an engine is required."""
    for marker, missing in (("engine", _engine_missing), ("private_engine", _private_engine_missing)):
        if item.get_closest_marker(marker) is None:
            continue
        reason = missing()
        if reason and os.environ.get(REQUIRE) == "1":
            pytest.fail(f"{REQUIRE}=1, but {reason}", pytrace=False)
        if reason:
            pytest.skip(reason)


@functools.cache
def _engine_missing() -> str:
    from dmhelpers.engine.info import engine_info

    try:
        engine_info()
    except DmHelpersError as error:
        return f"no engine can be used: {error.message}"
    return ""


@functools.cache
def _private_engine_missing() -> str:
    if not sys.platform.startswith("linux"):
        return "an engine of one's own needs Linux"
    if os.geteuid() != 0:
        return "an engine of one's own needs root"
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    lacking = [name for name in ("dockerd", "docker", "unshare", "nsenter") if shutil.which(name, path=path) is None]
    return f"an engine of one's own needs {', '.join(lacking)}" if lacking else ""


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the tests a state folder of their own, and leave them the person's downloads.

    What the person's ledger knows of base images is copied in, and base images that a test prepared
    are copied back: they stay on the engine, so that the person can remove them.
    """
    from dmhelpers.engine import places

    cache, state = places.cache_folder(), places.state_folder()
    folder = tmp_path_factory.mktemp("home")
    cache.mkdir(parents=True, exist_ok=True)
    (folder / "cache").symlink_to(cache, target_is_directory=True)
    _copy_base_entries(state, folder / "state")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DMHELPERS_HOME", str(folder))
        environment.setenv("IPYTHONDIR", str(_kernels_without_history(folder / "ipython")))
        yield folder
    _copy_base_entries(folder / "state", state)


def _kernels_without_history(folder: Path) -> Path:
    """Make a folder of settings for IPython; a history that kernels share says in a cell that it is locked."""
    profile = folder / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text("c = get_config()\nc.HistoryManager.enabled = False\n")
    return folder


def _copy_base_entries(source: Path, destination: Path) -> None:
    for entry in source.glob("ledger/*/base/*"):
        copy = destination / entry.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.touch()


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give an engine six times as long as a learner would: the machine may run other tests meanwhile."""
    if any(request.node.get_closest_marker(one) is not None for one in ("engine", "private_engine")):
        monkeypatch.setenv(PATIENCE, "6")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Write a project folder: `project({"Dockerfile": "FROM scratch", …}, name="demo")` returns its path.

    Text is dedented and loses the line break that a triple-quoted string begins with; bytes are written as they are.
    """

    def write(files: Mapping[str, str | bytes], *, name: str = "demo") -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            raw = content if isinstance(content, bytes) else textwrap.dedent(content).lstrip("\n").encode()
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(raw)
        return folder

    return write


@pytest.fixture
def limit_begins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the time limit of builds begin when a step runs: `limit_begins("RUN npm ci")`.

    Where the machine is busy, a limit of a few seconds would else be over before the step has begun. With `printed`,
    it begins when the step has printed that.
    """
    from dmhelpers.measure.events import Progress

    def begin(step: str, *, printed: str = "") -> None:
        begun, feed = threading.Event(), Progress.feed

        def fed(self: Progress, value: Any) -> None:
            feed(self, value)
            running = (one for one in self.vertexes.values() if step in one.name and one.started and not one.done)
            if any(printed in self.log_of(one.digest) for one in running):
                begun.set()

        class Timer(threading.Timer):
            def run(self) -> None:
                begun.wait(300)
                super().run()

        monkeypatch.setattr(Progress, "feed", fed)
        monkeypatch.setattr(threading, "Timer", Timer)
        monkeypatch.setenv(PATIENCE, "1")

    return begin


def let_go_of(chosen: Callable[[Any], bool]) -> list[Any]:
    """Return records of the build cache when no build holds them any longer: their IDs then stay as they are."""
    from dmhelpers.engine.build_cache import cache_records

    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        found = [one for one in cache_records() if chosen(one)]
        if not any(one.in_use for one in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@dataclass(frozen=True)
class EngineState:
    """What stands on the engine; `images` holds (ID, name) pairs, with ``""`` for an image without a name."""

    containers: frozenset[str]
    images: frozenset[tuple[str, str]]
    volumes: frozenset[str]
    networks: frozenset[str]

    def without(self, other: EngineState) -> dict[str, list[Any]]:
        """Return what stands here and not there, by kind; only the kinds that differ."""
        here, there = asdict(self), asdict(other)
        return {kind: sorted(here[kind] - there[kind]) for kind in here if here[kind] - there[kind]}


def engine_state() -> EngineState:
    """Return what stands on the engine now, base images of the course left out."""
    from dmhelpers.engine import ledger
    from dmhelpers.engine.client import api
    from dmhelpers.engine.info import engine_info
    from dmhelpers.engine.labels import BASE_NAME

    client = api()
    bases = ledger.recorded(engine_info().engine_id, "base")
    images = set()
    for one in client.images(all=True):
        stands_in_for = (one.get("Labels") or {}).get(BASE_NAME)
        for name in one.get("RepoTags") or [""]:
            if one["Id"] not in bases and not (name and name == stands_in_for):
                images.add((one["Id"], "" if name == "<none>:<none>" else name))
    return EngineState(
        containers=frozenset(one["Id"] for one in client.containers(all=True)),
        images=frozenset(images),
        volumes=frozenset(one["Name"] for one in client.volumes().get("Volumes") or ()),
        networks=frozenset(one["Name"] for one in client.networks()),  # an engine's own change ID as it starts
    )


@pytest.fixture(scope="session")
def warm_cache(home: Path) -> Iterator[None]:
    """Build the samples' stages without the course, so that tests of notebooks find packages in the build cache.

    What stands in no ledger survives the notebooks' own clean-up; it is removed at the end, by ID.
    """
    from dmhelpers.course.sample_info import original
    from dmhelpers.engine import bases
    from dmhelpers.engine.build_cache import cache_records, remove_cache_records
    from dmhelpers.engine.client import docker_cli

    bases.ensure_many(["node:20-alpine", "golang:1.22-alpine"])
    before, begin = {one.record_id for one in cache_records()}, datetime.now(UTC)
    api, go, patient = (original(name) for name in ("my-api", "go-server", "patient"))
    tested = [f"--file={api / 'Dockerfile.test'}", "--target=test", str(api)]
    for options in ([str(api)], tested, [str(go)], [str(patient)]):
        asked = ["buildx", "build", "--provenance=false", "--output=type=cacheonly", *options]
        docker_cli(asked, timeout_s=600)
    end = datetime.now(UTC)
    yield
    # BuildKit gives a record a new ID when a later build exports it; it keeps the time at which it was made.
    made = (one for one in cache_records() if begin <= datetime.fromisoformat(one.created) <= end)
    remove_cache_records({one.record_id for one in made} - before)


@pytest.fixture
def unchanged_engine() -> Iterator[EngineState]:
    """Hold that, after the test and `dm.cleanup()`, the engine is as it was; base images may have been prepared."""
    from dmhelpers.engine.cleanup import cleanup

    before = engine_state()
    yield before
    cleanup()
    if os.environ.get(SHARED) == "1":
        _hold_ledger_is_empty()
        return
    after = engine_state()
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while after != before and time.monotonic() < deadline:  # a container of somebody else that is just ending
        time.sleep(0.2)
        after = engine_state()
    assert after.without(before) == {}, "left behind"
    assert before.without(after) == {}, "removed, though it was there before"


def _hold_ledger_is_empty() -> None:
    from dmhelpers.engine import ledger
    from dmhelpers.engine.info import engine_info

    engine_id = engine_info().engine_id
    for kind in ("image", "container", "volume", "network"):
        assert ledger.recorded(engine_id, kind) == frozenset(), f"left in the ledger: {kind}"


class Foreign:
    """Makes images and containers as a person would, without the course: no label of ours, no ledger."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.containers: list[str] = []

    def image(self, name: str | None = None) -> str:
        """Import a tiny image that has nothing of the course, and return its name."""
        from dmhelpers.engine.client import api

        name = name or f"somebodys-{uuid.uuid4().hex[:8]}:theirs"
        repository, _, tag = name.rpartition(":")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            member = tarfile.TarInfo("theirs")
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
        api().import_image_from_data(buffer.getvalue(), repository=repository, tag=tag)
        self.names.append(name)
        return name

    def built_from(self, base: str, folder: Path) -> str:
        """Build an image FROM one of the course's: it inherits the label. Return its name."""
        from dmhelpers.engine.client import docker_cli

        name = f"somebodys-{uuid.uuid4().hex[:8]}:on-ours"
        folder.mkdir()
        (folder / "theirs").write_text(name)
        (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY theirs /\n")
        docker_cli(["buildx", "build", "--provenance=false", "-t", name, str(folder)], timeout_s=120)
        self.names.append(name)
        return name

    def container(self, image: str) -> str:
        """Create a container, which inherits the image's labels, and return its ID."""
        from dmhelpers.engine.client import api

        self.containers.append(api().create_container(image, ["/theirs"])["Id"])
        return self.containers[-1]

    def remove(self) -> None:
        """Remove all that was made here."""
        import docker.errors

        from dmhelpers.engine.client import api

        for one in self.containers:
            with suppress(docker.errors.NotFound):
                api().remove_container(one, force=True)
        for one in self.names:
            with suppress(docker.errors.NotFound):
                api().remove_image(one, force=True)


@pytest.fixture
def foreign(unchanged_engine: EngineState) -> Iterator[Foreign]:
    """Give what a person makes on the engine beside the course; removed before the engine's state is compared."""
    found = Foreign()
    yield found
    found.remove()


@pytest.fixture
def shell_project(project: Project) -> Callable[..., Path]:
    """Write a project whose one stage can run commands: `shell_project("RUN true")`; its lines begin at 3."""
    from dmhelpers.engine import bases

    base = "node:20-alpine"
    bases.ensure_many([base])

    def write(instructions: str) -> Path:
        return project({"Dockerfile": f"FROM {base}\nCOPY fresh /\n{instructions}", "fresh": uuid.uuid4().hex})

    return write
