"""Each rule by itself: what it finds, at which line, and where it stays silent."""

from __future__ import annotations

import json

import pytest

from dmhelpers.measure.clinic import examine
from dmhelpers.measure.clinic.rulebook import rules
from dmhelpers.measure.clinic.secrets import is_secret_name

PACKAGE = json.dumps({"devDependencies": {"typescript": "5"}})
GO = {"go.mod": "module m\n", "main.go": "package main\n"}
QUIET = "USER 1000\n"
"""The last line of a Dockerfile that shall get no advice about root."""


@pytest.fixture
def found(project):
    """Write a project and return its advice as (line, rule) pairs, sorted."""

    def look(dockerfile, files=(), **options):
        folder = project({"Dockerfile": dockerfile, **dict(files)})
        return sorted((one.line, one.rule) for one in examine(folder, **options).advice)

    return look


@pytest.mark.parametrize(
    ("run", "kept"),
    [
        ("apk add --no-cache gcc musl-dev", True),
        ("apk add --no-cache --virtual .build-deps gcc && make && apk del .build-deps", False),
        ("apk add --no-cache -t tools gcc && make && apk del tools", False),
        ("apk add --no-cache gcc && make && apk del gcc", False),
        ("apk add --no-cache gcc g++ && make && apk del gcc", True),
        ("apk add --no-cache gcc=13.2.1-r0", True),
        ("apk add --no-cache curl libpq", False),
        ("set -eux; if true; then apk add --no-cache build-base; fi", True),
        ("sh -c 'apk add --no-cache build-base'", True),
        ("echo apk add --no-cache gcc", False),
        ("echo 'never closed && apk add --no-cache gcc", False),
    ],
)
def test_compilers_that_stay(found, run, kept):
    """A compiler counts if it is installed and not removed in the same RUN; text that cannot be split is silence."""
    wanted = [(1, "single-stage"), (2, "build-tools")] if kept else []
    assert found(f"FROM alpine:3.20\nRUN {run}\n{QUIET}") == wanted


def test_a_compiler_removed_by_a_later_run_stays(found):
    """A later RUN removes nothing from the layer of an earlier one."""
    text = f"FROM alpine:3.20\nRUN apk add --no-cache gcc\nRUN apk del gcc\n{QUIET}"
    assert (2, "build-tools") in found(text)


def test_a_heredoc_is_read_as_the_script_that_it_is(found):
    """A RUN's here-document counts as its commands, unless another program than a shell reads it."""
    shell = f"FROM alpine:3.20\nRUN <<EOF\n# it's a comment\nset -e\napk add --no-cache \\\n  gcc\nEOF\n{QUIET}"
    other = f"FROM python:3.12-slim\nRUN python3 <<EOF\nprint('apk add gcc; apt-get update')\nEOF\n{QUIET}"
    assert (2, "build-tools") in found(shell)
    assert found(other) == []


@pytest.mark.parametrize(
    ("base", "rule"),
    [
        ("golang:1.22", "build-tools"),
        ("docker.io/library/rust:1.82", "build-tools"),
        ("maven:3.9-eclipse-temurin-21", "build-tools"),
        ("eclipse-temurin:21-jdk-jammy", "build-tools"),
        ("mcr.microsoft.com/dotnet/sdk:8.0", "build-tools"),
        ("eclipse-temurin:21-jre", None),
        ("mcr.microsoft.com/dotnet/aspnet:8.0", None),
        ("node:20", "full-base"),
        ("python:3.12-bookworm", "full-base"),
        ("node:20-slim", None),
        ("python:3.12-alpine3.20", None),
        ("example.com/node:20", None),
        ("debian:bookworm-slim", None),
    ],
)
def test_bases_that_are_there_to_build(found, base, rule):
    """A toolchain image and the full variant of an official one are found at their FROM; lean ones are not."""
    got = found(f"FROM {base}\n{QUIET}")
    assert [one for _, one in got if one != "single-stage"] == ([rule] if rule else [])
    assert ((1, "single-stage") in got) == (rule == "build-tools")


def test_a_builder_may_have_what_it_likes(found):
    """What stands in a stage that the final image is not made of is no fault of the image."""
    text = f"""
        FROM golang:1.22 AS builder
        RUN apt-get update && apt-get install -y gcc
        COPY . .
        RUN go build -o /server .
        FROM scratch
        COPY --from=builder /server /server
        {QUIET}"""
    assert found(text, GO) == []


def test_a_chain_of_stages_is_one_image(found):
    """A stage that is FROM the builder ships the builder."""
    text = "FROM golang:1.22 AS builder\nCOPY . .\nRUN go build -o /s .\nFROM builder AS shipped\nUSER 1000\n"
    assert found(text, GO) == [(1, "build-tools"), (1, "single-stage"), (2, "sources")]


