"""The challenge's checks on a real engine: every right answer is done, a wrong one is not, each for its reason."""

from __future__ import annotations

import os

import pytest

from dmhelpers.course.checks import check
from dmhelpers.course.samples import sample
from dmhelpers.course.scores import tries
from dmhelpers.engine.cleanup import cleanup
from dmhelpers.engine.client import docker_cli
from dmhelpers.show.builds import build

pytestmark = [pytest.mark.engine, pytest.mark.one_store]

NODE = "FROM node:20-alpine"
INSTALL = "WORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci"
BUILT = f"""{NODE} AS built
{INSTALL}
COPY . .
RUN npm run build
"""
TESTED = "FROM built AS tested\nRUN npm test\n"
FROM_TESTED = "COPY --from=tested /app/dist ./dist\n"
START = 'COPY rates.json ./\nCMD ["node", "dist/server.js"]\n'
CLEAN = f"{NODE} AS shipped\n{INSTALL} --omit=dev && npm cache clean --force\n"
LIGHT = BUILT + TESTED + CLEAN + FROM_TESTED + START
PRUNED = f"""{BUILT}RUN npm test && npm prune --omit=dev
{NODE}
WORKDIR /srv
COPY --from=built /app/node_modules ./node_modules
COPY --from=built /app/dist ./dist
{START}"""
MOUNTED = LIGHT.replace(
    "RUN npm ci --omit=dev && npm cache clean --force", "RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev"
)

COMPILED = """FROM golang:1.22-alpine AS compiled
WORKDIR /app
COPY go.mod main.go ./
RUN CGO_ENABLED=0 go build -ldflags="-s -w" -o /clock .
"""
EMPTY = 'FROM scratch\nCOPY --from=compiled /clock /clock\nENTRYPOINT ["/clock"]\n'
TRUST = "COPY --from=compiled /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/\n"
ZONES = "COPY --from=compiled /usr/local/go/lib/time/zoneinfo.zip /zoneinfo.zip\nENV ZONEINFO=/zoneinfo.zip\n"
INSIDE = COMPILED.replace("go build", "go build -tags timetzdata")
ELSEWHERE = "COPY --from=compiled /etc/ssl/certs/ca-certificates.crt /trusted.pem\nENV SSL_CERT_FILE=/trusted.pem\n"
AT_GO_S_PLACE = (
    "COPY --from=compiled /usr/local/go/lib/time/zoneinfo.zip /zones/zoneinfo.zip\nENV ZONEINFO=/zones/zoneinfo.zip\n"
)

GENERATED = f"{NODE} AS generated\nCOPY generate.js routes.csv /\nRUN node generate.js routes.csv /config.json\n"
TARGET = f"""{NODE} AS {{name}}
WORKDIR /app
COPY --from=generated /config.json ./
COPY {{name}}.js ./
CMD ["node", "{{name}}.js"]
"""
BOTH = TARGET.format(name="web") + TARGET.format(name="admin")
SHARED_BASE = f"""{NODE} AS common
WORKDIR /srv
ENV CONFIG=/etc/signpost.json
COPY --from=generated /config.json /etc/signpost.json
FROM common AS web
COPY web.js ./
CMD ["node", "web.js"]
FROM common AS admin
COPY admin.js ./
CMD ["node", "admin.js"]
"""
BOUND = f"""{NODE} AS generated
RUN --mount=target=/in node /in/generate.js /in/routes.csv /config.json
"""
tags = set()


@pytest.fixture(scope="module", autouse=True)
def cleaned(warm_cache):
    """Leave the engine as it was, once all of this module's builds have shared their cache."""
    yield
    if os.environ.get("DMHELPERS_SHARED_ENGINE") == "1":
        docker_cli(["image", "rm", *tags], timeout_s=60, check=False)
    else:
        cleanup()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Give fresh working copies, by name, in a workspace of the test's own."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    return lambda name: sample(name).path


def made(folder, tag, text, **options):
    """Write a Dockerfile and build it."""
    (folder / "Dockerfile").write_text(text)
    tags.add(build(folder, tag=tag, progress="quiet", **options).tag)


def pair(folder, text):
    """Write a Dockerfile and build both of its targets."""
    for target in ("web", "admin"):
        made(folder, f"learner/12-c:{target}", text, target=target)


def hold(number, *reasons):
    """Hold that the check says done or, with reasons, not yet with each of them among what is missing."""
    verdict = check(number)
    assert verdict.done == (not reasons), str(verdict)
    for one in reasons:
        assert any(one in missing for missing in verdict.missing), str(verdict)


