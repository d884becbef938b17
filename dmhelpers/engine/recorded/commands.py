"""`docker` commands in a recording: what they printed, and the file that `docker export` and `docker cp` wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmhelpers.engine.recorded import requests as forms
from dmhelpers.engine.recorded.session import player, recorder

if TYPE_CHECKING:
    from dmhelpers.engine.client import Completed

_FOLDER = "FOLDER"
_ASKED_ONCE = ("buildx", "version")


def through(args: Sequence[str], ask: Callable[[], Completed], made: type[Completed]) -> Completed:
    """Run a command, keeping what it did, or give what it did when it was recorded.

    Args:
        args: The arguments after `docker`.
        ask: Runs it.
        made: What to return.
    """
    written = _written(args)
    form = forms.as_text([_FOLDER if one == written else one for one in args])
    replay = player()
    if replay is not None:
        found = replay.answer("command", form, asked=f"docker {' '.join(args)}")
        if written is not None and found["file"] is not None:
            Path(written).write_bytes(replay.recording.bytes_of(found["file"]))
        return made(("docker", *args), found["exit_code"], found["stdout"], found["stderr"])
    keep = recorder(anyhow=tuple(args) == _ASKED_ONCE)
    begun = time.monotonic()
    answer = ask()
    if keep is not None:
        kept: dict[str, Any] = {name: asdict(answer)[name] for name in ("exit_code", "stdout", "stderr")}
        there = written is not None and Path(written).is_file()
        kept["file"] = keep.keep(Path(written).read_bytes()) if there and written is not None else None
        keep.note("command", form, kept, time.monotonic() - begun)
    return answer


def _written(args: Sequence[str]) -> str | None:
    """Return the file on this machine that a command writes, None where it writes none."""
    if args and args[0] == "export" and "-o" in args:
        return args[args.index("-o") + 1]
    if len(args) == 3 and args[0] == "cp" and ":" in args[1]:
        return args[2]
    return None
