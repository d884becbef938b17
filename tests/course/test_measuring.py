"""The main measurement, end to end on the engine, and what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dmhelpers import cli
from dmhelpers.course import sample_info
from dmhelpers.course.report import MeasuredImage, Report
from dmhelpers.course.sample_info import SampleClaim
from dmhelpers.course.verdicts import verdicts

TAGS = {"my-api": "my-api-measured", "go-server": "go-server-measured"}


@pytest.fixture
def own_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ship the samples with tags of their own, so that a person's `my-api:latest` stays what it is."""
    library = tmp_path / "sample_projects"
    shutil.copytree(sample_info.library(), library, ignore=shutil.ignore_patterns("node_modules", "dist"))
    for name, tag in TAGS.items():
        path = library / name / "sample.toml"
        path.write_text(path.read_text().replace(f'tag = "{name}:', f'tag = "{tag}:'))
    monkeypatch.setattr(sample_info, "library", lambda: library)
    return library


@pytest.mark.engine
@pytest.mark.timeout(3600)
def test_the_measurement_builds_runs_tabulates_and_plots_everything(
    own_tags: Path, tmp_path: Path, unchanged_engine: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dmhelpers measure` ends with 0, writes JSON, tables and plots, and prints what it measured."""
    output = tmp_path / "measured here"
    assert cli.main(["measure", "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "go-server-measured:latest" in printed
    assert "one stage gives" in printed

    found = json.loads((output / "measurements.json").read_text())
    assert set(found) == {"created", "platform", "engine", "images", "claims"}
    assert set(found["engine"]) == {"version", "buildx", "store"}
    fields = {"project", "role", "image", "size_bytes", "added_bytes", "reduction_fraction", "base_origin"}
    assert all(set(one) == fields for one in found["images"])
    assert all(set(one) == {"claim", "expected", "measured", "holds"} for one in found["claims"])

    size = {(one["project"], one["role"]): one["size_bytes"] for one in found["images"]}
    assert size["my-api", "base"] < size["my-api", "runtime"] < size["my-api", "single"]
    assert size["go-server", "runtime"] < 0.03 * size["go-server", "builder"]
    if {one["base_origin"] for one in found["images"]} == {"assembled"} and found["engine"]["store"] == "overlay2":
        assert size["my-api", "base"] == pytest.approx(132e6, rel=0.03)
        assert size["my-api", "single"] == pytest.approx(190e6, rel=0.03)
        assert size["my-api", "runtime"] == pytest.approx(138e6, rel=0.03)
        assert size["go-server", "builder"] == pytest.approx(281e6, rel=0.03)
        assert size["go-server", "runtime"] == pytest.approx(7.0e6, rel=0.15)
    plots = sorted(path.name for path in output.glob("*.png"))
    assert plots == [f"{name}-{kind}.png" for name in sorted(TAGS) for kind in ("layers", "reduction", "sizes")]
    assert all(
        path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000 for path in output.glob("*.png")
    )
    assert "stage,state,duration_s" in (output / "my-api-runtime-stages.csv").read_text()

    facts = [one for one in found["claims"] if "typically" not in one["claim"]]
    # express brings .d.ts files of its own, so the exercise's "no type definitions" holds for @types packages only.
    assert [one["claim"] for one in facts if not one["holds"]] == ["The final image has no type declarations at all"]


@pytest.mark.one_store
@pytest.mark.engine
def test_a_service_that_answers_wrongly_fails_the_measurement(
    own_tags: Path, tmp_path: Path, unchanged_engine: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong answer over HTTP ends the command with 1, names the image, and writes nothing."""
    path = own_tags / "go-server" / "sample.toml"
    path.write_text(path.read_text().replace("status", "another"))
    output = tmp_path / "out"
    assert cli.main(["measure", "go-server", "--output", str(output)]) == 1
    assert "go-server-measured:single answered 200" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.engine
def test_an_unknown_sample_is_named_before_anything_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    """A typo in a sample's name ends with 1 and offers the name that was meant."""
    assert cli.main(["measure", "my-apy"]) == 1
    assert "my-api" in capsys.readouterr().err.splitlines()[-1]


def test_a_sample_that_is_not_measured_is_refused_by_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The patient has no images to compare: measuring it ends with 1 and names the samples that have."""
    assert cli.main(["measure", "patient", "--output", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("Measure another one: my-api, go-server.")
    assert not (tmp_path / "out").exists()


def test_every_sample_names_what_its_claims_need() -> None:
    """Each claim of a sample.toml has the fields that its kind is measured with, and roles that exist."""
    for name in sample_info.measured_samples():
        info = sample_info.sample_info(name)
        roles = {one.role for one in info.images}
        assert roles == {"base", "single", "builder", "runtime"}
        for claim in info.claims:
            assert claim.role in roles
            assert (claim.than in roles) == (claim.kind in ("smaller", "reduction"))
            assert bool(claim.paths) == (claim.kind in ("present", "absent"))
            assert (claim.fraction is not None) == (claim.kind == "reduction")


@pytest.mark.parametrize(
    ("runtime_bytes", "files", "expected"),
    [
        (7_000_000, {"/server"}, {"reduction": True, "present": True, "absent": True}),
        (70_000_000, {"/server"}, {"reduction": False, "present": True, "absent": True}),
        (7_000_000, {"/usr/local/go/bin/go"}, {"reduction": True, "present": False, "absent": False}),
    ],
)
def test_a_claim_holds_only_if_it_was_measured(
    runtime_bytes: int, files: set[str], expected: dict[str, bool]
) -> None:
    """Verdicts follow the sizes and the files, and nothing else."""
    info = sample_info.sample_info("go-server")
    sizes = {"base": 209_000_000, "single": 281_000_000, "builder": 281_000_000, "runtime": runtime_bytes}
    found = {one.claim: one.holds for one in verdicts(info, sizes, {"runtime": frozenset(files)})}

    def claim(kind: str) -> SampleClaim:
        return next(one for one in info.claims if one.kind == kind)

    assert {kind: found[claim(kind).claim] for kind in expected} == expected


def _image(role: str, size_bytes: int, added_bytes: int, single_bytes: int) -> MeasuredImage:
    return MeasuredImage(
        "demo", role, f"demo:{role}", size_bytes, added_bytes, 1 - size_bytes / single_bytes, "pulled"
    )


def test_the_report_says_in_words_what_was_measured() -> None:
    """The text gives both sizes, the difference, its share, and the share without the base image."""
    images = (
        _image("base", 100_000_000, 0, 200_000_000),
        _image("single", 200_000_000, 100_000_000, 200_000_000),
        _image("runtime", 110_000_000, 10_000_000, 200_000_000),
    )
    engine = {"version": "26.1.5", "buildx": "0.13.1", "store": "overlay2"}
    text = " ".join(str(Report("2026-01-01", "linux/amd64", engine, images, ())).split())
    assert "one stage gives 200MB, two stages give 110MB: 90MB or 45.0% less" in text
    assert "100MB in one stage and 10MB in two: 90.0% less" in text
    assert "stand-in" not in text
