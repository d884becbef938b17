"""Variables in a Dockerfile's FROM lines: `$NAME`, `${NAME:-default}`, and the platform that BuildKit presets."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?:(?P<test>:?[-+?])(?P<word>[^${}]*))?\}|(?P<plain>[A-Za-z_]\w*))")
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_DEEPEST = 10


def preset_variables() -> dict[str, str]:
    """Return the ARGs that BuildKit presets before the first FROM, for this machine's architecture."""
    architecture = _ARCHITECTURES.get(platform.machine().lower(), platform.machine().lower())
    parts = {"PLATFORM": f"linux/{architecture}", "OS": "linux", "ARCH": architecture, "VARIANT": ""}
    return {f"{side}{name}": value for side in ("BUILD", "TARGET") for name, value in parts.items()}


def expand(word: str, values: Mapping[str, str]) -> str:
    """Return a word with its variables replaced and its quotes taken off; an unknown variable is empty.

    Args:
        word: One word of a FROM line or an ARG's default.
        values: The variables in force.
    """
    if len(word) > 1 and word[0] == word[-1] == "'":
        return word[1:-1]
    word = word.replace('"', "")
    for _ in range(_DEEPEST):  # a default may hold a variable: ${A:-${B}}
        word, replaced = _VARIABLE.subn(lambda match: _value(match, values), word)
        if not replaced:
            break
    return word


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    found = values.get(match["braced"] or match["plain"])
    test = match["test"] or ""
    there = bool(found) if test.startswith(":") else found is not None
    if test.endswith("-") and not there:
        return match["word"]
    if test.endswith("+"):
        return match["word"] if there else ""
    return found or ""
