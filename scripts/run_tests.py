"""Run the tests, on each image store where the engine is the course's own to restart.

The whole suite runs on the engine as it is. If the course started that engine, the tests marked
`engine` run once more on the other image store, but for those marked `one_store` or `private_engine`, and the
engine goes back to the first one.

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

CLOSING_LINES = Path("build/test/closing.txt")


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
    code = run_pytest(f"{status.store or 'no'} image store", arguments, closing)
    if code == 0 and status.ours:
        code = on_the_other_store(status.store, arguments, closing)
    elif code == 0 and status.reachable:
        print("This engine is not the course's to restart: the other image store was not tested.", flush=True)
    keep(closing, mode="w")
    return code


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
        code = run_pytest(f"{other} image store", [*arguments, "-m", BOTH_STORES], closing)
        return 0 if code == NONE_SELECTED and arguments else code
    finally:
        embedded.up(image_store=back, progress=say)


def run_pytest(title: str, arguments: list[str], closing: list[str]) -> int:
    """Run pytest, pass on what it prints as it comes, and keep its closing line."""
    print(f"Tests on the {title}", flush=True)
    command = [sys.executable, "-m", "pytest", "--color=no", "--durations=15", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
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
