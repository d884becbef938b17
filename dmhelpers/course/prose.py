"""What the words of a notebook are held to: whom they speak to, where they lead, what they must not give away."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)")
_US = re.compile(r"\b(we|we're|we'll|we've|us|our|ours|ourselves|let's|lets us)\b", re.IGNORECASE)
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f]")
_MACHINE_PATH = re.compile(
    r"(?<![\w.~/-])/(?:home|root|tmp|Users|private|mnt|workspaces)/[^\s\"'<>]*|\b[A-Z]:\\{1,2}[^\s\"'<>]+"
)
_ADDRESS = re.compile(r"\bhttps?://[^\s\"'<>)]+")
_HARMLESS = re.compile(r"https?://(localhost|127\.0\.0\.1|docs\.docker\.com|www\.w3\.org)\b")


def prose(markdown: str) -> str:
    """Return a text cell's words, without its code."""
    return _INLINE.sub("code", _FENCE.sub("", markdown))


def links(markdown: str) -> tuple[str, ...]:
    """Return where a text cell's links and pictures lead, in order."""
    return tuple(_LINK.findall(_INLINE.sub("", _FENCE.sub("", markdown))))


def speaks_of_us(markdown: str) -> str:
    """Return the first word that speaks of us instead of you, empty if there is none."""
    found = _US.search(prose(markdown).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    return found[0] if found else ""


def emoji(text: str) -> str:
    """Return the first emoji or dingbat of a text, empty if there is none."""
    found = _EMOJI.search(text)
    return found[0] if found else ""


def machine_paths(text: str) -> tuple[str, ...]:
    """Return what looks like a path of the machine that a notebook ran on."""
    return tuple(_MACHINE_PATH.findall(text))


def foreign_addresses(text: str) -> tuple[str, ...]:
    """Return a text's web addresses, except those of this machine, of Docker's manual and of XML's name spaces."""
    return tuple(one for one in _ADDRESS.findall(text) if not _HARMLESS.match(one))
