"""Parsons problems without an engine: their data, a learner's order, the buttons, and what stands without them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from dmhelpers.course.progress import note_puzzle, progress, progress_file, puzzle_records, records
from dmhelpers.course.puzzles import parsons as module
from dmhelpers.course.puzzles.library import problems
from dmhelpers.course.puzzles.ordering import Ordering, order_file, read_order
from dmhelpers.course.puzzles.parsons import parsons
from dmhelpers.course.puzzles.records import Judged
from dmhelpers.errors import EngineUnavailable, InputError
from dmhelpers.measure.dockerfile import parse_dockerfile

NAMES = [one.name for one in problems()]
EXPECTED = (6, 5, 4, 1, 9, 7, 3)


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Give each test an empty workspace of its own."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


@pytest.mark.parametrize("posed", problems(), ids=NAMES)
def test_every_problem_is_whole(posed):
    """A problem has probes, files for what they edit, a solution that parses, and a reason for each other line."""
    stages = parse_dockerfile(posed.dockerfile(posed.solution)).stages
    assert stages
    assert posed.probes
    files = dict(posed.files)
    assert all(one.edit in files for one in posed.probes if one.edit)
    assert all(one.seen and one.missing for one in posed.probes)
    for line in posed.lines:
        assert (line.number in posed.solution) == (line.why_not == "")
    assert posed.solution != tuple(sorted(posed.solution)), "the lines are shown shuffled"


def test_problems_go_from_easy_to_hard_and_are_shuffled_alike():
    """The list and the numbers of the lines are the same for everybody."""
    assert NAMES == ["two-stages", "cache-order", "test-stage", "go-scratch"]
    assert parsons("two-stages").problem.solution == EXPECTED


def test_an_unknown_problem_is_answered_with_a_near_one():
    """A mistyped name offers the close one."""
    with pytest.raises(InputError) as caught:
        parsons("two-stage")
    assert "'two-stages'" in caught.value.hint


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ([0], "0 is not"),
        ([99], "99 is not"),
        ([1, 1], "twice"),
        (["a"], "'a' is not"),
        ([True], "True is not"),
        (77, "77 is not"),
    ],
)
def test_an_answer_that_cannot_be_meant_is_an_error_with_its_cure(order, words):
    """Numbers that are no line, or twice there, are refused before anything is built or kept."""
    with pytest.raises(InputError, match=words):
        parsons("two-stages").answer(order)
    assert not order_file(problems()[0]).exists()


def test_no_line_is_no_answer_and_no_try():
    """An empty Dockerfile is not built and not counted."""
    judged = parsons("two-stages").answer([])
    assert (judged.done, judged.missing) == (False, ("there is no line in your Dockerfile yet",))
    assert puzzle_records() == {}


def test_pressing_a_line_puts_it_in_below_the_chosen_one_and_out_again():
    """In, out, up and down change the order as they say, and the chosen line stays chosen as it moves."""
    one = Ordering(problems()[0])
    for number in (3, 1, 4):
        one.press(number)
    one.choose(3)
    one.press(5)
    assert (one.order, one.chosen) == ([3, 5, 1, 4], 5)
    one.move(1)
    one.move(1)
    one.move(1)
    assert (one.order, one.chosen) == ([3, 1, 4, 5], 5), "at the end it stays"
    one.move(-1)
    assert one.order == [3, 1, 5, 4]
    one.take_out()
    assert (one.order, one.chosen) == ([3, 1, 4], 1)
    one.press(3)
    assert one.order == [1, 4]
    one.take_out()
    one.take_out()
    one.take_out()
    assert (one.order, one.chosen) == ([], None)


def test_the_order_outlives_the_kernel_in_a_plain_file(workspace):
    """What was put in order is there again for a new object; the file has a line a line."""
    posed = problems()[0]
    one = Ordering(posed)
    one.press(3)
    one.press(2)
    path = workspace / "puzzles" / "two-stages.txt"
    assert path.read_text() == f"3  {posed.lines[2].text}\n2  {posed.lines[1].text}\n"
    assert parsons("two-stages").order == (3, 2)
    assert [item.name for item in path.parent.iterdir()] == ["two-stages.txt"]


@pytest.mark.parametrize("content", ["nonsense", "99  FROM x", "3  another text", "\x00"])
def test_a_kept_order_of_other_lines_is_passed_over(content):
    """A damaged file, or one of a problem that was changed since, is as none."""
    posed = problems()[0]
    order_file(posed).parent.mkdir(parents=True)
    order_file(posed).write_text(content)
    assert read_order(posed) == []


def test_where_nothing_can_be_kept_the_buttons_say_so(tmp_path, monkeypatch):
    """A workspace that cannot be written to stops nobody from solving the problem."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "file"))
    posed = parsons("two-stages")
    posed.board.lines[0].click()
    assert posed.order == (1,)
    assert "cannot be kept" in posed.board.status.value


