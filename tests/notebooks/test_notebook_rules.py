"""Every notebook keeps the rules, and each rule finds what it is there to find."""

from __future__ import annotations

import re

import pytest

from dmhelpers.course.notebook_rules import RULES, Page, broken, report
from dmhelpers.course.notebooks import NAMES, TAGS, read, shelf, write

NAME = "05_building_and_measuring"


@pytest.mark.parametrize("rule", RULES, ids=lambda one: one.name)
@pytest.mark.parametrize("name", NAMES)
def test_solution_keeps_the_rule(name, rule):
    """Each solution keeps each rule."""
    assert list(rule.findings(Page(name, read(shelf().solution(name))))) == []


@pytest.mark.parametrize("name", NAMES)
def test_learner_copy_keeps_the_rules(name):
    """Each learner copy keeps them too."""
    assert broken(Page(name, read(shelf().learner_copy(name)), learner=True)) == []


def test_there_is_no_other_notebook():
    """The folders hold the notebooks of the course and no others."""
    for folder in (shelf().folder, shelf().solutions):
        assert sorted(one.stem for one in folder.glob("*.ipynb")) == list(NAMES)


def test_names_are_numbered_in_order():
    """The notebooks are numbered from 00 without a gap."""
    assert [one[:3] for one in NAMES] == [f"{number:02d}_" for number in range(len(NAMES))]


def test_tags_are_used():
    """No tag of the closed list is idle, but the one for errors that are the lesson."""
    used = {tag for name in NAMES for cell in read(shelf().solution(name))["cells"] for tag in _tags(cell)}
    assert used | {"raises-exception"} == TAGS | {"raises-exception"}


def _tags(cell):
    return cell["metadata"].get("tags", ())


def test_the_small_notebook_keeps_the_rules(solution):
    """The notebook that the next test breaks is whole."""
    assert broken(Page(NAME, solution)) == []


def cell(notebook, cell_id):
    """Return a cell by its id."""
    return next(one for one in notebook["cells"] if one["id"] == cell_id)


def says(cell_id, words):
    """Return a change that gives a cell other words."""
    return lambda notebook: cell(notebook, cell_id).update(source=words.splitlines(keepends=True))


def tagged(cell_id, *tags):
    """Return a change that gives a cell other tags."""
    return lambda notebook: cell(notebook, cell_id)["metadata"].update(tags=list(tags))


def without(cell_id):
    """Return a change that takes a cell out."""
    return lambda notebook: notebook["cells"].remove(cell(notebook, cell_id))


def shows(cell_id, words):
    """Return a change that makes a cell print other words."""
    return lambda notebook: cell(notebook, cell_id).update(
        outputs=[{"output_type": "stream", "name": "stdout", "text": [words]}]
    )


def has(cell_id, **values):
    """Return a change of a cell's fields."""
    return lambda notebook: cell(notebook, cell_id).update(values)


def poses(cell_id, words, *tags):
    """Return a change that makes a cell pose a puzzle, after these words."""

    def change(notebook):
        says("05-06", words)(notebook)
        says(cell_id, 'puzzle = dm.parsons("two-stages")')(notebook)
        tagged(cell_id, *tags)(notebook)

    return change


def answered(stub):
    """Return a change that makes a puzzle of the notebook, with this stub in the place of its answer."""

    def change(notebook):
        poses("05-07", "Tab goes from line to line.", "do", "puzzle")(notebook)
        says("05-11", "puzzle.answer([1, 2])")(notebook)
        cell(notebook, "05-11")["metadata"] = {"tags": ["exercise", "puzzle"], "dmhelpers": {"stub": stub}}

    return change


def test_a_puzzle_with_its_answer_keeps_the_rules(solution):
    """A puzzle with a name, a way to it by keys, and an answer whose stub stands for the buttons is whole."""
    answered("puzzle.answer(...)  # your order")(solution)
    assert broken(Page(NAME, solution)) == []


