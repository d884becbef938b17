"""Secrets: in ARG and ENV, in the text of a line, in files that COPY brings. A value is never told."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Literal

from dmhelpers.measure.clinic.context import BuildContext
from dmhelpers.measure.clinic.placing import Placed, env_of
from dmhelpers.measure.clinic.records import Found
from dmhelpers.measure.clinic.rulebook import fits, signs
from dmhelpers.measure.clinic.subject import Subject, found_at, listed
from dmhelpers.measure.records import Stage

HIDDEN = "[hidden]"
_LONG = 8
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_NPM_TOKEN = re.compile(r"(?:_authToken|_auth|_password)\s*=\s*[^\s$]")
_ASSIGNED = re.compile(r"^\s*(?:export\s+)?(\w+)\s*=\s*(\S.*)$", re.MULTILINE)


def check_secrets(subject: Subject) -> Iterator[Found]:
    """Find secrets in every stage: in those that the image is made of, and in those that only stay in the cache."""
    chain = {one.index for one in subject.chain}
    for stage in subject.dockerfile.stages:
        rule = "secret-in-image" if stage.index in chain else "secret-in-builder"
        for placed in subject.placed(stage):
            if placed.stage is stage:
                yield from _in_line(subject, placed, rule)
        if stage in subject.needed or stage.index in chain:
            yield from _in_files(subject, stage, rule)


def secret_values(subject: Subject) -> frozenset[str]:
    """Return the values of the secrets that stand in the Dockerfile, to be hidden wherever it is quoted."""
    found = {
        value
        for stage in subject.dockerfile.stages
        for placed in subject.placed(stage)
        for name, value in _named_values(placed)
        if is_secret_name(name) and _is_secret_value(value)
    }
    text = subject.dockerfile.text
    return frozenset(found | {match[0] for _, form in _forms() for match in form.finditer(text)})


def hide(text: str, values: Iterable[str]) -> str:
    """Return a text with every secret value hidden; a short one only where it stands as a word of its own."""
    for value in sorted(values, key=len, reverse=True):
        for one in {value, value.strip("'\"")} - {""}:
            pattern = re.escape(one) if len(one) >= _LONG else rf"(?<![\w-]){re.escape(one)}(?![\w-])"
            text = re.sub(pattern, HIDDEN, text)
    for _, form in _forms():
        text = form.sub(HIDDEN, text)
    return text


def is_secret_name(name: str) -> bool:
    """Return whether a variable's name says that its value is a secret."""
    named = signs("secrets")
    words = [one for one in re.split(r"[_\-.]+|(?<=[a-z])(?=[A-Z])", name) if one]
    lower = [one.lower() for one in words]
    if set(lower) & set(named["harmless"]) or name.startswith(tuple(named["public_prefixes"])):
        return False
    keys = any(one == "key" and at and lower[at - 1] in named["key_words"] for at, one in enumerate(lower))
    return keys or any(one in named["words"] for one in lower)


def _is_secret_value(value: str) -> bool:
    return bool(value) and value.strip("'\"").lower() not in signs("secrets")["harmless_values"]


def _named_values(placed: Placed) -> Iterator[tuple[str, str]]:
    """Give the names of an ARG or ENV with their values; ``""`` for an ARG without a default."""
    instruction = placed.instruction
    if instruction.name == "ENV":
        yield from env_of(placed)
    elif instruction.name == "ARG":
        for word in instruction.args:
            name, _, default = word.partition("=")
            yield name, default.strip("'\"")


def _in_line(subject: Subject, placed: Placed, rule: str) -> Iterator[Found]:
    instruction = placed.instruction
    for name, value in _named_values(placed):
        if not is_secret_name(name):
            continue
        if instruction.name == "ARG" and not value:
            if _is_used(subject, placed, name):
                text = f"ARG {name}: what is given for it is recorded with the steps that use it."
                yield found_at(placed, rule, text)
        elif _is_secret_value(value):
            yield found_at(placed, rule, f"{instruction.name} {name} has a value on this line.")
    if instruction.name not in ("ARG", "ENV"):
        text = "\n".join([instruction.text, *instruction.heredocs])
        forms = [name for name, form in _forms() if form.search(text)]
        if forms:
            yield found_at(placed, rule, f"{listed(forms)} stands on this line.")


def _is_used(subject: Subject, placed: Placed, name: str) -> bool:
    wanted = re.compile(rf"\$\{{?{re.escape(name)}\b")
    return any(
        wanted.search("\n".join([one.instruction.text, *one.instruction.heredocs]))
        for stage in subject.dockerfile.stages
        for one in subject.placed(stage)
        if placed.stage in subject.dockerfile.chain(stage) and one.instruction.line > placed.instruction.line
    )


def _in_files(subject: Subject, stage: Stage, rule: str) -> Iterator[Found]:
    for brought in subject.brought(stage):
        if brought.placed.stage is not stage:
            continue
        paths = [path for piece in brought.pieces for path, _ in piece.files(subject.context)]
        kept = [path for path in paths if is_secret_file(subject.context, path)]
        if kept:
            yield found_at(brought.placed, rule, f"This line copies {listed(kept)}.")


def is_secret_file(context: BuildContext, path: str) -> bool:
    """Return whether a file of the context holds a secret, by its name and, where that does not say, its content."""
    name, named = PurePosixPath(path).name, signs("secrets")
    test = _file_test(name)
    if test is None or fits(name, named["examples"]) or set(path.split("/")[:-1]) & set(named["example_folders"]):
        return False
    return test is True or bool(test(context.read(path)))


def _file_test(name: str) -> Callable[[str], object] | Literal[True] | None:
    """Return how a file of that name is tried: by its content, not at all (True), or as no secret (None)."""
    if fits(name, signs("secrets")["files"]):
        return True
    if name == ".env" or name.startswith(".env.") or name.endswith(".env"):
        return _sets_something
    if name in (".npmrc", ".yarnrc"):
        return _NPM_TOKEN.search
    if name.endswith((".pem", ".key")):
        return _PRIVATE_KEY.search
    if name == ".pypirc":
        return re.compile(r"^\s*password\s*[:=]\s*\S", re.MULTILINE).search
    if name == "credentials":
        return re.compile(r"^\s*aws_secret_access_key\s*=\s*\S", re.MULTILINE).search
    if name.endswith(".json") and ("service" in name or "credential" in name or "key" in name):
        return re.compile(r'"private_key"\s*:\s*"-----BEGIN').search
    return None


def _sets_something(text: str) -> bool:
    prefixes = tuple(signs("secrets")["public_prefixes"])
    return any(not name.startswith(prefixes) and value.strip("'\" ") for name, value in _ASSIGNED.findall(text))


@functools.cache
def _forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, re.compile(form)) for name, form in signs("secrets")["forms"])