@pytest.mark.parametrize("text", [LIGHT, PRUNED, MOUNTED], ids=["clean", "pruned", "cache mount"])
def test_12a_is_done_however_it_is_made_light(project, text):
    """Installed anew and cleaned, pruned and copied, or with the cache in a mount: below the bound, and tested."""
    made(project("postage"), "learner/12-a", text)
    hold("12-a")


def test_12a_is_not_yet_done(project):
    """Too heavy, without its prices, or untested: each is said, and each counts as a try."""
    folder = project("postage")
    made(folder, "learner/12-a", (folder / "Dockerfile").read_text())
    hold("12-a", "not below 5MB", "the TypeScript compiler", "the tests", "a package manager's cache")
    made(folder, "learner/12-a", LIGHT.replace(" && npm cache clean --force", ""))
    hold("12-a", "a package manager's cache")
    made(folder, "learner/12-a", LIGHT.replace("COPY rates.json ./\n", ""))
    hold("12-a", "does not answer over HTTP")
    made(folder, "learner/12-a", LIGHT.replace("=tested", "=built"))
    hold("12-a", "the build ends well: no test stopped it")
    made(folder, "learner/12-a", LIGHT.replace("npm test", "npm test || true"))
    hold("12-a", "the build ends well: no test stopped it")
    assert [one.passed for one in tries("12-a")] == [False] * len(tries("12-a"))
    assert len(tries("12-a")) >= 3


@pytest.mark.parametrize(
    "text",
    [COMPILED + EMPTY + TRUST + ZONES, INSIDE + EMPTY + ELSEWHERE, COMPILED + EMPTY + TRUST + AT_GO_S_PLACE],
    ids=["beside it", "zones inside, certificates elsewhere", "another folder"],
)
def test_12b_is_done_wherever_the_data_is(project, text):
    """Zone data beside the program or in it, certificates at a known place or at one that a variable names."""
    made(project("clock"), "learner/12-b", text)
    hold("12-b")


def test_12b_is_not_yet_done(project):
    """Without either kind of data, with symbols, or not from scratch: the answers themselves say what is missing."""
    folder = project("clock")
    made(folder, "learner/12-b", COMPILED + EMPTY)
    hold("12-b", "no time zone data", "it trusts no authorities")
    made(folder, "learner/12-b", COMPILED + EMPTY + ZONES)
    hold("12-b", "it trusts no authorities")
    made(folder, "learner/12-b", COMPILED + EMPTY + TRUST)
    hold("12-b", "the time in Asia/Kathmandu: answered with 503")
    made(folder, "learner/12-b", (COMPILED + EMPTY + TRUST + ZONES).replace(' -ldflags="-s -w"', ""))
    hold("12-b", "not below 7MB")
    made(folder, "learner/12-b", COMPILED)
    hold("12-b", "stands on golang:1.22-alpine", "not below 7MB")


def test_12b_does_not_believe_a_program_that_only_says_so(project):
    """A number of authorities that stays without any certificate was never read from one."""
    folder = project("clock")
    source = (folder / "main.go").read_text()
    (folder / "main.go").write_text(
        source.replace("len(pool.Subjects())", "140").replace("|| pool.Equal(", "&& pool.Equal(")
    )
    made(folder, "learner/12-b", COMPILED + EMPTY + ZONES)
    hold("12-b", "even where there is no certificate")


@pytest.mark.parametrize(
    "text",
    [GENERATED + BOTH, GENERATED + SHARED_BASE, BOUND + BOTH],
    ids=["two copies", "a stage in common", "mounted"],
)
def test_12c_is_done_with_one_generating_stage(project, text):
    """Copied twice, or once into a stage that both begin from: one configuration, generated once."""
    pair(project("signpost"), text)
    hold("12-c")


def test_12c_is_not_yet_done(project):
    """Two generators, a generator that is shipped, or deleted afterwards, and another one's program are all seen."""
    folder = project("signpost")
    pair(folder, (folder / "Dockerfile").read_text())
    hold("12-c", "no stage that both copy from", "also holds /app/generate.js")
    stages = GENERATED + GENERATED.replace("AS generated", "AS other").replace("RUN node", "RUN : && node")
    pair(folder, stages + BOTH.replace("--from=generated", "--from=other", 1))
    hold("12-c", "no stage that both copy from")
    pair(folder, GENERATED + BOTH.replace("COPY web.js", "COPY *.js"))
    hold("12-c", "learner/12-c:web also holds /app/admin.js")
    deleted = "COPY generate.js web.js ./\nRUN rm generate.js"
    pair(folder, GENERATED + BOTH.replace("COPY web.js ./", deleted))
    hold("12-c", "learner/12-c:web also holds /app/generate.js")
    made(folder, "learner/12-c:admin", GENERATED + BOTH, target="admin")
    hold("12-c", "different Dockerfiles")
