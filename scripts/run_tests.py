"""Run the tests, on each image store where the engine is the course's own to restart.

The whole suite runs on the engine as it is. The tests that do not use that engine, because they need none or start
one of their own, run in a process beside the others; what it prints comes after theirs. If the course started the
engine, the tests marked `engine` run once more on the other image store, but for those marked `one_store` or
`private_engine`, and the engine goes back to the first one.

Arguments go to pytest. Where they name tests, all run in one process; with `-m` alone, it is narrowed further.

With `--browser` as the first argument, the tests in tests/browser run instead, on the engine as it is.
"""
# ruff: noqa: T201  a command prints

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

from dmhelpers.engine import embedded
from dmhelpers.errors import DmHelpersError

BOTH_STORES = "engine and not private_engine and not one_store"
NONE_SELECTED = 5
"""What pytest ends with where none of the tests asked for is marked `engine`."""

FOLDER = Path("build/test")
CLOSING_LINES = FOLDER / "closing.txt"
BESIDE = FOLDER / "beside.log"


def main(arguments: list[str]) -> int:
    """Run pytest with the arguments given, once or on both image stores; return the worst exit code."""
    # Where this was started in the background, Ctrl-C is ignored, and every test of it would wait in vain.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    closing: list[str] = []
    if arguments[:1] == ["--browser"]:
        code = run_pytest("notebooks in JupyterLab", ["tests/browser", *arguments[1:]], closing)
        keep(closing, mode="a")
        return code
    status = embedded.status()
    title = f"{status.store or 'no'} image store"
    run = run_pytest if names_tests(arguments) else run_in_two_processes
    code = run(title, arguments, closing)
    if code == 0 and status.ours:
        code = on_the_other_store(status.store, arguments, closing)
    elif code == 0 and status.reachable:
        print("This engine is not the course's to restart: the other image store was not tested.", flush=True)
    keep(closing, mode="w")
    return code


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


def on_the_other_store(store: str, arguments: list[str], closing: list[str]) -> int:
    """Restart the engine with the other image store, run the tests that need an engine, and go back."""
    other: embedded.StoreChoice = "overlay2" if store == "containerd" else "containerd"
    back: embedded.StoreChoice = "containerd" if store == "containerd" else "overlay2"
    try:
        embedded.up(image_store=other, progress=say)
        dmhelpers("bases", "prepare")
        code = run_pytest(f"{other} image store", narrowed(arguments, BOTH_STORES), closing)
        return 0 if code == NONE_SELECTED and arguments else code
    finally:
        embedded.up(image_store=back, progress=say)


def run_in_two_processes(title: str, arguments: list[str], closing: list[str]) -> int:
    """Run the tests on the engine, and beside them those that do not use it; return the worse exit code."""
    BESIDE.parent.mkdir(parents=True, exist_ok=True)
    command, environment = pytest_command(narrowed(arguments, "not engine"))
    with (
        BESIDE.open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment) as beside,
    ):
        code = run_pytest(title, narrowed(arguments, "engine"), closing)
        beside.wait()
    print("Tests without this engine, which ran beside those", flush=True)
    text = BESIDE.read_text(encoding="utf-8", errors="replace")
    sys.stdout.write(text)
    closing.append(text.rstrip().rpartition("\n")[2])
    return max((one for one in (code, beside.returncode) if one != NONE_SELECTED), key=abs, default=NONE_SELECTED)


def pytest_command(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return how pytest is called, and its environment."""
    command = [sys.executable, "-m", "pytest", "--color=no", "--durations=15", *arguments]
    return command, {**os.environ, "PYTHONUNBUFFERED": "1"}


def run_pytest(title: str, arguments: list[str], closing: list[str]) -> int:
    """Run pytest, pass on what it prints as it comes, and keep its closing line."""
    print(f"Tests on the {title}", flush=True)
    command, environment = pytest_command(arguments)
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace", env=environment) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            last = line.strip() or last
    closing.append(last)
    return process.returncode


def dmhelpers(*arguments: str) -> None:
    """Run a command of the course in a process of its own, whose memory of the engine is fresh."""
    subprocess.run([sys.executable, "-m", "dmhelpers", *arguments], check=True)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DmHelpersError as error:
        sys.exit(str(error))
