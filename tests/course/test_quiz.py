"""Quizzes: what is asked, how it is answered, and that the engine's word is the answer."""

from __future__ import annotations

import pytest

from dmhelpers.course.progress import puzzle_records
from dmhelpers.course.puzzles import quiz as module
from dmhelpers.course.puzzles.questions import Fact, stage_facts
from dmhelpers.course.puzzles.quiz import quiz
from dmhelpers.engine import bases, ledger
from dmhelpers.engine.cleanup import cleanup
from dmhelpers.engine.info import engine_info
from dmhelpers.errors import BuildFailed, InputError, StageNotFound

on_engine = [pytest.mark.engine, pytest.mark.one_store]
DOCKERFILE = """\
FROM node:20-alpine AS maker
COPY a.txt /work/
RUN mkdir /out && echo made > /out/made.txt && echo c > /work/cache.txt
FROM maker AS test
RUN echo tested > /tested.txt
FROM node:20-alpine AS final
RUN echo own > /own.txt
COPY --from=maker /out/ /app/
"""
FACTS = (
    Fact("maker", True, "ran: final copies from it, line 8"),
    Fact("test", False, "not built: <nothing>"),
    Fact("final", True, "ran: the target"),
)


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Give each test an empty workspace of its own."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))


@pytest.fixture
def own(project):
    """Write a project of three stages, one of which the last one does not need."""
    return project({"Dockerfile": DOCKERFILE, "a.txt": "a"}, name="own")


@pytest.fixture
def answered(own, monkeypatch):
    """Give the question about its stages, with the engine's answer known."""
    monkeypatch.setattr(module, "stage_facts", lambda project, *, target, file: FACTS)
    return quiz(own)


@pytest.fixture
def clean_engine():
    """Have the base image ready, and hold that no image is left when the test is over."""
    bases.ensure_many(["node:20-alpine"])
    yield
    assert not ledger.recorded(engine_info().engine_id, "image")
    cleanup()


def test_the_stages_are_asked_for_without_an_engine(own):
    """Making the question reads the Dockerfile only; its plain form is the same every time."""
    assert str(quiz(own, target="test")).splitlines() == [
        "Which stages take part when you build test of Dockerfile?",
        "  1  maker",
        "  2  test",
        "  3  final",
        "Answer with: .answer([…]), the items or numbers for yes",
    ]


def test_stages_that_share_a_name_are_told_apart(project):
    """Two stages of one name are two items, each with its line."""
    folder = project({"Dockerfile": "FROM scratch AS a\nCOPY x /\nFROM scratch AS a\nCOPY x /\n"})
    assert quiz(folder).items == ("a (line 1)", "a (line 3)")


def test_each_item_is_right_or_wrong_with_its_reason(answered):
    """Names and numbers both answer; an item that was left out counts as no."""
    result = answered.answer(["maker", 2])
    assert [row.right for row in result.rows] == [True, False, False]
    assert str(result).splitlines() == [
        "1 of 3 right. Which stages take part when you build final of Dockerfile?",
        "  right  maker: yes; ran: final copies from it, line 8",
        "  wrong  test: no; not built: <nothing>",
        "  wrong  final: yes; ran: the target",
    ]
    assert "&lt;nothing&gt;" in result._repr_html_()


def test_a_quiz_is_noted_under_its_own_name(answered):
    """Tries are counted; it is done once all of it was right, and stays so."""
    assert not answered.answer([]).done
    assert answered.answer([1, 3]).done
    answered.answer([2])
    record = puzzle_records()["quiz stages own final"]
    assert (record.done, record.tries) == (True, 3)


@pytest.mark.parametrize("chosen", [["makr"], [0], [4], "makr"])
def test_an_answer_that_is_no_item_is_an_error(answered, chosen):
    """What is none of the items is refused with a near one, and not counted."""
    with pytest.raises(InputError, match="none of what is asked for"):
        answered.answer(chosen)
    assert puzzle_records() == {}


