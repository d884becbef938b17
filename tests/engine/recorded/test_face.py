"""What is public, asked for something that is in no recording: the answer is always the same clear error."""

from __future__ import annotations

import pytest

import dmhelpers as dm
from dmhelpers.errors import NotRecorded

DOCKERFILE = """\
FROM node:20-alpine AS builder
RUN echo made > /made.txt
FROM node:20-alpine AS runtime
COPY --from=builder /made.txt /made.txt
"""
ASKING = {
    "build": lambda project: dm.build(project, tag="face:latest", progress="quiet"),
    "build, one stage": lambda project: dm.build(project, target="builder", progress="plain"),
    "build, live": lambda project: dm.build(project, progress="live"),
    "classic_build": lambda project: dm.classic_build(project),
    "images": lambda project: dm.images(),
    "history": lambda project: dm.history("face"),
    "compare": lambda project: dm.compare("face", "other"),
    "compare by kind": lambda project: dm.compare("face", "other", by="kind"),
    "contents": lambda project: dm.contents("face"),
    "left_behind": lambda project: dm.left_behind("face", "other"),
    "packages": lambda project: dm.packages("face"),
    "attack_surface": lambda project: dm.attack_surface("face"),
    "plot_layers": lambda project: dm.plot_layers("face"),
    "plot_reduction": lambda project: dm.plot_reduction("face", "other"),
    "plot_treemap": lambda project: dm.plot_treemap("face"),
    "treemap": lambda project: dm.treemap("face"),
    "run": lambda project: dm.run("face", "ls"),
    "check": lambda project: dm.check("01-a"),
    "check of another notebook": lambda project: dm.check("09-a"),
    "check of the challenge": lambda project: dm.check("12-a"),
    "parsons": lambda project: dm.parsons(solved().name).answer(solved().solution),
    "quiz on stages": lambda project: dm.quiz(project).answer([1]),
    "quiz on files": lambda project: dm.quiz(project, kind="files"),
    "clinic": lambda project: dm.clinic(project, build=True),
    "doctor": lambda project: dm.doctor(),
    "cleanup": lambda project: dm.cleanup(),
}
TAKES_A_RESULT = {
    "plot_sizes": "a table of compare",
    "plot_timeline": "a build",
    "compare_steps": "two builds",
    "readable": "a table",
    "compare_guess": "values",
    "claim": "values",
}
ANSWERS = {"sample", "samples", "stages", "stage_graph", "would_build", "stage_picker", "predict", "hint", "progress"}
ANSWERS |= {"score", "sharing"}


def solved():
    """Return one of the course's puzzles, which knows a right order of its lines."""
    from dmhelpers.course.puzzles.library import problems

    return problems()[0]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Give a project with two stages, and a workspace of its own."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    folder = tmp_path / "face"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ASKING)
def test_what_is_not_recorded_says_what_to_do(name, project, recorded_mode):
    """Each call that would ask an engine raises NotRecorded, whose last line is the way to an answer."""
    recorded_mode()
    with pytest.raises(NotRecorded, match="not asked when the course was recorded on 2026-01-02") as raised:
        ASKING[name](project)
    assert str(raised.value).splitlines()[-1].endswith("dmhelpers record")


@pytest.mark.timeout(300)
def test_a_service_that_is_not_recorded_says_what_to_do(project, recorded_mode):
    """A container that serves is asked for as everything else is."""
    recorded_mode()
    with pytest.raises(NotRecorded, match="not asked when"), dm.serve("face", port=80):
        pass


def test_a_plot_of_what_was_not_measured_here_says_so(project, recorded_mode):
    """A plot of a person's own table carries the mark as well: in recorded mode nothing is measured."""
    import pandas as pd

    recorded_mode()
    frame = pd.DataFrame({"image": ["a"], "size_bytes": [2], "added_bytes": [1], "reduction_fraction": [0.0]})
    assert "Recorded on 2026-01-02" in " ".join(dm.plot_sizes(frame).get_xlabel().split())


def test_no_public_call_is_left_out():
    """Every public name is among those that ask, those that take a result, and those that need no engine."""
    asking = {name.partition(" ")[0].rstrip(",") for name in ASKING} | {"serve"}
    assert asking | set(TAKES_A_RESULT) | ANSWERS | {"Build", "DmHelpersError"} == set(dm.__all__)


def test_what_was_only_read_is_not_counted_as_done(project, recorded_mode, monkeypatch):
    """Guesses, progress and tries of recorded mode lie in files of their own."""
    from dmhelpers.course import progress, scores

    dm.predict("size", image="1MB")
    progress.note_check("01-a", done=False)
    there = {path.name: path.read_bytes() for path in progress.progress_file().parent.iterdir()}
    recorded_mode()
    assert progress.guesses("size") == {}
    progress.note_check("01-a", done=True)
    scores.note_try("12-a", image="sha256:1", size_beyond_base_bytes=1, build_s=1.0, passed=True)
    assert len(dm.score("12-a")) == 1
    assert "Recorded on 2026-01-02" in repr(dm.score("12-a"))
    after = {path.name: path.read_bytes() for path in progress.progress_file().parent.iterdir()}
    assert {name: after[name] for name in there} == there
    assert set(after) - set(there) == {"recorded-progress.json", "recorded-scores.json"}
    monkeypatch.delenv("DMHELPERS_ENGINE")
    assert progress.records()["01-a"].done is False
    assert scores.tries("12-a") == ()