@pytest.mark.parametrize(
    ("run", "rules_found"),
    [
        ("npm ci", ["dev-dependencies", "package-cache"]),
        ("npm ci --omit=dev", ["package-cache"]),
        ("npm ci --omit dev && npm cache clean --force", []),
        ("npm install --production && rm -rf /root/.npm", []),
        ("NODE_ENV=production npm ci && npm cache clean --force", []),
        ("npm ci && npm prune --omit=dev && npm cache clean --force", []),
        ("npm install -g serve && npm cache clean --force", []),
        ("yarn install --production && yarn cache clean", []),
        ("yarn && yarn cache clean", ["dev-dependencies"]),
        ("pnpm install --prod", []),
        ("pnpm install", ["dev-dependencies"]),
    ],
)
def test_node_packages_of_development(found, run, rules_found):
    """An install in the final stage that does not leave devDependencies out is found, and so is npm's cache."""
    text = f"FROM node:20-alpine\nWORKDIR /a\nCOPY package.json ./\nRUN {run}\n{QUIET}"
    assert found(text, {"package.json": PACKAGE}) == [(4, one) for one in rules_found]


def test_no_dev_dependencies_no_advice(found):
    """A package.json without devDependencies has none to leave out; one that cannot be read says nothing."""
    text = f"FROM node:20-alpine\nCOPY package.json ./\nRUN npm ci && npm cache clean --force\n{QUIET}"
    assert found(text, {"package.json": "{}"}) == []
    assert found(text, {"package.json": "not JSON"}) == []
    assert found(text, {"package.json": "[]"}) == []


def test_packages_copied_from_a_builder(found):
    """node_modules copied from a stage is found at the COPY, unless that stage pruned it."""
    text = """
        FROM node:20-alpine AS builder
        WORKDIR /a
        COPY package.json ./
        RUN npm ci
        RUN {prune}
        FROM node:20-alpine
        COPY --from=builder /a/node_modules /a/node_modules
        USER node
        """
    files = {"package.json": PACKAGE}
    assert found(text.format(prune="true"), files) == [(7, "dev-dependencies")]
    assert found(text.format(prune="npm prune --omit=dev"), files) == []


@pytest.mark.parametrize(
    ("run", "hit"),
    [
        ("pip install --no-cache-dir -r requirements-dev.txt", True),
        ("pip install --no-cache-dir -r requirements/test.txt", True),
        ("python -m pip install --no-cache-dir '.[dev]'", True),
        ("pip install --no-cache-dir -r requirements.txt", False),
        ("pip install --no-cache-dir devtools", False),
        ("pipenv install --dev --system", True),
    ],
)
def test_python_packages_of_development(found, run, hit):
    """Requirement files and extras for development or tests are found; names that only resemble them are not."""
    wanted = [(2, "dev-dependencies")] if hit else []
    assert found(f"FROM python:3.12-slim\nRUN {run}\n{QUIET}") == wanted


@pytest.mark.parametrize(
    ("run", "hit"),
    [
        ("apt-get update && apt-get install -y curl", True),
        ("apt-get update && apt-get install -y curl && apt-get clean", True),
        ("apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*", False),
        ("apt-get update && apt-get install -y curl && rm -rf /var/lib/{apt,dpkg}/x", False),
        ("--mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -y curl", False),
        ("dnf install -y curl", True),
        ("dnf install -y curl && dnf clean all", False),
        ("apk add curl", True),
        ("apk --no-cache add curl", False),
        ("pip install flask", True),
        ("pip install --no-cache-dir flask", False),
        ("pip install --no-cache /wheels/*", False),
        ("PIP_NO_CACHE_DIR=1 pip install flask", False),
        ("--mount=type=cache,target=/root/.cache/pip pip install flask", False),
        ("pip install flask && rm -rf ~/.cache", False),
    ],
)
def test_caches_that_stay(found, run, hit):
    """A package manager's cache is found unless it is off, removed in the same RUN, or kept in a cache mount."""
    assert found(f"FROM debian:bookworm-slim\nRUN {run}\n{QUIET}") == ([(2, "package-cache")] if hit else [])


def test_an_env_turns_pips_cache_off(found):
    """ENV PIP_NO_CACHE_DIR holds for what comes after it."""
    assert found(f"FROM python:3.12-slim\nENV PIP_NO_CACHE_DIR=1\nRUN pip install flask\n{QUIET}") == []


