"""Run the tests, on each image store where this machine can start an engine of the tests' own.

Two lanes run at once. In the first, the tests marked `engine` run on the engine as it is. In the second, they run
once more on the other image store, but for those marked `one_store` or `private_engine`, on a second engine in
namespaces of its own; then, on another such engine, long tests marked `beside`; then the tests that do not use the
engine, because they need none or start one of their own.
What the second lane prints comes after the first.

Arguments go to pytest. Where they name tests, all run in one process, and then on the other image store; with `-m`
alone, it is narrowed further.

With `--browser` as the first argument, the tests in tests/browser run instead, on the engine as it is; beside them,
with `--browser --private`, those that start engines of their own and use no other.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from dmhelpers.engine import embedded
from dmhelpers.engine.embedded.install import find_tool
from dmhelpers.errors import DmHelpersError

BASES = ("node:20-alpine", "golang:1.22-alpine")
BROWSER_TITLE = "notebooks in JupyterLab"
PRIVATE = "private_engine and not engine"
BOTH_STORES = "engine and not private_engine and not one_store"
BESIDE_ONLY = "engine and beside"
FIRST_LANE = "engine and not beside"
INTERRUPTED = 2
NONE_SELECTED = 5
"""What pytest ends with where none of the tests asked for is marked `engine`."""

FOLDER = Path("build/test")
CLOSING_LINES = FOLDER / "closing.txt"
BESIDE = FOLDER / "beside.log"


@dataclass
class Lane:
    """Runs of pytest one after the other: where they print, and what is kept of each."""

    output: IO[str]
    closing: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def say(self, line: str) -> None:
        """Print a line at once."""
        self.output.write(f"{line}\n")
        self.output.flush()

    def run(self, title: str, arguments: list[str], *, engine: embedded.PrivateEngine | None = None) -> None:
        """Run pytest, pass on what it prints as it comes, and keep its closing line and its exit code."""
        self.say(f"Tests on the {title}")
        command = [sys.executable, "-m", "pytest", "--color=no", "--durations=15", *arguments]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if engine is not None:
            command = engine.in_its_network(command)
            environment |= second_environment(engine)
        last = ""
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        ) as process:
            for line in process.stdout or ():
                self.output.write(line)
                self.output.flush()
                last = line.strip() or last
        self.closing.append(last)
        self.codes.append(process.returncode)


def main(arguments: list[str]) -> int:
    """Run pytest with the arguments given, once or on both image stores; return the worst exit code."""
    # Where this was started in the background, Ctrl-C is ignored, and every test of it would wait in vain.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lane = Lane(sys.stdout)
    if arguments[:1] == ["--browser"]:
        return in_the_browser(arguments[1:], lane)
    status = embedded.status()
    if names_tests(arguments):
        lane.run(f"{status.store or 'no'} image store", arguments)
        if worst(lane.codes) == 0:
            on_the_other_store(status, arguments, lane)
        keep(lane.closing, mode="w")
        return worst(lane.codes, none_is_good=True)
    return in_two_lanes(status, arguments, lane)


def in_two_lanes(status: embedded.EngineStatus, arguments: list[str], lane: Lane) -> int:
    """Run all tests on the engine, and beside them those on the other image store and those without this engine."""
    with a_lane_beside(lane, lambda beside: run_beside(status, arguments, beside)):
        lane.run(f"{status.store or 'no'} image store", narrowed(arguments, FIRST_LANE))
    keep(lane.closing, mode="w")
    return worst(lane.codes, none_is_good=True)


@contextmanager
def a_lane_beside(lane: Lane, runs: Callable[[Lane], None]) -> Iterator[None]:
    """Run a second lane while the block runs; then show what it printed, and count its results to the first's."""
    BESIDE.parent.mkdir(parents=True, exist_ok=True)
    with BESIDE.open("w", encoding="utf-8") as log, ThreadPoolExecutor(1) as second:
        beside = Lane(log)
        both = second.submit(runs, beside)
        yield
        both.result()
    lane.say("Tests that ran beside those")
    lane.say(BESIDE.read_text(encoding="utf-8", errors="replace"))
    lane.closing += beside.closing
    lane.codes += beside.codes


def in_the_browser(arguments: list[str], lane: Lane) -> int:
    """Run the browser tests; with `--private` as the first argument, beside them those on engines of their own."""
    if arguments[:1] == ["--private"]:
        with a_lane_beside(lane, lambda beside: beside.run("engines of their own", ["-m", PRIVATE])):
            lane.run(BROWSER_TITLE, ["tests/browser", *arguments[1:]])
    else:
        lane.run(BROWSER_TITLE, ["tests/browser", *arguments])
    keep(lane.closing, mode="a")
    return worst(lane.codes)


