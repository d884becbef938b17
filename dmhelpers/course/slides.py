"""A notebook as slides: which cells are shown, and how much of their words, by rule and not by hand.

* A heading begins a slide: ``##`` one to the right, ``###`` one below. Its whole text is in the speaker notes.
* Of a text, the slide has what can be read from the back row: headings, code, tables, the first sentence under a
  heading, the last sentence before code, a list or a table (with the one before it, where it speaks of "it"), and the
  first sentence of each item of a list.
* A guess (tag ``predict``) shows what the learner is asked, with every question of its text, and never a solution.
* What is done shows its code, under the sentence that leads to it, and its result with the next key, so that the room
  can say first what it expects: below the code where both are short, else on a slide of its own. A claim shows its
  verdict.
* Exercises, checks, hints, set-up, clean-up, and what follows the recap stay in the notebook.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dmhelpers.course.notebooks import Json, source, stub, tags

SHORT_LINES = 4
SHORT_RESULT_LINES = 16
LEFT_OUT = frozenset({"setup", "cleanup", "hint", "check"})
_HEADING = re.compile(r"(#{1,6}) \S")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)]) \S")
_FENCE = re.compile(r"\s*(```|~~~)")
_END = re.compile(r"[.?!][\"'*)]*(?=\s+[\"'*(]*[A-Z`])")
_SPEAKS_BACK = re.compile(r"(It|Its|They|Their|That|This|These|Then|So)\b")
_IN_WORDS = re.compile(r"[*(]In words\b[^:]*: ?(.*?)(?<=\S)[*)](?=\s|$)", re.DOTALL)
_PICTURES = ("image/png", "image/svg+xml", "image/jpeg")


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a text cell: `kind` is ``heading``, ``code``, ``list``, ``table`` or ``words``."""

    kind: str
    text: str

    @property
    def level(self) -> int:
        """A heading's number of hashes."""
        return len(self.text) - len(self.text.lstrip("#"))


def slides(notebook: Json) -> Json:
    """Return a notebook of which `nbconvert` makes the slides, with the slide types in its cells.

    Args:
        notebook: A solution with its outputs; it stays as it is.
    """
    cells: list[Json] = []
    text = ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = source(cell)
            cells += _text_slides(text)
        elif cell["cell_type"] == "code" and not tags(cell) & LEFT_OUT:
            cells += _code_slides(cell, text)
        if "recap" in tags(cell):
            break
    return {**notebook, "cells": [one | {"id": f"slide-{at}"} for at, one in enumerate(cells)]}


def blocks(text: str) -> list[Block]:
    """Return the parts of a text cell, in order; code keeps its fences."""
    found: list[Block] = []
    for lines in _pieces(text.splitlines()):
        kind = _kind(lines)
        if kind == "list" and found and found[-1].kind == "list":
            found[-1] = Block("list", "\n".join([found[-1].text, *lines]))
        else:
            found.append(Block(kind, "\n".join(lines)))
    return found


