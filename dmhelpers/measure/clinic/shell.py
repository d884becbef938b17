"""What a RUN does, as the simple commands that its text is made of.

This is no shell: it splits at what joins commands and leaves the rest as words. Text that cannot be split gives no
commands, so a check that reads them stays silent.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dmhelpers.measure.records import Instruction

_JOINS = "();<>|&\n"
_LEADING = frozenset(re.findall(r"\S+", "if then else elif do while until ! { } time exec sudo command nohup env"))
_SHELLS = frozenset(re.findall(r"\S+", "sh bash ash dash zsh"))
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_SHEBANG_SHELL = re.compile(r"#!\S*/(?:env\s+)?(?:\S*/)?(?:ba|da|a|z)?sh\b")
_DEEPEST = 3
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: its words, and the variables that were set for it alone."""

    words: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        """The command's name without its folder; what `python -m`, `npx` and the like run counts as the command."""
        return self.bare[0] if self.bare else ""

    @property
    def bare(self) -> tuple[str, ...]:
        """The words from the program on, without what only starts it."""
        words = self.words
        if not words:
            return ()
        name = words[0].rpartition("/")[2]
        if re.fullmatch(r"python[\d.]*", name) and words[1:2] == ("-m",) and len(words) > 2:
            return words[2:]
        if re.fullmatch(r"pip[\d.]*", name):
            return ("pip", *words[1:])
        starts = (name == "npx", name == "corepack", name in {"poetry", "pipenv", "uv"} and words[1:2] == ("run",))
        if any(starts):
            rest = [one for one in words[1:] if not one.startswith("-") and one != "run"]
            return tuple(rest)
        return (name, *words[1:])

    @property
    def shown(self) -> str:
        """The command for a sentence, shortened."""
        text = " ".join(" ".join(self.words).split())
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"

    @property
    def plain(self) -> tuple[str, ...]:
        """The words after the program that are no options."""
        return tuple(one for one in self.bare[1:] if not one.startswith("-"))

    def has(self, *options: str) -> bool:
        """Return whether one of these words is among the arguments, alone or with a value behind `=`."""
        return any(one in options or one.partition("=")[0] in options for one in self.bare[1:])


def commands_of(run: Instruction) -> tuple[Command, ...]:
    """Return the simple commands of a RUN, CMD or ENTRYPOINT, in order; none where it cannot be told."""
    if run.exec_form:
        return tuple(_unwrapped(tuple(run.args), {}, 0))
    text = " ".join(run.args) if run.args else _without_flags(run.text)
    found = tuple(_split(text, 0))
    scripts = [one for one in run.heredocs if not one.startswith("#!") or _SHEBANG_SHELL.match(one)]
    shell = not found or (found[0].program in _SHELLS and not set(found[0].plain) - {"pipefail"})
    return (*found, *(one for script in scripts for one in _split(_joined(script), 0))) if shell else found


def _without_flags(text: str) -> str:
    words = text.split()[1:]
    while words and words[0].startswith("--"):
        words.pop(0)
    return " ".join(words)


def _joined(script: str) -> str:
    script = re.sub(r"\\\n", " ", script)
    return "\n".join(line for line in script.split("\n") if not line.lstrip().startswith("#"))


def _split(text: str, depth: int) -> Iterator[Command]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_JOINS)
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:  # a quote without its other half
        return
    words: list[str] = []
    skip = False
    for token in [*tokens, "\n"]:
        if token and set(token) <= set(_JOINS):
            skip = bool(set(token) & set("<>"))
            if skip:
                if words and words[-1].isdigit():  # 2>/dev/null
                    words.pop()
            else:
                yield from _command(words, depth)
                words = []
        elif skip:
            skip = False
        else:
            words.append(token)


def _command(words: list[str], depth: int) -> Iterator[Command]:
    variables: dict[str, str] = {}
    while words and (words[0] in _LEADING or _ASSIGNED.fullmatch(words[0])):
        assigned = _ASSIGNED.fullmatch(words[0])
        if assigned:
            variables[assigned[1]] = assigned[2]
        words = words[1:]
    comment = next((at for at, word in enumerate(words) if word.startswith("#")), len(words))
    yield from _unwrapped(tuple(words[:comment]), variables, depth)


def _unwrapped(words: tuple[str, ...], variables: Mapping[str, str], depth: int) -> Iterator[Command]:
    """Give the command, or what `sh -c` runs."""
    if not words:
        return
    if words[0].rpartition("/")[2] in _SHELLS and depth < _DEEPEST:
        for at, word in enumerate(words[1:-1], start=1):
            if re.fullmatch(r"-[a-z]*c", word):
                yield from _split(words[at + 1], depth + 1)
                return
    yield Command(words, variables)