def run_beside(status: embedded.EngineStatus, arguments: list[str], lane: Lane) -> None:
    """Run the second lane; an interrupt, which every pytest gets, ends it after the one that runs."""
    on_the_other_store(status, arguments, lane)
    if INTERRUPTED not in lane.codes:
        those_beside(status, arguments, lane)
    if INTERRUPTED not in lane.codes:
        lane.run("no engine, or engines of their own", narrowed(arguments, "not engine"))


def worst(codes: list[int], *, none_is_good: bool = False) -> int:
    """Return the worst exit code; where some run had tests, another that had none is good."""
    counted = [one for one in codes if one != NONE_SELECTED]
    nothing = 0 if none_is_good and counted else NONE_SELECTED
    return max(counted, key=abs, default=nothing)


def names_tests(arguments: list[str]) -> bool:
    """Say whether the arguments are more than an expression of marks."""
    return bool(arguments) and (len(arguments) != len(["-m", "expression"]) or arguments[0] != "-m")


def narrowed(arguments: list[str], marks: str) -> list[str]:
    """Return the arguments with their last `-m`, or a new one, narrowed to these marks."""
    if "-m" not in arguments:
        return [*arguments, "-m", marks]
    at = len(arguments) - arguments[::-1].index("-m")
    return [*arguments[:at], f"({arguments[at]}) and ({marks})", *arguments[at + 1 :]]


def keep(closing: list[str], *, mode: Literal["w", "a"]) -> None:
    """Write the closing lines to their file, or add them to those of the run before."""
    CLOSING_LINES.parent.mkdir(parents=True, exist_ok=True)
    with CLOSING_LINES.open(mode, encoding="utf-8") as file:
        file.write("\n".join(closing) + "\n")


def on_the_other_store(status: embedded.EngineStatus, arguments: list[str], lane: Lane) -> None:
    """Run the tests that need an engine on a second one with the other image store, if this machine can start it."""
    reason = why_no_second_engine(status)
    if reason:
        lane.say(f"The other image store was not tested: {reason}.")
        if os.environ.get("DMHELPERS_REQUIRE_ENGINE") == "1":
            lane.codes.append(1)
        return
    other: Literal["overlay2", "containerd"] = "overlay2" if status.store == "containerd" else "containerd"
    with second_engine(other) as engine:
        lane.run(f"{other} image store", narrowed(arguments, BOTH_STORES), engine=engine)


def those_beside(status: embedded.EngineStatus, arguments: list[str], lane: Lane) -> None:
    """Run the tests marked `beside` on a second engine like the first; on the first where there can be no second."""
    selected, title = narrowed(arguments, BESIDE_ONLY), "tests that need no engine in particular"
    if why_no_second_engine(status):
        lane.run(title, selected)
        return
    with second_engine("containerd" if status.store == "containerd" else "overlay2") as engine:
        lane.run(title, selected, engine=engine)


def why_no_second_engine(status: embedded.EngineStatus) -> str:
    """Return why this machine can start no engine with a network beside its own; ``""`` where it can."""
    if not status.reachable:
        return "no engine answers"
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "a second engine needs Linux and root"
    lacking = [name for name in ("dockerd", "slirp4netns", "unshare", "nsenter") if find_tool(name) is None]
    return f"a second engine needs {', '.join(lacking)}" if lacking else ""


@contextmanager
def second_engine(store: Literal["overlay2", "containerd"]) -> Iterator[embedded.PrivateEngine]:
    """Start an engine beside the first, with the first one's base images; it leaves nothing behind."""
    with embedded.PrivateEngine(image_store=store, outward=True) as engine:
        environment = {**os.environ, **second_environment(engine)}
        with subprocess.Popen(["docker", "save", *BASES], stdout=subprocess.PIPE) as saved:
            subprocess.run(["docker", "load", "--quiet"], stdin=saved.stdout, env=environment, check=True)
        subprocess.run([sys.executable, "-m", "dmhelpers", "bases", "prepare"], env=environment, check=True)
        yield engine


def second_environment(engine: embedded.PrivateEngine) -> dict[str, str]:
    """Return what leads a process to the second engine, with a state of its own and the downloads of all."""
    from dmhelpers.engine import places

    home = engine.folder / "home"
    if not home.is_dir():
        home.mkdir()
        (home / "cache").symlink_to(places.cache_folder(), target_is_directory=True)
    return {"DOCKER_HOST": engine.host, "DMHELPERS_HOME": str(home)}


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DmHelpersError as error:
        sys.exit(str(error))
