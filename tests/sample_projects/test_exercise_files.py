"""The sample projects' files: what the written exercise says, mended only where it no longer works."""

from __future__ import annotations

import json
import os
import re
import tomllib

import pytest

from dmhelpers.course.sample_info import measured_samples, original, samples

MY_API = original("my-api")
GO_SERVER = original("go-server")
PATIENT = original("patient")

TYPESCRIPT = """
FROM node:20-alpine AS builder
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json ./
COPY src/ ./src/
RUN npm run build
FROM node:20-alpine AS runtime
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --only=production
COPY --from=builder /app/dist ./dist
EXPOSE 3000
CMD ["node", "dist/server.js"]
"""
TEST_STAGE = """
FROM node:20-alpine AS builder
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build
FROM builder AS test
RUN npm test
FROM node:20-alpine AS runtime
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --only=production
COPY --from=builder /app/dist ./dist
EXPOSE 3000
CMD ["node", "dist/server.js"]
"""
GO = """
FROM golang:1.22-alpine AS builder
WORKDIR /app
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=linux go build -o /server .
FROM scratch
COPY --from=builder /server /server
ENTRYPOINT ["/server"]
"""


@pytest.mark.parametrize(
    ("path", "exercise"),
    [(MY_API / "Dockerfile", TYPESCRIPT), (MY_API / "Dockerfile.test", TEST_STAGE), (GO_SERVER / "Dockerfile", GO)],
    ids=["my-api", "my-api with a test stage", "go-server"],
)
def test_a_dockerfile_is_the_exercise_with_the_deprecated_flag_mended(path, exercise):
    """Comments apart, each Dockerfile is the exercise's, with --omit=dev for --only=production."""
    instructions = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert instructions == exercise.replace("--only=production", "--omit=dev").split("\n")[1:-1]


@pytest.mark.parametrize(
    "path", sorted(one for name in samples() for one in original(name).glob("Dockerfile*")), ids=str
)
def test_no_dockerfile_asks_for_a_frontend_image(path):
    """A `# syntax=` line would make every build pull an image first."""
    assert "syntax=" not in path.read_text()


@pytest.mark.parametrize("name", samples())
def test_every_project_has_what_a_learner_and_a_test_need(name):
    """README, Dockerfile, sample.toml and an executable verify are in every folder."""
    for one in ("README.md", "Dockerfile", "verify", "sample.toml"):
        assert (original(name) / one).is_file(), one
    assert os.access(original(name) / "verify", os.X_OK)


@pytest.mark.parametrize("name", measured_samples())
def test_every_measured_project_has_what_it_is_compared_with(name):
    """A project that is measured has a single stage to compare with, and sends no more than it needs."""
    for one in ("Dockerfile.single", ".dockerignore"):
        assert (original(name) / one).is_file(), one


def test_my_api_has_the_tree_of_the_exercise():
    """Every file of the exercise's tree is in its place, and src/ holds nothing else."""
    for one in ("Dockerfile", ".dockerignore", "package.json", "package-lock.json", "tsconfig.json"):
        assert (MY_API / one).is_file(), one
    sources = sorted(one.relative_to(MY_API / "src").as_posix() for one in (MY_API / "src").rglob("*.*"))
    assert sources == ["routes/api.ts", "server.ts"]


def test_package_json_says_what_the_exercise_says():
    """Scripts and packages are the exercise's; only the test script that it lacks is new."""
    package = json.loads((MY_API / "package.json").read_text())
    test = package["scripts"].pop("test")
    assert package["scripts"] == {"build": "tsc", "start": "node dist/server.js"}
    assert package["dependencies"] == {"express": "^4.18.0"}
    assert package["devDependencies"] == {"typescript": "^5.0.0", "@types/express": "^4.17.0"}
    assert test.startswith("node --test ")


def test_tsconfig_is_that_of_the_exercise():
    """TypeScript's settings are the exercise's to the letter."""
    assert json.loads((MY_API / "tsconfig.json").read_text()) == {
        "compilerOptions": {"outDir": "./dist", "target": "ES2022", "module": "commonjs"},
        "include": ["src/**/*"],
    }


@pytest.mark.parametrize("project", [MY_API, PATIENT], ids=lambda one: one.name)
def test_the_lock_file_pins_contents_and_no_address(project):
    """Each package has its checksum and none an address, so any registry or mirror will do."""
    text = (project / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert '"resolved"' not in text
    assert not re.search(r"registry|\.tgz", text)
    assert all(found["integrity"].startswith("sha512-") for path, found in packages.items() if path)
    root = packages[""]
    package = json.loads((project / "package.json").read_text())
    assert (root["dependencies"], root["devDependencies"]) == (package["dependencies"], package["devDependencies"])


@pytest.mark.parametrize("project", [MY_API, PATIENT], ids=lambda one: one.name)
def test_the_lock_file_marks_the_compiler_as_a_development_package(project):
    """`npm ci --omit=dev` leaves out TypeScript and every package of type declarations."""
    packages = json.loads((project / "package-lock.json").read_text())["packages"]
    kept = [path for path, found in packages.items() if path and not found.get("dev")]
    assert "node_modules/express" in kept
    assert not [path for path in kept if "typescript" in path or "@types" in path]


@pytest.mark.parametrize("name", measured_samples())
def test_the_build_context_is_without_what_the_image_does_not_need(name):
    """Dockerfiles, notes and what is made again stay out; what `COPY . .` needs goes in."""
    ignored = (original(name) / ".dockerignore").read_text().split()
    assert {".git", "Dockerfile*", "README.md", "sample.toml", "verify"} <= set(ignored)
    assert not {"test", "src", "*.js", "*.ts", "*.go", "go.mod", "package.json", "*.json"} & set(ignored)


def test_go_server_needs_no_modules():
    """The Go project builds without a network: the standard library is all it imports."""
    assert (GO_SERVER / "go.mod").read_text().split() == ["module", "go-server", "go", "1.22"]
    assert (GO_SERVER / "go.sum").read_bytes() == b""


@pytest.mark.parametrize("name", samples())
def test_the_readme_names_every_file_and_the_port(name):
    """A README that forgets a file or names another port fails here."""
    readme = (original(name) / "README.md").read_text()
    metadata = tomllib.loads((original(name) / "sample.toml").read_text())
    for one in original(name).iterdir():
        if one.name not in ("README.md", "sample.toml", "node_modules", "dist"):
            assert f"`{one.name}" in readme, one.name
    assert f"-p {metadata['http']['port']}:{metadata['http']['port']}" in readme
