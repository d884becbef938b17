"""Guesses and measurements as values that can be compared: sizes, shares, seconds, counts, names, yes and no."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from dmhelpers.units import docker_size, percent, seconds

Kind = Literal["size", "share", "seconds", "count", "names", "yes or no", "text"]

CLOSE = 0.10
"""How far a guess may be from the measurement, as a share of it, and still be called close."""

_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_AMOUNT = re.compile(r"[~<>≈]?\s*(?P<number>-?\d+(?:[.,]\d+)?)\s*(?P<unit>[a-z]*|%)\s*\+?", re.IGNORECASE)
_YES_NO = {"yes": True, "no": False, "true": True, "false": False}
_SMALLEST_SIZE = 1000
"""A whole number below this is a count; from it on, bytes. Smaller sizes are written with their unit: ``"12B"``."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value of a known kind: bytes, a fraction of 1, seconds, a number, a set of names, a truth, or words."""

    kind: Kind
    value: Any

    def __str__(self) -> str:
        if self.kind == "size":
            return docker_size(self.value)
        if self.kind == "share":
            return percent(self.value)
        if self.kind == "seconds":
            return seconds(self.value)
        if self.kind == "names":
            return ", ".join(sorted(self.value, key=str.casefold)) or "none"
        if self.kind == "yes or no":
            return "yes" if self.value else "no"
        return f"{self.value:g}" if isinstance(self.value, float) else str(self.value)


def plain(value: Any) -> Any:
    """Return a value as JSON can keep it; None for what is no guess yet (None, Ellipsis, an empty text or list)."""
    if hasattr(value, "tolist"):  # numpy's scalars and pandas' columns
        value = value.tolist()
    if value is None or value is ...:
        return None
    if isinstance(value, str):
        return None if value.strip() in ("", "...", "…", "?") else value.strip()
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, set | frozenset | list | tuple):
        names = [str(one) for one in value if one is not ... and one is not None]
        return None if value and not names else sorted(names)
    return str(value)


def quantity(value: Any) -> Quantity:
    """Return what a plain value means by its form: ``"450MB"``, ``"90%"``, ``"12s"``, ``True``, a list of names."""
    if isinstance(value, bool):
        return Quantity("yes or no", value)
    if isinstance(value, list):
        return Quantity("names", frozenset(str(one).strip() for one in value))
    if isinstance(value, int | float):
        return _number(value)
    text = str(value).strip()
    if text.lower() in _YES_NO:
        return Quantity("yes or no", _YES_NO[text.lower()])
    found = _AMOUNT.fullmatch(text)
    if found is None:
        return Quantity("text", text)
    number, unit = _amount(found["number"]), found["unit"].lower()
    if unit in _UNITS:
        return Quantity("size", number * _UNITS[unit])
    if unit == "%":
        return Quantity("share", number / 100)
    if unit in ("s", "sec", "seconds"):
        return Quantity("seconds", number)
    return _number(int(number) if number.is_integer() else number) if not unit else Quantity("text", text)


def pair(guess: Any, measured: Any) -> tuple[Quantity, Quantity]:
    """Return both as quantities of one kind where one of them says which: a bare 450 against ``"190MB"`` is bytes."""
    one, other = quantity(guess), quantity(measured)
    if one.kind != other.kind:
        if one.kind == "count" and other.kind in ("size", "share", "seconds"):
            one = Quantity(other.kind, one.value)
        elif other.kind == "count" and one.kind in ("size", "share", "seconds"):
            other = Quantity(one.kind, other.value)
        elif "names" in (one.kind, other.kind):
            one, other = _names(one), _names(other)
    return one, other


def compare(guess: Quantity, measured: Quantity) -> str:
    """Return in words how a guess compares: right, close, wrong, or off and by how much."""
    if guess.kind != measured.kind:
        return "wrong"
    if str(guess).casefold() == str(measured).casefold():
        return "right"
    if guess.kind == "names":
        return _compare_names(guess.value, measured.value)
    if guess.kind in ("text", "yes or no"):
        return "wrong"
    difference = guess.value - measured.value
    if guess.kind != "count" and abs(difference) <= CLOSE * abs(measured.value):
        return "close"
    by = percent_points(difference) if guess.kind == "share" else str(Quantity(guess.kind, abs(difference)))
    return f"off by {by}, too {'high' if difference > 0 else 'low'}"


def percent_points(difference: float) -> str:
    """Return the distance of two shares: 0.07 gives ``"7 points"``."""
    return f"{abs(difference) * 100:.3g} points"


def _amount(text: str) -> float:
    # A comma before three digits parts thousands, before fewer or more it stands for the decimal point.
    return float(re.sub(r",(?=\d{3}$)", "", text).replace(",", "."))


def _number(value: int | float) -> Quantity:
    if not isinstance(value, int) and 0 <= value <= 1:
        return Quantity("share", value)
    return Quantity("size" if abs(value) >= _SMALLEST_SIZE else "count", value)


def _names(value: Quantity) -> Quantity:
    if value.kind == "names":
        return value
    words = [one for one in re.split(r"[,\s]+", str(value.value)) if one]
    nothing = [one.casefold() for one in words] in (["none"], ["nothing"])
    return Quantity("names", frozenset(() if nothing else words))


def _compare_names(guess: frozenset[str], measured: frozenset[str]) -> str:
    parts = []
    for words, here, there in (("not named", measured, guess), ("named, but not among them", guess, measured)):
        known = {one.casefold() for one in there}
        left = [one for one in sorted(here, key=str.casefold) if one.casefold() not in known]
        if left:
            parts.append(f"{words}: {', '.join(left)}")
    return f"wrong ({'; '.join(parts)})"