@pytest.mark.parametrize("open_answer", [..., [...]])
def test_an_open_answer_stands_for_what_is_ticked(answered, open_answer):
    """With nothing ticked it says so and counts nothing; then the stub's cell gives what the boxes say."""
    before = answered.answer(open_answer)
    assert not before.done
    assert str(before).startswith("Not answered yet. Which stages")
    assert "<table>" not in before._repr_html_()
    assert puzzle_records() == {}
    for box in (0, 2):
        answered.checklist.boxes[box].value = True
    assert answered.answer(open_answer).done


def test_a_dockerfile_that_changed_meanwhile_is_an_error(own, monkeypatch):
    """Where the stages are others than those asked for, nothing is judged, and the error says to ask anew."""
    asked = quiz(own)
    monkeypatch.setattr(module, "stage_facts", lambda project, *, target, file: FACTS[:2])
    with pytest.raises(InputError, match="other stages now") as caught:
        asked.answer([1])
    assert "dm.quiz" in caught.value.hint
    assert puzzle_records() == {}


def test_what_cannot_be_asked_is_an_error(own):
    """An unknown kind and an unknown target are refused at once, with what there is."""
    with pytest.raises(InputError, match="'layers'"):
        quiz(own, kind="layers")
    with pytest.raises(StageNotFound):
        quiz(own, target="fnal")


def test_the_checkboxes_answer_as_the_call_does(answered):
    """Ticking and pressing the button gives the same result, below it and in `.result`; then it is ready again."""
    checklist = answered.checklist
    checklist.boxes[0].value = True
    checklist.boxes[2].value = True
    checklist.check.click()
    assert checklist.result.done
    assert checklist.verdict.value.startswith('<div role="status"><p><strong>3 of 3 right.')
    assert not checklist.check.disabled


def test_a_build_that_fails_is_said_below_the_button(own, monkeypatch):
    """Where the engine cannot answer, its reason and the cure stand below, and the button is ready again."""

    def failing(project, *, target, file):
        raise BuildFailed("A step failed.", hint="Mend it.")

    monkeypatch.setattr(module, "stage_facts", failing)
    checklist = quiz(own).checklist
    checklist.check.click()
    assert "A step failed." in checklist.verdict.value
    assert not checklist.check.disabled


def test_a_page_without_widgets_shows_the_items(answered):
    """The static form lists what is asked, in the order of the checkboxes."""
    bundle = answered._repr_mimebundle_()
    assert bundle["text/html"].count("<li>") == 3
    assert bundle["text/plain"] == str(answered)
    assert "application/vnd.jupyter.widget-view+json" in bundle


class TestOnEngine:
    """What the engine answers."""

    pytestmark = on_engine

    def test_the_stages_that_ran_are_the_engine_s(self, own, clean_engine):
        """A real build says which stages take part; one that nothing needs does not, whatever is in it."""
        facts = {one.item: one for one in stage_facts(own, target=None, file="Dockerfile")}
        assert {item: one.holds for item, one in facts.items()} == {"maker": True, "test": False, "final": True}
        assert facts["maker"].why.endswith("final copies from it, line 8")
        assert quiz(own, target="test").answer(["maker", "test"]).done

    def test_files_are_drawn_from_the_image_and_from_what_stayed_behind(self, own, clean_engine):
        """Some files are in it and some stayed in another stage, each with its line; the draw is the same again."""
        asked = quiz(own, kind="files")
        assert set(asked.items) == {"/app/made.txt", "/own.txt", "/out/made.txt", "/work/a.txt", "/work/cache.txt"}
        assert quiz(own, kind="files").items == asked.items
        result = asked.answer(["/app/made.txt", "/own.txt"])
        assert result.done
        why = {row.item: row.why for row in result.rows}
        assert why["/app/made.txt"] == "final put it there, line 8: COPY --from=maker /out/ /app/"
        assert why["/work/a.txt"] == (
            "it stayed in maker, line 2: COPY a.txt /work/; final takes only what line 8 copies"
        )
        assert puzzle_records()["quiz files own final"].done

    def test_where_nothing_stays_behind_there_is_nothing_to_ask(self, own, clean_engine):
        """A target that starts from all that it needs leaves nothing, and the error says what to ask instead."""
        with pytest.raises(InputError, match="leaves no file") as caught:
            quiz(own, kind="files", target="test")
        assert "kind='stages'" in caught.value.hint