@pytest.mark.parametrize(
    ("name", "base", "hit"),
    [
        ("nothing", "node:20-alpine", "root-user"),
        ("USER root", "node:20-alpine", "root-user"),
        ("USER 0:0", "node:20-alpine", "root-user"),
        ("USER ${U:-root}", "node:20-alpine", "root-user"),
        ("USER $UNKNOWN", "node:20-alpine", None),
        ("USER node", "node:20-alpine", None),
        ("nothing", "scratch", "root-user-scratch"),
        ("nothing", "gcr.io/distroless/static-debian12:latest-amd64", "root-user-scratch"),
        ("nothing", "gcr.io/distroless/static-debian12:nonroot", None),
        ("nothing", "nginxinc/nginx-unprivileged:1.27", None),
        ("nothing", "postgres:16", None),
        ("nothing", "example.com/team/base:3", None),
        ('ENTRYPOINT ["gosu", "app", "server"]', "debian:bookworm-slim", None),
    ],
)
def test_who_it_runs_as(found, name, base, hit):
    """Root is found where it is known: by a USER, or by a base that is known to leave it; else there is silence."""
    last = "" if name == "nothing" else f"{name}\n"
    line = 2 if name.startswith("USER") else 1
    assert found(f"FROM {base}\n{last}") == ([(line, hit)] if hit else [])


def test_a_builders_user_is_not_the_images(found):
    """USER in another stage says nothing about the final one."""
    text = "FROM alpine:3 AS a\nUSER 1000\nFROM alpine:3\nCOPY --from=a /etc/motd /\n"
    assert found(text) == [(3, "root-user")]


@pytest.mark.parametrize(
    ("first", "hit"),
    [
        ("FROM alpine", True),
        ("FROM alpine:latest", True),
        ("FROM localhost:5000/tools", True),
        ("FROM alpine:3.20", False),
        ("FROM alpine@sha256:" + "0" * 64, False),
        ("ARG V=3.20\nFROM alpine:${V}", False),
        ("ARG V=latest\nFROM alpine:${V}", True),
        ("ARG V\nFROM alpine:${V}", False),
    ],
)
def test_bases_without_a_version(found, first, hit):
    """No tag and :latest float; a tag, a digest and a variable without a value here are passed over."""
    line = first.count("\n") + 1
    assert found(f"{first}\n{QUIET}") == ([(line, "unpinned-base")] if hit else [])


def test_images_that_are_copied_from_float_too(found):
    """COPY --from and a bind mount name images too; a stage's name is none."""
    text = f"""
        FROM alpine:3.20 AS tools
        FROM alpine:3.20
        COPY --from=tools /bin/true /bin/true
        COPY --from=busybox /bin/true /bin/true
        RUN --mount=from=ghcr.io/x/uv:latest,target=/uv true
        {QUIET}"""
    assert found(text) == [(4, "unpinned-base"), (5, "unpinned-base")]


@pytest.mark.parametrize(
    ("add", "hit"),
    [
        ("ADD a.txt /", True),
        ('ADD ["a.txt", "/x y/"]', True),
        ("ADD folder /folder", True),
        ("ADD a.txt b.tar.gz /", False),
        ("ADD *.t* /", False),
        ("ADD https://example.com/a.txt /", False),
        ("ADD git@github.com:x/y.git /src", False),
        ("ADD packed /", False),
        ("ADD $WHAT /", False),
        ("COPY a.txt /", False),
    ],
)
def test_add_where_copy_serves(found, add, hit):
    """ADD is fine for archives, known by name or content, and for addresses; for plain files COPY serves."""
    files = {"a.txt": "a", "b.tar.gz": "b", "folder/c": "c", "packed": b"\x1f\x8b\x08rest"}
    assert found(f"FROM alpine:3.20\n{add}\n{QUIET}", files) == ([(2, "add-for-copy")] if hit else [])


def test_tests_that_nothing_runs(found):
    """A test stage is found by what it runs or by its name, unless the target takes something from it."""
    text = """
        FROM alpine:3.20 AS builder
        RUN true
        FROM builder AS {name}
        RUN {run}
        FROM alpine:3.20
        COPY --from={source} /etc/motd /
        USER 1000
        """
    assert found(text.format(name="check-it", run="pytest -q", source="builder")) == [(3, "test-stage")]
    assert found(text.format(name="unit-tests", run="./go.sh", source="builder")) == [(3, "test-stage")]
    assert found(text.format(name="latest", run="./go.sh", source="builder")) == []
    assert found(text.format(name="test", run="pytest", source="test")) == []