OPENING = "# 05 · Building\n\nYou will\n\n- a\n- b\n- c\n\n20 minutes, 300 MB."
BREAKS = {
    "another number": ("opening", says("05-01", OPENING.replace("05", "06", 1))),
    "two things": ("opening", says("05-01", OPENING.replace("- c\n", ""))),
    "four things": ("opening", says("05-01", OPENING.replace("- c", "- c\n- d"))),
    "no minutes": ("opening", says("05-01", OPENING.replace("20 minutes", "soon"))),
    "no disk": ("opening", says("05-01", OPENING.replace("300 MB", "little"))),
    "no setup": ("frame", tagged("05-03")),
    "two setups": ("frame", tagged("05-05", "setup", "predict")),
    "no magic": ("frame", says("05-03", "import dmhelpers as dm")),
    "no clean-up": ("frame", says("05-24", "pass")),
    "clean-up not last": ("frame", tagged("05-24", "do")),
    "no recap": ("frame", without("05-22")),
    "leads nowhere": ("frame", says("05-25", "The end.")),
    "leads elsewhere": ("frame", says("05-25", "[Next](07_targeting_a_stage.ipynb).")),
    "no prediction": ("parts", tagged("05-05", "do")),
    "no claim": ("parts", tagged("05-09", "do")),
    "one exercise": ("parts", tagged("05-17", "do")),
    "no stub": ("parts", lambda one: cell(one, "05-11")["metadata"].pop("dmhelpers")),
    "no check": ("parts", tagged("05-13", "do")),
    "no hint": ("parts", says("05-15", "pass")),
    "another's exercise": ("parts", says("05-13", 'dm.check("06-a")')),
    "an unknown tag": ("form", tagged("05-07", "do", "hide-input")),
    "a foreign id": ("form", has("05-07", id="8f3a2b1c")),
    "an id twice": ("form", has("05-07", id="05-05")),
    "more metadata": ("form", lambda one: cell(one, "05-07")["metadata"].update(collapsed=True)),
    "the kernel's version": ("form", lambda one: one["metadata"]["language_info"].update(version="3.11.2")),
    "an older format": ("form", lambda one: one.update(nbformat_minor=4)),
    "a claim that is not compared": ("form", tagged("05-09", "claim", "nbval-ignore-output")),
    "too long": ("code", says("05-07", "x = 1\n" * 13)),
    "a Dockerfile too long": ("code", says("05-07", "%%dockerfile project\n" + "RUN true\n" * 31)),
    "a stub too long": (
        "code",
        lambda one: cell(one, "05-11")["metadata"].update(dmhelpers={"stub": "x = 1\n" * 13}),
    ),
    "a mouse alone": ("controls", says("05-06", "Click the button that you see.")),
    "a control of its own": ("controls", says("05-07", "import ipywidgets")),
    "buttons without a way to them": ("controls", says("05-07", 'dm.stage_picker("demo")')),
    "a puzzle without an answer": ("controls", poses("05-07", "Tab goes from line to line.", "puzzle")),
    "a puzzle that is not tagged": ("controls", poses("05-07", "Tab goes from line to line.", "do")),
    "an answer given away": ("controls", answered("puzzle.answer([1, 2])")),
    "a puzzle that is not compared": ("form", tagged("05-07", "puzzle", "nbval-ignore-output")),
    "a shell": ("code", says("05-07", "!docker images")),
    "a shell magic": ("code", says("05-07", "%%bash\ndocker images")),
    "an empty cell": ("code", says("05-07", "\n")),
    "code after code": ("code", without("05-06")),
    "no sentence": ("code", says("05-06", "```\ndocker images\n```")),
    "a heading is none": ("code", says("05-06", "## Counting")),
    "we": ("voice", says("05-06", "Now we count them.")),
    "let's": ("voice", says("05-06", "Let\N{RIGHT SINGLE QUOTATION MARK}s count them.")),
    "an emoji": ("voice", says("05-06", "Count them \N{PARTY POPPER}.")),
    "an emoji printed": ("voice", shows("05-07", "\N{WHITE HEAVY CHECK MARK} done")),
    "not run": ("run in order", has("05-07", execution_count=None)),
    "run again": ("run in order", has("05-07", execution_count=12)),
    "an error": (
        "run in order",
        has("05-07", outputs=[{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]),
    ),
    "no error where one is told": ("run in order", tagged("05-07", "do", "raises-exception")),
    "a link to nowhere": ("places", says("05-06", "See [this](05_another.ipynb).")),
    "a link to a site": ("places", says("05-06", "See [this](https://example.com/page).")),
    "a home folder": ("places", shows("05-07", "/home/ada/course/workspace/my-api")),
    "a Windows folder": ("places", shows("05-07", "C:\\Users\\Ada\\course")),
    "an address": ("places", shows("05-07", "fetched https://mirror.example.com/npm/express")),
}


@pytest.mark.parametrize("what", BREAKS)
def test_rule_finds_what_breaks_it(what, solution):
    """A notebook with one thing amiss breaks the rule that is about it."""
    name, change = BREAKS[what]
    change(solution)
    assert name in {re.sub(r"^\S+ \S*: ([^:]+):.*", r"\1", line) for line in broken(Page(NAME, solution))}


@pytest.mark.parametrize(
    "change",
    [
        says("05-06", "The `us-east` registry, and US dollars: `let's` is code."),
        says("05-06", "Copy it:\n\n```\nwe are code\n```"),
        says("05-07", "%%dockerfile project\n" + "RUN true\n" * 30),
        says("05-06", "See [the manual](https://docs.docker.com/build/building/multi-stage/) and [above](#title)."),
        shows("05-07", "COPY --from=builder /app/dist ./dist at http://localhost:3000/health"),
    ],
    ids=["code says us", "fenced", "30 lines", "links", "container paths"],
)
def test_rule_lets_pass_what_is_meant(change, solution):
    """What only looks like a breach is let pass."""
    change(solution)
    found = [one for one in broken(Page(NAME, solution)) if "'US'" not in one]
    assert found == []


def test_what_was_not_run_is_found_in_a_copy(solution):
    """A learner copy with outputs or counts breaks the rule about runs."""
    assert any("run in order" in one for one in broken(Page(NAME, solution, learner=True)))


def test_report_names_notebook_cell_and_rule(small_shelf, solution, capsys):
    """The command prints a line a finding and ends with 1; without findings it ends with 0."""
    assert report(small_shelf, [NAME]) == 1
    assert re.search(rf"^{NAME} : run in order: ", capsys.readouterr().out, re.MULTILINE)
    write(small_shelf.solution(NAME), solution)
    assert report(small_shelf, [NAME]) == 0
    assert capsys.readouterr().out == "1 notebooks, 0 findings.\n"
