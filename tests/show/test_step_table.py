"""The steps of two builds side by side, made from records without an engine."""

from __future__ import annotations

import pytest

import dmhelpers as dm
from dmhelpers.errors import InputError
from dmhelpers.measure.records import BuildRecord, Step
from dmhelpers.show.builds import Build


def build(*steps):
    """Make a build of (stage, instruction, state, seconds) rows, each with the stage that shares it, if any."""
    made = [
        Step(stage, number, number, number, instruction, state, duration_s, shared_with=shared[0] if shared else None)
        for number, (stage, instruction, state, duration_s, *shared) in enumerate(steps, 1)
    ]
    return Build(BuildRecord("sha256:0", "a:1", "runtime", "docker build .", 1.0, tuple(made), (), "", (), "names"))


FROM = ("builder", "FROM node:20-alpine AS builder", "ran", 0.01)
BEFORE = build(
    FROM,
    ("builder", "COPY package.json ./", "ran", 0.1),
    ("builder", "RUN npm ci", "ran", 12.0),
    ("builder", "COPY . .", "ran", 0.1),
    ("runtime", "COPY package.json ./", "ran", 0.1, "builder"),
)
AFTER = build(
    FROM,
    ("builder", "COPY . .", "ran", 0.2),
    ("builder", "RUN npm ci", "cached", 0.0),
    ("builder", "RUN npm ci", "ran", 3.0),
    ("runtime", "COPY x ./", "ran", 0.1),
)


def test_a_step_is_matched_wherever_it_stands():
    """Rows follow the second build; an instruction that a stage has twice is matched by its turn."""
    rows = dm.compare_steps(BEFORE, AFTER)
    assert rows[["instruction", "before", "after"]].to_numpy().tolist() == [
        ["COPY . .", "ran", "ran"],
        ["RUN npm ci", "ran", "cached"],
        ["RUN npm ci", "", "ran"],
        ["COPY x ./", "", "ran"],
        ["COPY package.json ./", "ran", ""],
    ]


def test_what_was_not_done_has_no_seconds():
    """Seconds are floats: 0.0 for a cached step, missing where a build has no such step."""
    rows = dm.compare_steps(BEFORE, AFTER)
    assert rows["before_s"].isna().tolist() == [False, False, True, True, False]
    assert rows["after_s"].tolist()[:4] == [0.2, 0.0, 3.0, 0.1]
    assert [str(rows[name].dtype) for name in ("before_s", "after_s")] == ["float64", "float64"]


def test_base_images_and_shared_steps_are_not_told_twice():
    """A FROM has no row, and a step that was carried out for two stages has one, in the stage that ran it."""
    rows = dm.compare_steps(BEFORE, BEFORE)
    assert rows["stage"].tolist() == ["builder"] * 3
    assert not rows["instruction"].str.startswith("FROM").any()


def test_a_shared_step_stands_in_the_upper_stage_whoever_ran_it():
    """Which of two stages BuildKit names a shared step after is chance: its row is in the first one's place."""
    lent = Step("builder", 1, 1, 1, "WORKDIR /app", "ran", 0.1, digest="sha256:1", shared_with="runtime")
    own = Step("runtime", 1, 2, 2, "WORKDIR /app", "ran", 0.1, digest="sha256:1")
    one = Build(BuildRecord("sha256:0", "a:1", "runtime", "docker build .", 1.0, (lent, own), (), "", (), "names"))
    assert dm.compare_steps(one, one)["stage"].tolist() == ["builder"]


def test_it_reads_well():
    """Made readable, states and seconds have titles of their own."""
    assert dm.readable(dm.compare_steps(BEFORE, AFTER)).columns.tolist() == [
        "stage",
        "instruction",
        "before",
        "after",
        "before (s)",
        "after (s)",
    ]


def test_what_is_no_build_is_refused():
    """A table or a tag in a build's place is an error that says what to give."""
    with pytest.raises(InputError, match=r"dm\.compare_steps"):
        dm.compare_steps(BEFORE, "my-api:latest")
