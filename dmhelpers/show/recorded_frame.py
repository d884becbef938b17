"""A table that shows below its rows that it comes from a recording; what is made of it does so too."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pandas as pd


class RecordedFrame(pd.DataFrame):
    """A DataFrame with the mark of recorded mode; choosing rows or columns of it, or copying it, keeps the mark."""

    SENTENCE = "recorded_sentence"

    @property
    def _constructor(self) -> Callable[..., RecordedFrame]:
        return RecordedFrame

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n{self._sentence}"

    def _repr_html_(self) -> str | None:
        shown: Any = pd.DataFrame._repr_html_  # type: ignore[attr-defined]
        table = shown(self)
        return None if table is None else f"{table}<p><em>{html.escape(self._sentence)}</em></p>"

    @property
    def _sentence(self) -> str:
        return str(self.attrs.get(self.SENTENCE, "Recorded; nothing was measured here."))
