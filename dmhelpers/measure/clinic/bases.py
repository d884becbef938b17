"""The images that stages start from, and the user that the final one runs as."""

from __future__ import annotations

from collections.abc import Iterator

from dmhelpers.measure.clinic.records import Found
from dmhelpers.measure.clinic.rulebook import fits, signs
from dmhelpers.measure.clinic.subject import Subject, found_at, found_at_from, image_name
from dmhelpers.measure.records import Stage


def check_bases(subject: Subject) -> Iterator[Found]:
    """Find base images without a version, in every stage, and a final image that runs as root."""
    for stage in subject.dockerfile.stages:
        for edge in stage.edges:
            if edge.stage_index is None and _is_floating(edge.source):
                one = next(one for one in stage.instructions if one.line == edge.line)
                how = "is :latest" if image_name(edge.source).tag else "has no tag, which means :latest"
                text = f"{edge.source} {how}."
                yield Found("unpinned-base", one.line, one.end_line, stage.label, text)
    yield from check_user(subject)


def _is_floating(source: str) -> bool:
    name = image_name(source)
    given = source.endswith(":") or "$" in source or name.repository.lower() == "scratch"
    return not given and not name.digest and name.tag in ("", "latest")


def check_user(subject: Subject, *, built_user: str | None = None) -> Iterator[Found]:
    """Find a final image that runs as root.

    Args:
        subject: What is examined.
        built_user: Whom the built image's own configuration names; None where it was not built.
    """
    users = [one for one in subject.placed() if one.instruction.name == "USER" and one.instruction.args]
    drops = _drops_root(subject)
    if users:
        last = users[-1]
        user = last.value(last.instruction.args[0]) if built_user is None else built_user
        if user is not None and is_root(user) and not drops:
            yield found_at(last, "root-user", "The last USER of the final stage is root.")
        return
    base = subject.final_base()
    root = _starts_as_root(subject.chain[0]) if built_user is None else is_root(built_user)
    if root and not drops:
        small = base.lower() == "scratch" or image_name(base).repository.startswith("gcr.io/distroless/")
        rule = "root-user-scratch" if small else "root-user"
        text = f"No USER in the final stage, and {base} leaves root."
        yield found_at_from(subject.target, rule, text)


def is_root(user: str) -> bool:
    """Return whether a USER's value is root; an empty one is."""
    return user.partition(":")[0].strip() in ("", "0", "root")


def _starts_as_root(stage: Stage) -> bool:
    """Return whether a base image is known to run as root; for one that is not known, silence."""
    base, named = stage.base, signs("images")
    name = image_name(base)
    if fits(base, named["not_root"]):
        return False
    if base.lower() == "scratch" or fits(name.repository, named["root_by_default"]):
        return True
    return name.official and name.short in named["root"]


def _drops_root(subject: Subject) -> bool:
    """Return whether something in the final chain gives up root by itself when the program starts."""
    droppers = set(signs("commands")["drop_root"])
    started = {word.rpartition("/")[2] for command in subject.started() for word in command.words}
    installed = {word for run in subject.runs() for command in run.commands for word in command.words}
    return bool(droppers & (started | installed))