def test_the_buttons_do_what_they_say():
    """By clicks alone a Dockerfile is put together; words, not colour, say what is in and what is chosen."""
    posed = parsons("two-stages")
    board = posed.board
    for number in EXPECTED:
        board.lines[number - 1].click()
    assert posed.order == EXPECTED
    assert board.lines[EXPECTED[0] - 1].description.endswith("(place 1)")
    assert board.slots[6].description.startswith("▸ 7")
    assert board.slots[7].layout.display == "none"
    board.slots[0].click()
    board.down.click()
    assert posed.order[:2] == (EXPECTED[1], EXPECTED[0])
    assert "chosen: place 2, FROM node:20-alpine AS builder" in board.status.value
    board.out.click()
    assert len(posed.order) == 6
    assert board.slots[6].layout.display == "none"


def test_the_buttons_are_never_made_anew():
    """The focus stays where a person left it, for the widgets stay the same ones."""
    board = parsons("two-stages").board
    before = [*board.lines, *board.slots, board.up, board.down, board.out, board.check]
    board.lines[0].click()
    board.up.click()
    assert [*board.lines, *board.slots, board.up, board.down, board.out, board.check] == before


def test_build_and_check_shows_the_verdict_and_is_ready_again(monkeypatch):
    """While it builds, the button cannot be pressed again; then the verdict stands below and in `.result`."""
    posed = parsons("two-stages")
    states = []

    def judged(problem, order):
        states.append((posed.board.check.disabled, posed.board.verdict.value))
        return Judged(problem.name, problem.title, False, ("a <b>",), ("c",), ("d",), ("e",))

    monkeypatch.setattr(module, "judge", judged)
    posed.board.check.click()
    assert states == [(True, '<p role="status">The engine builds your Dockerfile …</p>')]
    assert not posed.board.check.disabled
    assert posed.result.missing == ("c",)
    assert "two-stages: not yet." in posed.board.verdict.value
    assert "a &lt;b&gt;" in posed.board.verdict.value


@pytest.mark.parametrize("open_answer", [..., [...]])
def test_an_open_answer_stands_for_the_order_as_it_is(monkeypatch, open_answer):
    """The stub's answer says that no line is in; after the buttons were pressed it judges what they made."""
    posed = parsons("two-stages")
    assert "no line" in str(posed.answer(open_answer))
    assert puzzle_records() == {}
    asked = []
    monkeypatch.setattr(module, "judge", lambda problem, order: asked.append(order))
    for number in (3, 1):
        posed.board.lines[number - 1].click()
    posed.answer(open_answer)
    assert asked == [(3, 1)]


def test_an_engine_that_is_gone_is_said_below_the_button(monkeypatch):
    """An error of the course is shown with its cure, and the button is ready again."""

    def no_engine(problem, order):
        raise EngineUnavailable("No engine answers.", hint="Start one.")

    posed = parsons("two-stages")
    monkeypatch.setattr(module, "judge", no_engine)
    posed.board.check.click()
    assert "Start one." in posed.board.verdict.value
    assert not posed.board.check.disabled


def test_the_plain_form_is_the_same_every_time():
    """Terminals, nbval and exported pages show the numbered lines, and how to answer."""
    bundle = parsons("two-stages")._repr_mimebundle_()
    text = bundle["text/plain"]
    assert text == str(parsons("two-stages"))
    assert "  6  FROM node:20-alpine AS builder\n" in text
    assert text.endswith('Your order: no line is in yet\nAnswer with: dm.parsons("two-stages").answer([…])')
    assert bundle["text/html"].count("<li>") == 9
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_verdict_says_all_that_it_knows():
    """What was seen, what is missing, what the engine said and what does not belong each have their word."""
    judged = Judged("p", "Title", False, ("one",), ("two",), ("three",), ("four",), "five")
    assert str(judged).splitlines() == [
        "p not yet: Title",
        "  seen     one",
        "  missing  two",
        "  engine   three",
        "  lines    four",
        "five",
    ]


def test_puzzles_stand_in_the_progress_file_under_their_own_names():
    """A puzzle that was tried has a row after the exercises, and is never taken for one."""
    before = len(progress())
    note_puzzle("parsons two-stages", done=False)
    note_puzzle("parsons two-stages", done=True)
    note_puzzle("parsons two-stages", done=False)
    kept = json.loads(progress_file().read_text())["puzzles"]
    assert list(kept) == ["parsons two-stages"]
    assert {name: kept["parsons two-stages"][name] for name in ("done", "tries")} == {"done": True, "tries": 3}
    assert records() == {}
    row = SimpleNamespace(**progress().iloc[-1])
    assert (len(progress()), row.exercise, row.notebook) == (before + 1, "parsons two-stages", "puzzle")
    assert (row.done, row.tries) == (True, 3)
