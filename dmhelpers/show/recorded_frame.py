"""A table that shows below its rows that it comes from a recording; what is made of it does so too."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SENTENCE = "recorded_sentence"
"""The key in `.attrs` of what is shown below the rows."""


@functools.cache
def recorded_frame() -> type[pd.DataFrame]:
    """Return the class of such tables, made when it is first used: pandas comes with it.

    Choosing rows or columns of such a table, or copying it, keeps the mark.
    """
    import pandas as pd

    class RecordedFrame(pd.DataFrame):
        """A DataFrame with the mark of recorded mode."""

        recorded = True

        @property
        def _constructor(self) -> Callable[..., RecordedFrame]:
            return RecordedFrame

        def __repr__(self) -> str:
            return f"{super().__repr__()}\n{_sentence(self)}"

        def _repr_html_(self) -> str | None:
            shown: Any = pd.DataFrame._repr_html_  # type: ignore[attr-defined]
            table = shown(self)
            return None if table is None else f"{table}<p><em>{html.escape(_sentence(self))}</em></p>"

    return RecordedFrame


def is_recorded(frame: pd.DataFrame) -> bool:
    """Return whether a table, or what it was made of, comes from a recording."""
    return getattr(type(frame), "recorded", False) is True


def _sentence(frame: pd.DataFrame) -> str:
    return str(frame.attrs.get(SENTENCE, "Recorded; nothing was measured here."))
