"""`dm.clinic` and `dmhelpers clinic`: the table, the text, the HTML, the JSON and the exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest

import dmhelpers as dm
from dmhelpers import cli
from dmhelpers.measure.clinic.records import Advice, ContextSummary, Diagnosis, Finding, ImageSummary
from dmhelpers.measure.records import KindBytes
from dmhelpers.show.clinic import ClinicReport
from tests.measure.clinic.test_cases import CASES, GOOD, copy_of, expected_of
from tests.measure.clinic.test_examine import fingerprint

LOW = "FROM scratch\nCOPY a /\n"
"""A Dockerfile that gets one piece of advice, of low severity."""


def advice(rule, severity, **more):
    """Return one piece of advice, with nothing in it that is not given."""
    rest = {
        "title": "T.",
        "line": 1,
        "end_line": 1,
        "stage": "a",
        "evidence": "E.",
        "cure": "C.",
        "page": "https://d",
    }
    return Advice(**{**rest, "evidence_bytes": None, "evidence_s": None, "rule": rule, "severity": severity, **more})


def report_of(*pieces, **more):
    """Return a report with this advice."""
    context = ContextSummary(2, 300, 100, ".dockerignore", (("a/", 300),))
    return ClinicReport(Diagnosis("Dockerfile", "runtime", pieces, more.pop("split", None), context, **more))


class Text(HTMLParser):
    """Collects tags and text; holds that what is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        """Note a tag that opens."""
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag):
        """Hold that it closes what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Note the text."""
        self.words.append(data)


def test_the_table():
    """The table has a row a piece of advice in the report's order, with whole numbers that may be missing."""
    report = report_of(advice("b", "high", evidence_bytes=5, line=None), advice("a", "low", evidence_s=1.5))
    table = report.advice
    assert list(table) == ["rule", "severity", "line", "stage", "evidence", "evidence_bytes", "evidence_s", "cure"]
    assert [str(table[name].dtype) for name in ("line", "evidence_bytes", "evidence_s")] == [
        "Int64",
        "Int64",
        "float64",
    ]
    assert list(table["rule"]) == ["b", "a"]
    assert table["line"].isna().tolist() == [True, False]
    assert table["evidence_bytes"][0] == 5
    assert table["evidence_s"][1] == 1.5


def test_an_empty_table_has_the_same_columns(tmp_path):
    """Without advice the table is empty, with its columns and types, and the report is ok."""
    report = dm.clinic(copy_of("go-good", tmp_path / "go-good"))
    assert report.ok
    assert isinstance(report.advice, pd.DataFrame)
    assert len(report.advice) == 0
    assert str(report.advice["line"].dtype) == "Int64"
    assert report.split is None
    assert report.verdict == "Dockerfile, target stage-2: nothing to advise."


@pytest.mark.parametrize("name", CASES)
def test_text_html_and_json_tell_the_same(name, tmp_path):
    """Each rule, place and sentence of cure stands in the text, in the HTML and in the JSON."""
    report = dm.clinic(copy_of(name, tmp_path / name))
    document = json.loads(report.as_json())
    text, page = " ".join(str(report).split()), "".join(Text(report._repr_html_()).words).replace("`", "")
    assert document["ok"] is report.ok is (name in GOOD)
    assert len(document["advice"]) == len(report.advice) == len(expected_of(name).get("advice", ()))
    for one in document["advice"]:
        for told in (one["rule"], one["title"], one["evidence"], one["cure"]):
            assert " ".join(told.split()) in text
            assert told.replace("`", "") in page
        assert f"line {one['line']}" in text or f"lines {one['line']}-" in text
    assert (report.split is not None) == ("A split to start from" in text) == ("<details>" in report._repr_html_())


def test_json_comes_back_as_it_went(tmp_path):
    """The JSON holds plain values only: read back, it is the report's own dictionary."""
    report = dm.clinic(copy_of("python-heavy", tmp_path / "python-heavy"))
    assert json.loads(report.as_json()) == report.as_dict()
    assert list(report.as_dict()) == ["ok", *Diagnosis.__dataclass_fields__]


def test_text_is_the_same_every_time_and_narrow(tmp_path):
    """The text is deterministic, and has no colour codes and no wide lines, but for addresses and the split."""
    folder = copy_of("python-heavy", tmp_path / "python-heavy")
    text = str(dm.clinic(folder))
    assert text == str(dm.clinic(folder)) == repr(dm.clinic(folder))
    assert "\x1b" not in text
    own = text.partition("A split to start from")[0].splitlines()
    assert all(len(line) <= 100 for line in own if "https://" not in line)
    assert str(tmp_path) not in text


