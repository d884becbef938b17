"""The rules that every notebook keeps, each one a sentence and a function that yields what breaks it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dmhelpers.course.notebooks import METADATA, NAMES, TAGS, Json, Shelf, read, source, stub, tags
from dmhelpers.course.prose import emoji, foreign_addresses, links, machine_paths, prose, speaks_of_us

CODE_LINES = 12
DOCKERFILE_LINES = 30
MAGIC = "%%dockerfile"

_FIRST_LINE = re.compile(r"# (?P<number>\d\d) · \S.*")
_MINUTES = re.compile(r"\b\d+ minutes?\b")
_DISK = re.compile(r"\b\d+(\.\d+)? ?(kB|MB|GB)\b")
_NUMBER = re.compile(r"\d\d-[a-z]")
_PUZZLE = re.compile(r"\bdm\.(parsons|quiz)\(")
_CONTROL = re.compile(r"\bdm\.(parsons|quiz|stage_picker)\(")
_OWN_CONTROL = re.compile(r"\bipywidgets\b|\binteract(ive)?\(|\binput\(|\bJavascript\(|^%%(javascript|js|html)\b")
_BY_MOUSE = re.compile(r"\b(click|drag|hover|mouse)", re.IGNORECASE)
_KEYS = re.compile(r"\b(Enter|Tab|Space)\b")


@dataclass(frozen=True, slots=True)
class Page:
    """A notebook under its name; `learner` says that it is a learner copy."""

    name: str
    notebook: Json
    learner: bool = False

    @property
    def number(self) -> str:
        """The two digits that its name begins with."""
        return self.name[:2]

    @property
    def cells(self) -> list[Json]:
        """All its cells."""
        return list(self.notebook["cells"])

    @property
    def code(self) -> list[Json]:
        """Its code cells."""
        return [one for one in self.cells if one["cell_type"] == "code"]

    @property
    def markdown(self) -> list[Json]:
        """Its text cells."""
        return [one for one in self.cells if one["cell_type"] == "markdown"]

    def tagged(self, tag: str) -> list[Json]:
        """Return the cells that carry a tag."""
        return [one for one in self.cells if tag in tags(one)]


Finding = tuple[str, str]
"""A cell's id, empty for the notebook as a whole, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, the sentence that it holds, and what finds the places where it is broken."""

    name: str
    sentence: str
    findings: Callable[[Page], Iterator[Finding]]


def opening(page: Page) -> Iterator[Finding]:
    """Find what the opening lacks: the title, three things that you will do, minutes and disk."""
    first = page.cells[0] if page.cells else {"cell_type": "", "id": "", "source": ""}
    text = source(first)
    where = str(first["id"])
    match = _FIRST_LINE.match(text)
    if first["cell_type"] != "markdown" or match is None or match["number"] != page.number:
        yield where, f"the first line is not '# {page.number} · Title'"
    _, said, rest = text.partition("You will")
    if not said or len(re.findall(r"^[-*] \S|^\d\. \S", rest, re.MULTILINE)) != 3:
        yield where, "there are not three list items after 'You will'"
    if not _MINUTES.search(text) or not (_DISK.search(text) or "no disk" in text):
        yield where, "it does not say how many minutes and how much disk (such as '20 minutes, 300 MB of disk')"


def frame(page: Page) -> Iterator[Finding]:
    """Find what is missing of the frame: setup first, clean-up last, a recap, and the way to the next notebook."""
    for tag, position in (("setup", 0), ("cleanup", -1)):
        if page.tagged(tag) != page.code[position : len(page.code) if position else 1]:
            yield "", f"the {'last' if position else 'first'} code cell, and no other, is tagged {tag}"
    for one in page.tagged("setup"):
        if "import dmhelpers as dm" not in source(one) or "%load_ext dmhelpers" not in source(one):
            yield one["id"], "the setup cell lacks 'import dmhelpers as dm' or '%load_ext dmhelpers'"
    for one in page.tagged("cleanup"):
        if "dm.cleanup()" not in source(one):
            yield one["id"], "the clean-up cell does not call dm.cleanup()"
    if len(page.tagged("recap")) != 1:
        yield "", "exactly one cell is tagged recap"
    following = NAMES[(NAMES.index(page.name) + 1) % len(NAMES)] if page.name in NAMES else ""
    last = page.cells[-1]
    if last["cell_type"] != "markdown" or f"{following}.ipynb" not in links(source(last)):
        yield last["id"], f"the last cell does not link to {following}.ipynb"