def _pieces(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the lines between blank lines; a heading stands alone, and code is not split."""
    piece: list[str] = []
    fence = ""
    for line in lines:
        mark = _FENCE.match(line)
        ends = not fence and (not line.strip() or _HEADING.match(line) or mark or _begins_list(piece, line))
        if ends and piece:
            yield piece
            piece = []
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1] == fence:
            yield [*piece, line]
            piece, fence = [], ""
            continue
        if line.strip() or fence:
            piece.append(line)
        if not fence and _HEADING.match(line):
            yield piece
            piece = []
    if piece:
        yield piece


def _begins_list(piece: list[str], line: str) -> bool:
    return bool(piece and _ITEM.match(line) and not _ITEM.match(piece[0]))


def _kind(lines: list[str]) -> str:
    if _HEADING.match(lines[0]):
        return "heading"
    if _FENCE.match(lines[0]):
        return "code"
    if _ITEM.match(lines[0]):
        return "list"
    return "table" if lines[0].lstrip().startswith("|") else "words"


def _text_slides(text: str) -> Iterator[Json]:
    """Yield a text cell's slides, each with its whole text as notes; one with nothing to show is notes only."""
    parts: list[list[Block]] = [[]]
    for block in blocks(text):
        if block.kind == "heading" and parts[-1]:
            parts.append([])
        parts[-1].append(block)
    for part in parts:
        shown = list(_shown(part))
        if shown:
            begins = "slide" if part[0].kind == "heading" and part[0].level <= 2 else "subslide"
            yield _markdown("\n\n".join(shown), begins)
        whole = "\n\n".join(one.text for one in part if one.kind != "heading")
        if whole:
            yield _markdown(whole, "notes")


def _shown(part: list[Block]) -> Iterator[str]:
    for at, block in enumerate(part):
        follows_heading = at > 0 and part[at - 1].kind == "heading"
        leads_in = at + 1 < len(part) and part[at + 1].kind in ("code", "list", "table")
        if block.kind == "list":
            yield "\n".join(_first(item) for item in _items(block.text))
        elif block.kind != "words":
            yield block.text
        elif follows_heading and part[at - 1].text.endswith("# Predict"):
            yield _asked(block.text)
        elif follows_heading:
            yield _first(block.text)
        elif leads_in:
            yield _last(block.text)


def _items(text: str) -> Iterator[str]:
    item: list[str] = []
    for line in text.splitlines():
        if _ITEM.match(line) and item:
            yield " ".join(item)
            item = []
        item.append(line if not item else line.strip())
    yield " ".join(item)


def _first(text: str) -> str:
    return _sentences(text)[0]


def _last(text: str) -> str:
    """Return the last sentence, with the one before it where it would be about nothing without that."""
    sentences = _sentences(text)
    return " ".join(sentences[-2:] if _SPEAKS_BACK.match(sentences[-1]) else sentences[-1:])


def _asked(text: str) -> str:
    """Return what a guess is about and each question about it."""
    first, *rest = _sentences(text)
    return " ".join([first, *(one for one in rest if one.rstrip("*\"')").endswith("?"))])


def _sentences(text: str) -> list[str]:
    line = " ".join(text.split("\n"))
    ends = [0, *(one.end() for one in _END.finditer(line)), len(line)]
    return [line[begin:end].strip() for begin, end in pairwise(ends)]


def _code_slides(cell: Json, before: str) -> Iterator[Json]:
    """Yield a code cell's slides; `before` is the text cell above it."""
    marks = tags(cell)
    asked = stub(cell) if "predict" in marks else None
    if asked is not None:
        yield _code(asked, "fragment")
        return
    if "exercise" in marks:
        return
    outputs = [_described(one, _in_words(before)) for one in _results(cell.get("outputs", ()))]
    if "claim" not in marks:
        yield from (_markdown(one, "subslide") for one in _lead(before))
        yield _code(source(cell), "-" if _lead(before) else "subslide")
    if outputs:
        yield _code(source(cell), "fragment" if "claim" not in marks and _fits_below(cell) else "subslide", outputs)


def _fits_below(cell: Json) -> bool:
    results = _results(cell.get("outputs", ()))
    drawn = any(kind in one.get("data", {}) for one in results for kind in _PICTURES)
    lines = sum(_printed(one).count("\n") for one in results)
    return not drawn and lines <= SHORT_RESULT_LINES and len(source(cell).splitlines()) <= SHORT_LINES


def _printed(output: Json) -> str:
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))


def _lead(text: str) -> list[str]:
    """Return the sentence that leads from a text to the code below it, where it ends in words that no slide shows."""
    last = blocks(text)[-2:]
    shown = len(last) == 2 and last[0].kind == "heading" and len(_sentences(last[1].text)) == 1
    spoken = bool(_IN_WORDS.match(last[-1].text)) if last else True
    return [] if shown or spoken or last[-1].kind != "words" else [_last(last[-1].text)]


def _results(outputs: Iterable[Json]) -> list[Json]:
    """Return what a cell came to; the lines that a build printed on the way only where nothing else is there."""
    found = [one for one in outputs if one["output_type"] != "stream" or one.get("name") == "stdout"]
    results = [one for one in found if one["output_type"] != "stream"]
    return results or found


def _described(output: Json, words: str) -> Json:
    """Give a picture the words that the notebook describes it with, or the text that a drawn graph has beside it."""
    data = output.get("data", {})
    pictures = [kind for kind in _PICTURES if kind in data]
    if not words and "image/svg+xml" in data:
        words = "".join(data.get("text/plain", ""))
    if not (pictures and words):
        return output
    return output | {"metadata": {**output.get("metadata", {}), **{kind: {"alt": words} for kind in pictures}}}


def _in_words(text: str) -> str:
    found = _IN_WORDS.search(text)
    return " ".join(found[1].split()) if found else ""


def _markdown(text: str, slide_type: str) -> Json:
    return {"cell_type": "markdown", "metadata": _slide(slide_type), "source": text}


def _code(text: str, slide_type: str, outputs: list[Json] | None = None) -> Json:
    metadata: dict[str, Any] = _slide(slide_type)
    if outputs is not None:
        metadata["transient"] = {"remove_source": True}
    made = {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": outputs or []}
    return made | {"source": text}


def _slide(slide_type: str) -> dict[str, Any]:
    return {"slideshow": {"slide_type": slide_type}}