def test_another_target_needs_other_stages(found):
    """The target that is named decides what is shipped and which stages nothing runs."""
    text = "FROM alpine:3.20 AS a\nUSER 1000\nFROM alpine:3.20 AS b\nCOPY --from=a /x /x\n"
    assert found(text, target="a") == []
    assert found(text) == [(3, "root-user")]


ORDER = {
    "package.json": "{}",
    "package-lock.json": "{}",
    "index.js": "1",
    "requirements.txt": "flask",
    "app.py": "1",
    "go.mod": "module m\nrequire example.com/x v1.0.0\n",
    "main.go": "package main\n",
    "Cargo.toml": "[dependencies]\nserde = '1'\n",
    "src/main.rs": "fn main() {}\n",
    "pom.xml": "<dependency></dependency>",
    "src/A.java": "class A {}",
}


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ("COPY . .\nRUN npm ci", 2),
        ("COPY package*.json index.js ./\nRUN npm ci", 2),
        ("COPY package*.json ./\nCOPY index.js ./\nRUN npm ci", 3),
        ("COPY package*.json ./\nRUN npm ci\nCOPY . .\nRUN npm ci", None),
        ("COPY package*.json ./\nRUN npm ci\nCOPY . .", None),
        ("COPY . .\nRUN pip install -r requirements.txt", 2),
        ("COPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .", None),
        ("COPY . .\nRUN pip install .", None),
        ("RUN --mount=type=bind,source=requirements.txt,target=/r pip install -r /r\nCOPY . .", None),
        ("COPY . .\nRUN go mod download && go build", 2),
        ("COPY . .\nRUN go build", 2),
        ("COPY . .\nRUN --mount=type=cache,target=/go/pkg/mod go build", None),
        ("COPY go.mod .\nRUN go mod download\nCOPY . .\nRUN go build", None),
        ("COPY . .\nRUN cargo build --release", 2),
        ("COPY . .\nRUN cargo chef prepare", None),
        ("COPY Cargo.toml .\nRUN cargo fetch\nCOPY src src\nRUN cargo build", None),
        ("COPY . .\nRUN ./mvnw package", 2),
        ("COPY pom.xml .\nRUN mvn dependency:go-offline\nCOPY src src\nRUN mvn package", None),
    ],
)
def test_sources_before_the_install(found, lines, line):
    """The COPY that brings sources before an install is found, in a builder too; manifests first is right."""
    text = f"FROM alpine:3.20 AS builder\n{lines}\nFROM alpine:3.20\nCOPY --from=builder /out /out\nUSER 1000\n"
    assert found(text, ORDER) == ([(line, "cache-order")] if line else [])


def test_downloads_that_another_stage_hands_over(found):
    """A build after the sources downloads nothing where another stage hands over what it has downloaded."""
    text = """
        FROM rust:1 AS cacher
        COPY Cargo.toml .
        RUN cargo fetch
        FROM rust:1 AS builder
        COPY . .
        COPY --from=cacher /usr/local/cargo /usr/local/cargo
        RUN cargo build
        FROM alpine:3.20
        COPY --from=builder /out /out
        USER 1000
        """
    assert found(text, ORDER) == []


def test_git_counts_where_it_is_shipped(found):
    """.git is found where it reaches the final image, by way of a builder too, and not where it stays in one."""
    files = {".git/HEAD": "ref: refs/heads/main\n", "a.py": "1"}
    assert found(f"FROM alpine:3.20\nCOPY . /app\n{QUIET}", files) == [(2, "git-folder")]
    through = "FROM alpine:3.20 AS b\nWORKDIR /app\nCOPY . .\nFROM alpine:3.20\nCOPY --from=b {what} /app\nUSER 1\n"
    assert found(through.format(what="/app"), files) == [(5, "git-folder")]
    assert found(through.format(what="/app/a.py"), files) == []
    assert found(f"FROM alpine:3.20\nCOPY --exclude=.git . /app\n{QUIET}", files) == []


def test_sources_that_are_run_as_they_are(found):
    """TypeScript that is started as such, and Python, are no sources of something compiled."""
    build = "FROM node:20-alpine AS b\nCOPY . .\nRUN npm run build\n"
    base = f"{build}FROM node:20-alpine\nCOPY . .\nCOPY --from=b /dist /dist\nUSER node\n"
    files = {"a.ts": "1", "a.py": "1", "types.d.ts": "1"}
    assert found(base + 'CMD ["npx", "tsx", "a.ts"]\n', files) == []
    assert found(base + 'CMD ["node", "dist/a.js"]\n', files) == [(5, "sources")]


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("DB_PASSWORD", True), ("GITHUB_TOKEN", True), ("apiKey", True), ("SECRET_KEY_BASE", True),
        ("SSH_PRIVATE_KEY", True),
        ("AWS_SECRET_ACCESS_KEY", True), ("PASSWORD_FILE", False), ("TOKEN_TTL", False), ("PUBLIC_KEY", False),
        ("CACHE_KEY", False), ("KEYBOARD", False), ("GPG_KEY", False), ("MONKEY", False), ("SECRET_NAME", False),
        ("SECRET_KEY_BASE_DUMMY", False), ("VITE_API_KEY", False), ("PATH", False),
    ],
)  # fmt: skip
def test_names_of_secrets(name, secret):
    """A name says secret by its words; a word that says where or how takes that back."""
    assert is_secret_name(name) is secret


