"""`.dockerignore`: which paths of a build context are left out, decided folder by folder.

What a pattern matches is asked of e2b-dockerfile-utils, a port of BuildKit's own matcher; it evaluates a path with
all its parents each time. Here a parent's state is handed down, so that a context of 200,000 files stays quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dmhelpers.errors import DockerfileError

if TYPE_CHECKING:
    from e2b_dockerfile_utils import PatternMatcher

State = tuple[bool, ...]
"""For each pattern, whether it matched a folder or one of its parents."""

_WILD = frozenset("*?[\\")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One line of the file, ready to be tried.

    `text` is set for a plain path, `tail` where the pattern is `**/` and what a name has to fit; `whole` can do any.
    `deep` says that it fits paths of more or fewer parts than its own.
    """

    brings_back: bool
    segments: tuple[str, ...]
    deep: bool
    text: str | None
    tail: PatternMatcher | None
    whole: PatternMatcher

    def matches(self, path: str, name: str, depth: int) -> bool | None:
        """Return whether it fits the path itself; None where the matcher may have answered for a parent."""
        if self.text is not None:
            return path == self.text
        if self.tail is not None:
            return self.tail.matches(name)
        if depth != len(self.segments) and not self.deep:
            return False
        if not self.whole.matches(path):
            return False
        parent = path.rpartition("/")[0]
        return None if self.deep and parent and self.whole.matches(parent) else True


class Ignore:
    """The patterns of one ignore file.

    Args:
        lines: Its lines.
        name: What to call the file in a message.
    """

    def __init__(self, lines: list[str], *, name: str = ".dockerignore") -> None:
        from e2b_dockerfile_utils import PatternMatcher

        try:
            self._matcher = PatternMatcher(lines)
        except ValueError as error:
            raise DockerfileError(
                f"{name} cannot be read: {error}.", hint="Mend that line; docker build refuses it too."
            ) from error
        self._patterns = tuple(_pattern(one) for one in self._matcher.patterns if one not in (".", "!."))
        self._brings_back = any(one.brings_back for one in self._patterns)
        self.start: State = (False,) * len(self._patterns)

    def look(self, path: str, parent: State) -> tuple[bool, State]:
        """Return whether a path is left out, and its state for what stands under it.

        Args:
            path: The path from the context's root, with slashes.
            parent: The state of the folder that it stands in; `start` for the root.
        """
        out, sure, state = False, True, []
        depth, name = path.count("/") + 1, path.rpartition("/")[2]
        for pattern, above in zip(self._patterns, parent, strict=True):
            # A later line changes only what the lines before it have left as it is not.
            hit = above or (pattern.brings_back == out and pattern.matches(path, name, depth))
            sure = sure and hit is not None
            state.append(bool(hit))
            if hit:
                out = not pattern.brings_back
        return (out if sure else self._matcher.matches(path)), tuple(state)

    def may_bring_back(self, folder: str) -> bool:
        """Return whether a line with `!` could bring back something under a folder that is left out."""
        return self._brings_back and self._matcher.may_match_under(folder)


def read_ignore(folder: Path, file: str) -> tuple[Ignore, str | None]:
    """Return the patterns that a build of this Dockerfile applies, and the name of the file that they stand in.

    BuildKit takes `<Dockerfile>.dockerignore` beside the Dockerfile where there is one, else the context's own.

    Args:
        folder: The build context.
        file: The Dockerfile, relative to it.

    Raises:
        DockerfileError: A line cannot be read as a pattern.
    """
    for name in (f"{file}.dockerignore", ".dockerignore"):
        try:
            text = (folder / name).read_bytes().decode("utf-8-sig", "replace")
        except OSError:
            continue
        return Ignore(text.splitlines(), name=name), name
    return Ignore([]), None


def _pattern(cleaned: str) -> _Pattern:
    from e2b_dockerfile_utils import PatternMatcher

    text = cleaned.removeprefix("!")
    plain = not _WILD & set(text)
    tail = text.removeprefix("**/")
    one_name = tail != text and "/" not in tail and "**" not in tail and tail[:1] not in ("", "!", "#")
    return _Pattern(
        brings_back=cleaned.startswith("!"),
        segments=tuple(text.split("/")),
        deep="**" in text,
        text=text if plain else None,
        tail=PatternMatcher([tail]) if one_name and tail == tail.strip() else None,
        whole=PatternMatcher([text]),
    )
