"""Examining a project: bad input gives the tree's errors, nothing of the project changes, no secret is told."""

from __future__ import annotations

import hashlib
import json
import os
import random
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest

from dmhelpers.errors import DmHelpersError, DockerfileError, InputError, ProjectNotFound, StageNotFound
from dmhelpers.measure import clinic
from dmhelpers.measure.clinic import examine
from dmhelpers.measure.clinic.secrets import HIDDEN, hide
from dmhelpers.measure.dockerfile import parse_dockerfile
from tests.measure.clinic.test_cases import CASES, DATA, copy_of, expected_of

SINGLE = [name for name in CASES if any(one["rule"] == "single-stage" for one in expected_of(name).get("advice", ()))]


def fingerprint(folder):
    """Return a hash over every path of a folder, its content, its mode and its times."""
    parts = []
    for path in sorted(Path(folder).rglob("*")):
        stat = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        parts.append((str(path), stat.st_mode, stat.st_mtime_ns, content))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@pytest.mark.parametrize("name", CASES)
def test_nothing_of_the_project_changes(name, tmp_path):
    """No path, content, mode or time in the project's folder is another one afterwards."""
    folder = copy_of(name, tmp_path / name)
    before = fingerprint(folder)
    examine(folder)
    assert fingerprint(folder) == before


@pytest.mark.parametrize("name", CASES)
def test_the_same_words_every_time(name, tmp_path):
    """Two looks at one project say the same, and so does a look at the Dockerfile itself."""
    folder = copy_of(name, tmp_path / name)
    assert examine(folder) == examine(str(folder)) == examine(folder / "Dockerfile")


def test_advice_is_ranked(tmp_path):
    """Advice is ordered by severity, then by bytes, the most first, then by line."""
    for name in CASES:
        found = examine(copy_of(name, tmp_path / name)).advice
        keys = [
            (("high", "medium", "low").index(one.severity), -(one.evidence_bytes or 0), one.line) for one in found
        ]
        assert keys == sorted(keys)


@pytest.mark.parametrize("name", [one for one in CASES if expected_of(one).get("secrets")])
def test_no_secret_is_told(name, tmp_path):
    """The value of a secret stands nowhere in what the clinic says, the proposed split included."""
    said = json.dumps(asdict(examine(copy_of(name, tmp_path / name))))
    for value in expected_of(name)["secrets"]:
        assert any(value in path.read_text() for path in (DATA / name).rglob("*") if path.is_file())
        assert value not in said
    assert any(one["rule"].startswith("secret") for one in expected_of(name)["advice"])


def test_a_secret_is_hidden_where_a_line_is_quoted(project):
    """A command that is quoted as evidence shows no secret that it holds."""
    folder = project({
        "Dockerfile": """
            FROM node:20-alpine
            ENV NPM_TOKEN=tok3n
            COPY . .
            RUN NPM_TOKEN=tok3n npm ci --registry=https://me:hunter2@example.com/ && npm run build -- --key=tok3n
            """,
        "package.json": '{"devDependencies": {"a": "1"}}',
    })  # fmt: skip
    said = json.dumps(asdict(examine(folder)))
    assert "npm ci" in said
    assert HIDDEN in said
    assert "tok3n" not in said
    assert "hunter2" not in said


def test_short_values_are_hidden_as_words_only():
    """A short value is hidden where it stands by itself, so that it does not eat parts of other words."""
    assert hide("dev and devDependencies, x-dev", ["dev"]) == f"{HIDDEN} and devDependencies, x-dev"
    assert hide("a-long-value1 xa-long-value1", ["a-long-value1"]) == f"{HIDDEN} x{HIDDEN}"


@pytest.mark.parametrize("name", SINGLE)
def test_the_split_is_a_dockerfile_that_the_clinic_likes_better(name, tmp_path):
    """The proposed split has two stages, and neither ships the tools nor is one stage; it takes from the builder."""
    folder = copy_of(name, tmp_path / name)
    split = examine(folder).split
    stages = parse_dockerfile(split).stages
    assert [one.label for one in stages] == ["builder", "runtime"]
    assert any(edge.source == "builder" for edge in stages[1].edges)
    (folder / "Dockerfile.split").write_text(split)
    left = {one.rule for one in examine(folder, file="Dockerfile.split").advice}
    assert not left & {"single-stage", "build-tools", "full-base", "sources", "root-user"}


@pytest.mark.parametrize("name", [one for one in CASES if one not in SINGLE])
def test_no_split_where_none_is_advised(name, tmp_path):
    """A project that has its stages gets no proposal."""
    assert examine(copy_of(name, tmp_path / name)).split is None


def test_a_rust_project_is_split(project):
    """A Rust project in one stage gets its release binary, by the name in Cargo.toml, on a slim Debian."""
    folder = project({
        "Dockerfile": "FROM rust:1.82-bookworm\nWORKDIR /w\nCOPY . .\nRUN cargo build --release\nCMD ./tool\n",
        "Cargo.toml": '[package]\nname = "tool"\n',
        "src/main.rs": "fn main() {}",
    })  # fmt: skip
    split = examine(folder).split
    assert "COPY --from=builder /w/target/release/tool /usr/local/bin/tool" in split
    assert "FROM debian:bookworm-slim AS runtime" in split
    assert split.endswith('CMD ["/usr/local/bin/tool"]\n')


