"""The control for the target: the picture and the sentence follow it, and both stand without it."""

from __future__ import annotations

import pytest

from dmhelpers.errors import InputError, StageNotFound
from dmhelpers.measure.records import BuildRecord, StageState
from dmhelpers.show.builds import Build
from dmhelpers.show.stage_graph import stage_graph
from dmhelpers.show.stage_graph.plan import would_build
from dmhelpers.show.stage_picker import stage_picker

DOCKERFILE = """\
FROM node:20-alpine AS builder
RUN npm run build
FROM builder AS test
RUN --mount=type=bind,from=builder,target=/t npm test
FROM test AS report
RUN true
FROM node:20-alpine AS runtime
COPY --from=builder /a /a
COPY --from=builder /b /b
"""


@pytest.fixture
def four(project):
    """Write a project of four stages."""
    return project({"Dockerfile": DOCKERFILE})


def built(*states, target="runtime"):
    """Return a build with these stages."""
    stages = tuple(StageState(*one) for one in states)
    return Build(BuildRecord("sha256:1", "a:1", target, "docker build .", 2.0, (), stages, "", (), "names"))


def test_the_plan_says_what_is_built_and_skipped_and_why(four):
    """Each stage has its reason: the edge that needs it, or that nothing needed takes from it."""
    plan = would_build(four)
    assert (plan.built, plan.skipped) == (("builder", "runtime"), ("test", "report"))
    assert str(plan) == (
        "Building runtime takes 2 of 4 stages: builder (runtime copies from it, lines 8, 9) and runtime "
        "(the target). Skipped: test (only report takes from it, and runtime does not need that) and "
        "report (no stage takes anything from it, so runtime does not need it)."
    )


def test_a_target_that_needs_all_skips_nothing(project):
    """Where every stage is needed, the sentence says so."""
    plan = would_build(project({"Dockerfile": "FROM scratch AS a\nFROM a AS b\n"}))
    assert plan.skipped == ()
    assert str(plan).endswith("a (b starts FROM it, line 2) and b (the target). Nothing is skipped.")


def test_the_reason_is_an_edge_that_the_target_needs(four):
    """Of several stages that take from one, the reason names one that is built too."""
    whys = {one.stage: one.why for one in would_build(four, target="report").stages}
    assert whys["builder"] == "test starts FROM it, line 3"
    assert whys["test"] == "report starts FROM it, line 5"


def test_choosing_redraws_picture_and_sentence(four):
    """Setting the control's value shows what `stage_graph` draws for that target, and its plan in words."""
    picker = stage_picker(four)
    control, sentence, picture = picker.widget.children
    assert control.options[0][0] == "builder (line 1)"
    assert picture.value == stage_graph(four).svg
    control.value = 1
    assert picker.target == "test"
    assert picture.value == stage_graph(four, target="test").svg
    assert "Building test takes 2 of 4 stages" in sentence.value
    assert 'role="status"' in sentence.value, "a screen reader says it without being asked"


def test_setting_the_target_moves_the_control(four):
    """The handle and the control are one: either moves the other; a wrong name offers a near one."""
    picker = stage_picker(four, target=0)
    control = picker.widget.children[0]
    picker.target = "report"
    assert control.value == 2
    with pytest.raises(StageNotFound, match="runtme") as caught:
        picker.target = "runtme"
    assert "'runtime'" in caught.value.hint
    assert control.value == 2


def test_a_build_s_states_are_shown_for_its_own_target(four):
    """What a build did is drawn while its target is chosen, and never beside another one."""
    states = [("builder", "ran", 1.2), ("test", "not built", 0.0), ("report", "not built", 0.0)]
    picker = stage_picker(four, build=built(*states, ("runtime", "cached", 0.0)))
    assert "ran 1.2s" in picker.graph.svg
    picker.target = "test"
    assert "ran 1.2s" not in picker.graph.svg
    with pytest.raises(InputError, match="has others"):
        stage_picker(four, build=built(*states))


def test_stages_of_one_name_can_both_be_chosen(project):
    """A name that a later stage has too is still one choice each, told apart by its line."""
    picker = stage_picker(project({"Dockerfile": "FROM scratch AS a\nFROM scratch AS a\n"}))
    control = picker.widget.children[0]
    assert len(control.options) == 2
    control.value = 0
    assert picker.plan.stages[0].why == "the target"


def test_a_page_without_widgets_shows_something_true(four):
    """The static form is the sentence and the picture of the chosen target; the text is the same every time."""
    picker = stage_picker(four)
    picker.widget.children[0].value = 1
    bundle = picker._repr_mimebundle_()
    assert bundle["text/plain"] == f"{would_build(four, target='test')}\n{stage_graph(four, target='test')}"
    assert bundle["text/html"].endswith(stage_graph(four, target="test").svg)
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == picker.widget.model_id
    assert "<script" not in bundle["text/html"]