def parts(page: Page) -> Iterator[Finding]:
    """Find which parts of a lesson a notebook from 01 on lacks, and exercises without a stub, a check or a hint."""
    if page.number != "00":
        for tag, least in (("predict", 1), ("claim", 1), ("exercise", 2)):
            if len(page.tagged(tag)) < least:
                yield "", f"there are fewer than {least} cells tagged {tag}"
    for one in page.cells:
        if not page.learner and ("exercise" in tags(one)) != (stub(one) is not None):
            yield one["id"], "a stub belongs to a cell tagged exercise, and each such cell has one"
    checked = {name for one in page.tagged("check") for name in re.findall(r'dm\.check\("([^"]*)"', source(one))}
    hinted = {name for one in page.tagged("hint") for name in re.findall(r'dm\.hint\("([^"]*)"\)', source(one))}
    if checked != hinted or len(checked) < (0 if page.number == "00" else 2):
        yield "", f"checks ({sorted(checked)}) and hints ({sorted(hinted)}) are not of the same two or more exercises"
    for name in sorted(checked | hinted):
        if not _NUMBER.fullmatch(name) or name[:2] != page.number:
            yield "", f"exercise {name!r} is not numbered {page.number}-a, {page.number}-b …"


def form(page: Page) -> Iterator[Finding]:
    """Find metadata, tags and ids that are not of the closed lists."""
    if page.notebook.get("metadata") != METADATA:
        yield "", "the notebook's metadata are not the minimal ones"
    if (page.notebook.get("nbformat"), page.notebook.get("nbformat_minor")) != (4, 5):
        yield "", "the format is not 4.5"
    ids = [str(one.get("id", "")) for one in page.cells]
    for one in page.cells:
        cell_id, metadata = str(one.get("id", "")), one.get("metadata", {})
        if not re.fullmatch(page.number + r"-\d\d[a-z]?", cell_id) or ids.count(cell_id) != 1:
            yield cell_id, f"the id is not {page.number}-01, {page.number}-02 …, each once"
        if unknown := tags(one) - TAGS:
            yield cell_id, f"unknown tags: {', '.join(sorted(unknown))}"
        allowed = {"tags"} if page.learner else {"tags", "dmhelpers"}
        if set(metadata) - allowed or set(metadata.get("dmhelpers", {})) - {"stub"}:
            yield cell_id, f"metadata besides tags and dmhelpers.stub: {', '.join(sorted(metadata))}"
        if tags(one) & {"claim", "check", "puzzle"} and "nbval-ignore-output" in tags(one):
            yield cell_id, "a claim, a check or a puzzle is compared exactly: it cannot be tagged nbval-ignore-output"


def controls(page: Page) -> Iterator[Finding]:
    """Find what a person who uses the keyboard alone, or nothing but text, could not work."""
    for before, one in zip([None, *page.cells], page.cells, strict=False):
        text = source(one)
        if one["cell_type"] == "markdown":
            if _BY_MOUSE.search(prose(text)) and not _KEYS.search(prose(text)):
                yield one["id"], "it says what to do with a mouse, and names no key"
            continue
        if _OWN_CONTROL.search(text):
            yield one["id"], "a control of its own: only those of dm are tested with the keyboard"
        if _CONTROL.search(text) and (before is None or not re.search(r"\bTab\b", prose(source(before)))):
            yield one["id"], "buttons, and the text before them does not say how Tab gets to them"
    yield from _puzzles(page)


def _puzzles(page: Page) -> Iterator[Finding]:
    answers = [one for one in page.tagged("puzzle") if "exercise" in tags(one)]
    for one in page.code:
        if not _PUZZLE.search(source(one)):
            continue
        posed = re.search(r"^(\w+) = dm\.(?:parsons|quiz)\(", source(one), re.MULTILINE)
        name = posed[1] if posed else ""
        given = [cell for cell in answers if f"{name}.answer(" in source(cell)]
        if not name or "puzzle" not in tags(one) or not given:
            yield (
                one["id"],
                "a puzzle is tagged so, has a name, and a cell tagged puzzle and exercise calls its .answer",
            )
        for cell in given:
            left = source(cell) if page.learner else stub(cell) or ""
            if not left.startswith(f"{name}.answer(...)"):
                yield cell["id"], f"the learner does not find {name}.answer(...) there"


