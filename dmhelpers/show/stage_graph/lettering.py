"""Text without a font at hand: how wide it will be at most, how it is cut, and which characters XML allows."""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"
# No common monospace font is wider than this a letter (DejaVu Sans Mono 0.602 em), which keeps labels apart.
LETTER_EM = 0.61
SANS_EM = 0.56  # the mean of names and sentences in DejaVu Sans, a wide one
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def width_px(text: str, size_px: float, *, letter_em: float = LETTER_EM) -> float:
    """Return how wide a line of text is at most: monospace, unless the width of a letter is given.

    Args:
        text: The line.
        size_px: The size of its font.
        letter_em: How wide a letter is, as a share of that size.
    """
    return _cells(text) * size_px * letter_em


def cut(text: str, limit_px: float, size_px: float, *, letter_em: float = LETTER_EM) -> str:
    """Return the text, or as much of its start as fits into a width, with an ellipsis.

    Args:
        text: One line of text.
        limit_px: The width.
        size_px: The size of its font.
        letter_em: How wide a letter is, as a share of that size.
    """
    text = " ".join(drawable(text).split())
    if width_px(text, size_px, letter_em=letter_em) <= limit_px:
        return text
    while text and width_px(text + ELLIPSIS, size_px, letter_em=letter_em) > limit_px:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS


def drawable(text: str) -> str:
    """Return the text with what XML forbids replaced."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
