"""The visible mark of recorded mode, on tables, plots and builds: nothing recorded passes for a measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmhelpers.engine.recorded import marks
from dmhelpers.engine.recorded.marks import note
from dmhelpers.show.recorded_frame import SENTENCE, recorded_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["lines", "note", "paragraph", "stamped"]


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