def code(page: Page) -> Iterator[Finding]:
    """Find code cells that are too long, that no sentence comes before, or that call a shell."""
    for before, one in zip([None, *page.cells], page.cells, strict=False):
        if one["cell_type"] != "code":
            continue
        for text in (source(one), stub(one) or ""):
            lines = [line for line in text.splitlines() if line.strip()]
            is_dockerfile = text.startswith(MAGIC)
            if len(lines) > (DOCKERFILE_LINES + 1 if is_dockerfile else CODE_LINES):
                yield one["id"], f"{len(lines)} lines; at most {CODE_LINES}, in a Dockerfile {DOCKERFILE_LINES}"
            if not is_dockerfile and any(line.lstrip().startswith(("!", "%%bash", "%%sh")) for line in lines):
                yield one["id"], "a shell is called: show the command in the text, and call the helper"
        if not source(one).strip():
            yield one["id"], "an empty code cell"
        if before is None or before["cell_type"] != "markdown" or not re.search(r"\w.*[.:?!]", prose(source(before))):
            yield one["id"], "no sentence before it"


def voice(page: Page) -> Iterator[Finding]:
    """Find words that speak of us instead of you, and emoji."""
    for one in page.cells:
        texts = [source(one), stub(one) or ""]
        if one["cell_type"] == "markdown" and (found := speaks_of_us(texts[0])):
            yield one["id"], f"it says {found!r}: the course says 'you'"
        if found := emoji("".join([*texts, *_shown(one)])):
            yield one["id"], f"an emoji: {found!r}"


def run_in_order(page: Page) -> Iterator[Finding]:
    """Find solutions that were not run once from top to bottom, and learner copies that were run at all."""
    counts = [one.get("execution_count") for one in page.code]
    wanted = [None if page.learner else number for number in range(1, len(counts) + 1)]
    if counts != wanted:
        yield "", "learner copies are not run" if page.learner else f"execution counts are not 1 to {len(counts)}"
    for one in page.code:
        if page.learner and one["outputs"]:
            yield one["id"], "a learner copy has no outputs"
        failed = any(output["output_type"] == "error" for output in one["outputs"])
        if failed != ("raises-exception" in tags(one)) and not page.learner:
            yield one["id"], "an error belongs to a cell tagged raises-exception, and each such cell shows one"


def sent_places(page: Page) -> Iterator[Finding]:
    """Find links that lead nowhere, and outputs that name folders or addresses of the machine that made them."""
    for one in page.markdown:
        for link in links(source(one)):
            known = link.removesuffix(".ipynb") in NAMES and link.endswith(".ipynb")
            if not known and not link.startswith(("https://docs.docker.com/", "#")):
                yield one["id"], f"the link {link!r} is neither a notebook of the course nor of docs.docker.com"
    for one in page.code:
        for text in _shown(one):
            for found in (*machine_paths(text), *foreign_addresses(text)):
                yield one["id"], f"the output names {found!r}"


def _shown(cell: Json) -> Iterator[str]:
    """Yield the texts that a cell's outputs show."""
    for output in cell.get("outputs", ()):
        values = [output.get("text"), *(value for kind, value in output.get("data", {}).items() if "png" not in kind)]
        yield from ("".join(value) for value in values if isinstance(value, str | list))


RULES = (
    Rule("opening", "It opens with its title, three things you will do, minutes and disk.", opening),
    Rule("frame", "Setup comes first, clean-up last; there is a recap, and the last cell leads on.", frame),
    Rule("parts", "It has a prediction, claims, and two exercises with stub, check and hint.", parts),
    Rule("form", "Ids, tags and metadata are of the closed lists.", form),
    Rule("controls", "All of it can be worked with the keyboard; a puzzle's answer can be typed too.", controls),
    Rule("code", "A sentence comes before each code cell, which is short and calls no shell.", code),
    Rule("voice", "It speaks to you, without emoji.", voice),
    Rule("run in order", "A solution was run once from top to bottom; a learner copy was not run.", run_in_order),
    Rule("places", "Links resolve; outputs name no folder and no address of the machine.", sent_places),
)
"""The rules of the notebooks."""


def broken(page: Page) -> list[str]:
    """Return what breaks the rules, a line each: notebook, cell, rule and what is wrong."""
    return [f"{page.name} {where}: {rule.name}: {what}" for rule in RULES for where, what in rule.findings(page)]


def report(where: Shelf, names: Sequence[str]) -> int:
    """Print what breaks the rules in these solutions; return 1 if anything does, else 0."""
    lines = [line for name in names for line in broken(Page(name, read(where.solution(name))))]
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, f"{len(names)} notebooks, {len(lines)} findings."]))
    return 1 if lines else 0