@pytest.mark.parametrize(
    ("line", "hit"),
    [
        ("ENV API_TOKEN=abcdef", True),
        ("ENV API_TOKEN=", False),
        ('ENV API_TOKEN=""', False),
        ("ENV A=1 API_TOKEN=abcdef", True),
        ("ENV API_TOKEN abcdef", True),
        ("ARG API_TOKEN=abcdef", True),
        ("ARG API_TOKEN", False),
        ("ARG API_TOKEN\nRUN curl -H $API_TOKEN https://example.com", True),
        ("RUN --mount=type=secret,id=API_TOKEN cat /run/secrets/API_TOKEN", False),
        ("RUN pip install --no-cache-dir -i https://me:hunter2@example.com/simple x", True),
        ("RUN curl https://$USER:$PASS@example.com", False),
        ("RUN echo AKIAABCDEFGHIJKLMNOP", True),
    ],
)
def test_secrets_in_a_line(found, line, hit):
    """A secret's value in ARG, ENV or a RUN is found at its line; an ARG that nothing uses, and a mount, are not."""
    assert found(f"FROM alpine:3.20\n{line}\n{QUIET}") == ([(2, "secret-in-image")] if hit else [])


@pytest.mark.parametrize(
    ("path", "text", "hit"),
    [
        (".env", "PASSWORD=1\n", True),
        (".env.production", "export X='1'\n", True),
        (".env", "# nothing\nA=\n", False),
        (".env", "VITE_URL=/api\n", False),
        (".env.example", "PASSWORD=1\n", False),
        ("id_rsa", "x", True),
        ("keys/server.key", "-----BEGIN PRIVATE KEY-----\n", True),
        ("keys/ca.pem", "-----BEGIN CERTIFICATE-----\n", False),
        ("tests/data/server.key", "-----BEGIN PRIVATE KEY-----\n", False),
        (".npmrc", "//registry.example.com/:_authToken=abc\n", True),
        (".npmrc", "//registry.example.com/:_authToken=${NPM_TOKEN}\n", False),
        (".npmrc", "save-exact=true\n", False),
    ],
)
def test_files_with_secrets(found, path, text, hit):
    """A file with a secret is found at the COPY that brings it, by its name and, where need be, its content."""
    assert found(f"FROM alpine:3.20\nCOPY . /app\n{QUIET}", {path: text}) == ([(2, "secret-in-image")] if hit else [])
    ignored = {path: text, ".dockerignore": f"{path}\n"}
    assert found(f"FROM alpine:3.20\nCOPY . /app\n{QUIET}", ignored) == []


def test_a_context_of_what_every_build_makes_again(found, project):
    """Folders that are remade are found at the COPY that takes them, if they are most of what is sent."""
    files = {"node_modules/x/index.node": b"0" * 1_200_000, "index.js": "1", "dist/app.js": "1"}
    copy = f"FROM alpine:3.20\nCOPY index.js /\nCOPY . /app\n{QUIET}"
    assert found(copy, files) == [(3, "large-context")]
    assert found(copy, {**files, ".dockerignore": "node_modules\n"}) == []
    assert found(f"FROM alpine:3.20\nCOPY index.js /\n{QUIET}", files) == []


def test_target_is_remade_only_where_something_makes_it(found):
    """`target` is made again where Cargo.toml or pom.xml stands beside it; else it is a folder like any other."""
    files = {"target/big.bin": b"0" * 1_200_000}
    text = f"FROM alpine:3.20\nCOPY . /app\n{QUIET}"
    assert found(text, files) == []
    assert found(text, {**files, "pom.xml": "<project/>"}) == [(2, "large-context")]


def test_every_rule_says_what_and_how():
    """Each rule has a severity, one sentence of title, a cure, and a page of Docker's documentation."""
    assert len(rules()) == 17
    for rule in rules().values():
        assert rule.severity in ("high", "medium", "low")
        assert rule.title.endswith(".")
        assert rule.cure.endswith(".")
        assert rule.page.startswith("https://docs.docker.com/")
