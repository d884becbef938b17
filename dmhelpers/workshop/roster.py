"""Who may come in: names from a plain file, and a code for each, of which only a hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from dmhelpers.errors import InputError

_SYMBOLS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is read as another: no i, l, o, 0, 1
_GROUPS, _GROUP_CHARS = 3, 4
_SCRYPT = {"n": 2**13, "r": 8, "p": 1}
_LONGEST = 40
INSTRUCTOR = "instructor"
"""The login of whose card comes with every workshop."""


@dataclass(frozen=True, slots=True)
class Learner:
    """One line of the roster.

    Args:
        login: What they type: small letters, digits and hyphens.
        name: What the roster's line says.
        salt: Of the hash, in hexadecimal.
        code_hash: The code's scrypt hash, in hexadecimal.
        instructor: Whether they see the instructor's pages.
    """

    login: str
    name: str
    salt: str
    code_hash: str
    instructor: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """What is handed to a learner; the one place where their code stands in plain text."""

    login: str
    name: str
    code: str


def read_names(path: Path) -> tuple[str, ...]:
    """Return the names of a roster file: one a line, blank lines and those that begin with ``#`` left out.

    Raises:
        InputError: It cannot be read, holds no name, two lines give the same login, or one gives the instructor's.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The roster {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}.",
            hint="Give a plain text file with one name a line.",
        ) from error
    names = tuple(one.strip() for one in lines if one.strip() and not one.strip().startswith("#"))
    if not names:
        raise InputError(f"The roster {str(path)!r} holds no name.", hint="Write one name a line.")
    _hold_apart(names)
    return names


def login_of(name: str) -> str:
    """Return what a person of that name types to log in: ``"Zoë de Vries"`` is ``zoe-de-vries``.

    Raises:
        InputError: Nothing is left of the name.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    login = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST].strip("-")
    if not login:
        raise InputError(
            f"The roster's name {name!r} has no Latin letter or digit to make a login of.",
            hint="Write the line in Latin letters, or as a number: seat-07",
        )
    return login


def enrol(names: Iterable[str], *, instructor: bool = False) -> tuple[list[Learner], list[Card]]:
    """Give each name a fresh code.

    Returns:
        The learners, with hashes only, and the cards, which hold the codes.
    """
    learners, cards = [], []
    for name in names:
        code = new_code()
        salt = secrets.token_hex(16)
        learners.append(Learner(login_of(name), name, salt, _hash(code, salt), instructor))
        cards.append(Card(login_of(name), name, code))
    return learners, cards


def renewed(known: Mapping[str, Learner], names: Iterable[str]) -> tuple[list[Learner], list[Card]]:
    """Let in who is on a list: who was before keeps their code, who is new gets one, who is not in `names` is out.

    Args:
        known: The roster of before, by login; empty for none.
        names: The list.

    Returns:
        Everybody, the instructor too, and the cards of those who are new.
    """
    wanted = {login_of(name): name for name in names}
    kept = [one for one in known.values() if one.login in wanted or one.instructor]
    learners, cards = enrol(name for login, name in wanted.items() if login not in known)
    if not any(one.instructor for one in kept):
        instructors, card = enrol([INSTRUCTOR], instructor=True)
        learners, cards = learners + instructors, cards + card
    return kept + learners, cards


def new_code() -> str:
    """Return a fresh code of 12 symbols, such as ``k7qd-m3xp-w9ra``: 31 ** 12 of them, about 59 bits."""
    groups = ("".join(secrets.choice(_SYMBOLS) for _ in range(_GROUP_CHARS)) for _ in range(_GROUPS))
    return "-".join(groups)


def admits(roster: Mapping[str, Learner], login: str, code: str) -> bool:
    """Tell whether this login and code belong together; as slow for a login that is not on the roster."""
    learner = roster.get(login)
    salt, expected = (learner.salt, learner.code_hash) if learner else ("00", "")
    return hmac.compare_digest(_hash(code.strip().lower(), salt), expected)


def save(path: Path, learners: Iterable[Learner]) -> None:
    """Write the roster, readable by its owner only."""
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps([asdict(one) for one in learners], indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


def load(path: Path) -> dict[str, Learner]:
    """Return the roster by login; empty where none was written."""
    if not path.is_file():
        return {}
    read = [Learner(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    return {one.login: one for one in read}


def _hash(code: str, salt: str) -> str:
    return hashlib.scrypt(code.encode(), salt=bytes.fromhex(salt), **_SCRYPT).hex()


def _hold_apart(names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        login = login_of(name)
        if login == INSTRUCTOR:
            raise InputError(
                f"The roster's name {name!r} is that of your own card, which every workshop has.",
                hint="Leave the line out, or write the person's name.",
            )
        if login in seen:
            raise InputError(
                f"The roster's names {seen[login]!r} and {name!r} give the same login, {login!r}.",
                hint="Tell them apart in the file, by a second name or a number.",
            )
        seen[login] = name