def test_a_kind_that_is_not_known_gets_no_split(project):
    """Where the clinic does not know what a project is written in, it advises and proposes nothing."""
    found = examine(project({"Dockerfile": "FROM gcc:14\nCOPY . .\nRUN make\nUSER 1\n"}))
    assert "single-stage" in {one.rule for one in found.advice}
    assert found.split is None


def test_a_secret_is_left_out_of_the_split(project):
    """A line that holds a secret is not carried over into the split."""
    folder = project(
        {"Dockerfile": "FROM golang:1.22\nENV API_TOKEN=tok3n-of-mine\nCOPY . .\nRUN go build -o /s .\nCMD /s\n"}
    )
    split = examine(folder).split
    assert "tok3n" not in split
    assert "# Line 2 held a secret" in split


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda folder: folder / "missing", ProjectNotFound, "There is no folder"),
        (lambda folder: folder, ProjectNotFound, "There is no 'Dockerfile'"),
    ],
)
def test_what_is_not_there(tmp_path, make, error, words):
    """No such path, and no Dockerfile in it, are errors of the tree with a hint."""
    with pytest.raises(error, match=words) as caught:
        examine(make(tmp_path))
    assert caught.value.hint


def test_a_folder_named_dockerfile_is_none(tmp_path):
    """A folder where the Dockerfile should be is as good as none."""
    (tmp_path / "Dockerfile").mkdir()
    with pytest.raises(ProjectNotFound):
        examine(tmp_path)


def test_a_dockerfile_that_may_not_be_read(project, monkeypatch):
    """A Dockerfile that this person may not open is an error of the tree."""
    folder = project({"Dockerfile": "FROM scratch\n"})

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(clinic, "read_dockerfile", refuse)
    with pytest.raises(ProjectNotFound, match="cannot be read: Permission denied"):
        examine(folder)


def test_two_dockerfiles_at_once(project):
    """A path to a Dockerfile beside another file's name cannot be meant."""
    folder = project({"Dockerfile": "FROM scratch\n"})
    with pytest.raises(InputError, match="was named as the Dockerfile too"):
        examine(folder / "Dockerfile", file="other")


def test_errors_of_the_file_carry_their_line(project):
    """A Dockerfile that cannot be read says on which line; an unknown target offers the stages."""
    with pytest.raises(DockerfileError) as caught:
        examine(project({"Dockerfile": "FROM scratch\nCOYP . .\n"}))
    assert caught.value.line == 2
    with pytest.raises(StageNotFound, match="its stages are a"):
        examine(project({"Dockerfile": "FROM scratch AS a\n"}), target="b")


def test_damaged_files_never_end_in_another_error(project):
    """Binary rubbish and cut or scrambled Dockerfiles are examined, or refused with an error of the tree."""
    chosen = random.Random(11)  # noqa: S311  no secret hangs on it
    texts = [(DATA / name / "Dockerfile").read_bytes() for name in CASES]
    bits = [
        b'"',
        b"'",
        b"\\",
        b"\n",
        b"${",
        b"<<EOF\n",
        b"&&",
        b"\x00",
        b"--from=",
        b"[",
        b"*",
        b"\xff",
        b"FROM ",
        b" ",
    ]
    folder = project({"package.json": '{"devDependencies": {"a": "1"}}', "a/x.py": "1"})
    good = 0
    for _ in range(400):
        text = bytearray(chosen.choice(texts)) if chosen.random() < 0.8 else bytearray(chosen.randbytes(200))
        for _ in range(chosen.randrange(1, 5)):
            at = chosen.randrange(len(text))
            if chosen.random() < 0.4:
                del text[at : at + chosen.randrange(1, 30)]
            text[at:at] = chosen.choice(bits)
        (folder / "Dockerfile").write_bytes(text)
        with suppress(DmHelpersError):
            examine(folder)
            good += 1
    assert good > 50


def test_a_file_elsewhere_and_its_target(project):
    """A Dockerfile in a subfolder keeps the folder as its context, and the target decides what is looked at."""
    folder = project({"docker/api.Dockerfile": "FROM alpine AS a\nUSER 1\nFROM a AS b\nUSER root\n"})
    found = examine(folder, file="docker/api.Dockerfile", target="b")
    assert (found.file, found.target) == ("docker/api.Dockerfile", "b")
    assert [(one.line, one.rule) for one in found.advice] == [(1, "unpinned-base"), (4, "root-user")]


def test_names_that_no_terminal_takes(project):
    """File names that are no UTF-8, or hold control characters, are told with a question mark in their place."""
    folder = project({"Dockerfile": "FROM alpine:3.20\nCOPY . /app\nUSER 1\n", "\x1b[31mred/id_rsa": "x"})
    (folder / os.fsdecode(b"caf\xe9.key")).write_text("-----BEGIN PRIVATE KEY-----\n")
    found = examine(folder)
    assert found.advice[0].evidence == "This line copies ?[31mred/id_rsa, caf?.key."
    json.dumps(asdict(found), ensure_ascii=False).encode()


def test_many_stages(project):
    """Hundreds of stages that copy from each other, twice each, are worked out without recursion and at once."""
    text = "FROM alpine:3.20 AS s0\nCOPY . /a\n" + "".join(
        f"FROM alpine:3.20 AS s{at}\nCOPY --from=s{at - 1} / /\nCOPY --from=s{at - 1} /a /a\n" for at in range(1, 400)
    )
    found = examine(project({"Dockerfile": f"{text}USER 1\n", "id_rsa": "x"}))
    assert {one.rule for one in found.advice} == {"secret-in-image", "secret-in-builder"}
