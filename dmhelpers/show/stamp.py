"""The visible mark of recorded mode, on tables, plots and builds: nothing recorded passes for a measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmhelpers.engine.recorded import marks
from dmhelpers.show.recorded_frame import SENTENCE, recorded_frame

if TYPE_CHECKING:
    import pandas as pd


def note() -> str:
    """Return the sentence that stands below what comes from a recording, ``""`` where an engine was asked."""
    said = marks.sentence()
    return f"{said[0].upper()}{said[1:]}; nothing was measured here." if said else ""


def lines(*shown: str) -> str:
    """Return lines of text, with the mark as the last one in recorded mode."""
    return "\n".join([*shown, *filter(None, [note()])])


def paragraph() -> str:
    """Return the mark as a paragraph of HTML, ``""`` where an engine was asked."""
    said = note()
    return f"<p><em>{said}</em></p>" if said else ""


def stamped(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table that says where it comes from: in recorded mode below its rows and in ``.attrs["recorded"]``."""
    said = note()
    if not said:
        return frame
    made = recorded_frame()(frame)
    made.attrs.update(frame.attrs)
    for name, value in {**marks.attributes(), SENTENCE: said}.items():
        made.attrs[name] = value
    return made
