"""A replayed notebook beside the stored one: the outputs that differ, marks and sanitize.cfg allowed for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nbval.plugin import get_sanitize_patterns

FILE = Path(__file__).parent.parent.parent / "notebooks" / "sanitize.cfg"
PATTERNS = get_sanitize_patterns(FILE.read_text(encoding="utf-8"))
SAID = r"[Rr]ecorded on 20\d\d-\d\d-\d\d with Docker Engine \S+ \([^)]*\)"
_GAP = r"(?: |\\n|\n)"
_WORDS = (
    "Recorded",
    "on",
    r"20\d\d-\d\d-\d\d",
    "with",
    "Docker",
    "Engine",
    r"\S+?",
    r"\([^)]*\);",
    "nothing",
    "was",
    "measured",
)
WRAPPED = rf"{_GAP}+{_GAP.join(_WORDS)}{_GAP}here\."
"""The mark below a plot's axis, whose lines may break between any two words."""

MARKS = (
    r"Recorded mode: no engine runs here\. .*\n",
    rf"\n?(?:<p><em>)?{SAID}; nothing was measured here\.(?:</em></p>)?",
    rf" \({SAID}\)",
    rf", {SAID}(?=>)",
    r'<tr><th scope="row" style="text-align:left">recorded</th><td[^>]*>on 20[^<]*</td></tr>',
    r"\nrecorded: +on 20\d\d-.*",
    r"(?<=xlabel=).[Rr]ecorded on[^>]*(?=,|>)",
    r", recorded(?=[<,\n]|$)",
    WRAPPED,
)

_SAYS = re.compile(r"ecorded(?:: +| |</th><td[^>]*>)on 20")
_MEASURED = re.compile(r'class="dataframe"|\b\d+(?:\.\d+)? ?(?:B|kB|MB|GB|s)\b')


def differing(replayed: dict[str, Any], stored: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the cells whose outputs differ: id, replayed and stored text."""
    pairs = zip(replayed["cells"], stored["cells"], strict=True)
    found = []
    for here, there in pairs:
        if here["cell_type"] != "code" or "nbval-ignore-output" in here["metadata"].get("tags", ()):
            continue
        one, other = told(here), told(there)
        if one != other:
            found.append((here["id"], one, other))
    return found


def told(cell: dict[str, Any]) -> str:
    """Return what a cell printed and showed, without marks and without what may vary."""
    texts = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        for part in (output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")):
            text = "".join(part)
            for pattern in MARKS:
                text = re.sub(pattern, "", text)
            for pattern, replacement in PATTERNS:
                text = re.sub(pattern, replacement, text)
            texts.append(text.strip())
    return "\n".join(filter(None, texts))


def unmarked(notebook: dict[str, Any]) -> list[str]:
    """Return the cells that show a picture, a table, a size or a duration and do not say that it was recorded.

    Guesses and hints are the learner's and the course's own words, and the setup cell's banner says it by itself.
    The clinic without a build reads the files that lie here: nothing that it says is an engine's.
    """
    found = []
    for cell in notebook["cells"]:
        outputs = cell.get("outputs", ())
        text = "\n".join(filter(None, _texts(outputs)))
        source = "".join(cell["source"])
        own = text.startswith(("Noted: ", "Hint ", "Written: "))
        own |= "dm.clinic(" in source and "build=True" not in source
        shows = any("image/png" in one.get("data", ()) for one in outputs) or _MEASURED.search(text)
        if shows and not own and not _SAYS.search(text):
            found.append(cell["id"])
    return found


def _texts(outputs: Iterable[dict[str, Any]]) -> Iterator[str]:
    for output in outputs:
        data = output.get("data", {})
        for part in (output.get("text", ""), *(data.get(kind, "") for kind in ("text/plain", "text/html"))):
            yield "".join(part)


def shown_text(notebook: dict[str, Any]) -> str:
    """Return all text that a notebook's cells printed or showed."""
    outputs = [one for cell in notebook["cells"] for one in cell.get("outputs", ())]
    return "\n".join(
        "".join(part)
        for output in outputs
        for part in (output.get("text", ""), output.get("data", {}).get("text/plain", ""))
    )