def test_what_a_person_wrote_is_escaped():
    """Text from the project cannot become markup in a notebook."""
    nasty = "<script>alert('x')</script>"
    report = report_of(
        advice("a", "high", evidence=nasty, stage=nasty, title=nasty),
        split=f"FROM {nasty}\n",
        findings=(Finding("hadolint", nasty, "info", nasty, 1),),
        notes=(nasty,),
    )
    page = report._repr_html_()
    assert "<script>" not in page
    assert "script" not in Text(page).tags
    assert nasty in "".join(Text(page).words)


def test_code_is_marked_and_no_option_is_broken():
    """In the HTML backticks make code, of escaped text too, and an option keeps to one line with its value."""
    page = report_of(advice("a", "high", evidence="`npm ci <x>` with --omit=dev, --mount=type=secret."))._repr_html_()
    assert "<code>npm ci &lt;x&gt;</code>" in page
    for option in ("--omit=dev", "--mount=type=secret"):
        assert f'<span style="white-space: nowrap">{option}</span>' in page


def test_the_severity_stands_in_words():
    """The HTML uses no colour: severities are words, headings have a scope, the table has a caption."""
    page = report_of(advice("a", "high"), advice("b", "low"))._repr_html_()
    assert "color" not in page
    assert {"high", "low"} <= set(Text(page).words)
    assert page.count('scope="col"') == 5
    assert "<caption" in page


def test_the_image_and_other_tools_are_told():
    """A measured image is told by kind, with its stand-in base; other tools stand under their own heading."""
    image = ImageSummary(2_000_000, (KindBytes("sources", 2_000_000, 3),), 1.0, "assembled")
    report = report_of(image=image, findings=(Finding("hadolint", "DL3006", "warning", "Tag it", 1, "p"),))
    text = str(report)
    assert "Image: 2MB, on a stand-in base image, built in 1.0s: 2MB sources." in text
    assert "In the words of other tools:\n  hadolint DL3006 (warning) line 1: Tag it" in text
    assert "In the words of other tools" in report._repr_html_()


def test_at_least():
    """`at_least` gives the advice of a severity and above; never gives none."""
    report = report_of(advice("a", "high"), advice("b", "medium"), advice("c", "low"))
    assert [len(report.at_least(one)) for one in ("high", "medium", "low", "never")] == [1, 2, 3, 0]


@pytest.mark.parametrize(("fail_on", "code"), [("never", 0), ("low", 1), ("medium", 0), ("high", 0), (None, 0)])
def test_exit_codes(project, capsys, fail_on, code):
    """The command ends with 1 only if there is advice at the severity named or above."""
    folder = project({"Dockerfile": LOW, "a": "1"})
    more = [] if fail_on is None else ["--fail-on", fail_on]
    assert cli.main(["clinic", str(folder), *more]) == code
    assert "root-user-scratch" in capsys.readouterr().out


def test_the_command_prints_what_the_report_prints(project, capsys):
    """`--format text` prints the report and `--format json` its JSON, with --file and --target applied."""
    folder = project({"api.Dockerfile": "FROM alpine AS a\nFROM alpine:3.20 AS b\n"})
    arguments = ["clinic", str(folder), "--file", "api.Dockerfile", "--target", "a"]
    report = dm.clinic(folder, file="api.Dockerfile", target="a")
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == f"{report}\n"
    assert cli.main([*arguments, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == report.as_dict()
    assert cli.main(["clinic", str(folder / "api.Dockerfile")]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing"], "There is no folder"),
        (["."], "There is no 'Dockerfile'"),
        ([".", "--file", "bad"], "unknown instruction: COYP"),
        ([".", "--file", "good", "--target", "b"], "has no stage 'b'"),
        ([".", "--file", "binary"], "binary"),
    ],
)
def test_errors_are_explained(project, monkeypatch, capsys, arguments, words):
    """A path, file or target that is not there, and rubbish, end with 1, a sentence and a hint."""
    rubbish = bytes(range(256)) * 4
    folder = project({"bad": "FROM scratch\nCOYP a b\n", "good": "FROM scratch AS a\n", "binary": rubbish})
    monkeypatch.chdir(folder)
    assert cli.main(["clinic", *arguments]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert len(told.err.strip().splitlines()) >= 2


def test_it_needs_no_engine_and_imports_no_client(tmp_path):
    """Without --build nothing is asked of an engine: the command works where none is, and loads no client."""
    folder = copy_of("node-single-stage", tmp_path / "node-single-stage")
    before = fingerprint(folder)
    code = (
        "import sys; from dmhelpers.cli import main; code = main(sys.argv[1:]); "
        "print([one for one in ('docker', 'pandas', 'matplotlib') if one in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "clinic", str(folder), "--fail-on", "high"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"DOCKER_HOST": "unix:///nowhere", "PATH": ""},
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.strip().endswith("[]")
    assert re.search(r"^high +line 2 \(stage-0\) +single-stage$", done.stdout, re.MULTILINE)
    assert fingerprint(folder) == before
