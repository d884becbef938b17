"""The checks on a real engine: a right answer is done, a typical wrong one is not yet, for the right reason.

Those that read layers run on both image stores.
"""

from __future__ import annotations

import os

import pytest

from dmhelpers.course.checks import check
from dmhelpers.course.sample_info import original
from dmhelpers.course.samples import sample
from dmhelpers.engine.cleanup import cleanup
from dmhelpers.engine.client import docker_cli
from dmhelpers.errors import NameTaken
from dmhelpers.show.builds import build
from tests.course.answers import (
    BUILDER,
    DIST,
    GO,
    NODE,
    ON_SCRATCH,
    PACKAGES,
    PATIENT,
    PRUNED,
    RUNTIME,
    SECRETIVE,
    SINGLE,
    START,
    TESTED,
    TOOLS,
)

pytestmark = pytest.mark.engine

tags = set()


@pytest.fixture(scope="module", autouse=True)
def cleaned(warm_cache):
    """Leave the engine as it was, once all of this module's builds have shared their cache."""
    yield
    if os.environ.get("DMHELPERS_SHARED_ENGINE") == "1":
        # The same steps give the same image to everybody: taken away by its ID, others would lose theirs too.
        docker_cli(["image", "rm", *tags], timeout_s=60, check=False)
    else:
        cleanup()


@pytest.fixture
def api(tmp_path, monkeypatch):
    """Give a fresh working copy of my-api in a workspace of its own."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    return sample("my-api").path


@pytest.fixture
def go(api):
    """Give a fresh working copy of go-server in the same workspace."""
    return sample("go-server").path


@pytest.fixture
def patient(api):
    """Give a fresh working copy of the patient in the same workspace."""
    return sample("patient").path


def made(folder, tag, text=None, **options):
    """Write a Dockerfile, if one is given, and build it."""
    if text is not None:
        (folder / options.get("file", "Dockerfile")).write_text(text)
    try:
        result = build(folder, tag=tag, **options)
    except NameTaken as taken:
        if os.environ.get("DMHELPERS_SHARED_ENGINE") == "1":
            pytest.skip(f"somebody else uses this engine: {taken.message}")
        raise
    tags.add(result.tag)
    return result


def changed(folder, path, old, new):
    """Replace a text in a file."""
    text = (folder / path).read_text()
    assert old in text
    (folder / path).write_text(text.replace(old, new))


def hold_done(number, **options):
    """Hold that the check says done."""
    verdict = check(number, **options)
    assert verdict.done, str(verdict)


def hold_not_yet(number, *reasons, **options):
    """Hold that the check says not yet, and that each reason stands in what it misses."""
    verdict = check(number, **options)
    assert not verdict.done, str(verdict)
    for one in reasons:
        assert any(one in missing for missing in verdict.missing), str(verdict)


@pytest.mark.one_store
def test_01a(api):
    """Both names are asked for, and a final stage that starts from the first one has its files."""
    final = "FROM scratch AS final\nCOPY --from=tools /made.txt /\n"
    made(api, "learner/01-a", TOOLS + final)
    hold_done("01-a")
    made(api, "learner/01-a", (TOOLS + final).replace(" AS tools", "").replace("=tools", "=0"))
    hold_not_yet("01-a", "no stage is named tools; the stages are stage-0, final")
    made(api, "learner/01-a", TOOLS + "FROM tools AS final\n")
    hold_not_yet("01-a", "copies nothing from the stage tools", "/tools-only.txt is in the image")


def test_01b(api):
    """The file is made by a stage that is built, and stands in no layer, deleted or not."""
    made(api, "learner/01-b", SECRETIVE + "FROM scratch\nCOPY --from=maker /made.txt /\n")
    hold_done("01-b")
    made(api, "learner/01-b", f"{SECRETIVE}{NODE}\nRUN echo else > /made.txt\n")
    hold_not_yet("01-b", "the stage maker was not built")
    made(api, "learner/01-b", f"{SECRETIVE}FROM maker\nRUN rm /secret.txt\n")
    hold_not_yet("01-b", "a layer below still holds it")
    made(api, "learner/01-b", f"{TOOLS}FROM scratch\nCOPY --from=tools /made.txt /\n")
    hold_not_yet("01-b", "no stage before the last one makes /secret.txt")


@pytest.mark.one_store
def test_02a(api):
    """The route answers with the version of package.json; without it, the check says 404."""
    made(api, "learner/02-a", RUNTIME)
    hold_not_yet("02-a", "answered with 404 instead of 200")
    route = 'api.get("/version", (_request, response) => {\n  response.json({ version: "1.0.0" });\n});\n'
    changed(
        api, "src/routes/api.ts", "// GET /stages,", f"{route.replace('/version', '/api/version')}\n// GET /stages,"
    )
    made(api, "learner/02-a", RUNTIME)
    hold_not_yet("02-a", "your route answers at /api/api/version")
    changed(api, "src/routes/api.ts", '"/api/version"', '"/version"')
    made(api, "learner/02-a", RUNTIME)
    hold_done("02-a")
    changed(api, "src/routes/api.ts", '"1.0.0"', '"one"')
    made(api, "learner/02-a", RUNTIME)
    hold_not_yet("02-a", 'answered with {"version": "one"}')


@pytest.mark.one_store
def test_02b(api):
    """Both folders stay out of the context, and the sources do not."""
    small = "FROM scratch\nCOPY package.jso[n] /\n"
    for patterns, reasons in (
        ("*.log\n", ("node_modules is sent to the build", "dist is sent to the build")),
        ("node_modules\n", ("dist is sent to the build",)),
        ("*\n", ("package.json, package-lock.json, tsconfig.json, src/server.ts stays out",)),
    ):
        (api / ".dockerignore").write_text(patterns)
        made(api, "learner/02-b", small if patterns != "*\n" else "FROM scratch\nENV A=1\n")
        hold_not_yet("02-b", *reasons)
    (api / ".dockerignore").write_text("**/node_modules\n/dist/\n")
    made(api, "learner/02-b", small)
    hold_done("02-b")


@pytest.mark.one_store
def test_03a(api):
    """The builder has what was compiled and the compiler, under the name that later stages copy from."""
    made(api, "learner/03-a", BUILDER)
    hold_done("03-a")
    made(api, "learner/03-a", BUILDER.replace("RUN npm run build\n", "").replace("AS builder", "AS compile"))
    hold_not_yet("03-a", "it is the stage compile", "/app/dist/server.js is not in the image")
    made(api, "learner/03-a", f"{NODE} AS builder\n")
    hold_not_yet("03-a", "its WORKDIR is /", "the TypeScript compiler")


@pytest.mark.one_store
def test_03b(api):
    """A changed source leaves npm ci in the cache, or the check names the line that ran again."""
    made(api, "learner/03-b", BUILDER)
    hold_done("03-b")
    made(api, "learner/03-b", f"{NODE} AS builder\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN npm run build\n")
    hold_not_yet("03-b", "npm ci ran again (line 4)")


def test_04a(api):
    """Only what it takes to run, in every layer, and it answers."""
    made(api, "learner/04-a", RUNTIME)
    hold_done("04-a")
    made(api, "learner/04-a", f"{BUILDER}FROM builder AS runtime\nRUN rm -rf src node_modules/typescript\n{START}")
    hold_not_yet("04-a", "packages of type declarations", "what a step deleted is still in a layer below")
    made(api, "learner/04-a", f"{BUILDER}{PACKAGES}COPY src ./src\n{DIST}")
    hold_not_yet("04-a", "TypeScript sources, such as /app/src/", "does not answer over HTTP")
    made(api, "learner/04-a", RUNTIME.replace('["node", "dist/server.js"]', "['node', 'dist/server.js']"))
    hold_not_yet("04-a", "needs double quotes")


@pytest.mark.one_store
def test_04b(api):
    """The process in the container is node, whatever the name or number that says so."""
    made(api, "learner/04-b", f"{RUNTIME}USER node\n")
    hold_done("04-b")
    made(api, "learner/04-b", f"{RUNTIME}USER 1000:1000\n")
    hold_done("04-b")
    made(api, "learner/04-b", RUNTIME)
    hold_not_yet("04-b", "whoami says root")


@pytest.mark.one_store
def test_05a(api):
    """One stage, slimmed in the step that fills it; a step that deletes later saves nothing."""
    made(api, "my-api:single", SINGLE, file="Dockerfile.single")
    text = f"""{NODE}
WORKDIR /app
COPY . .
RUN npm ci && npm run build && npm prune --omit=dev && npm cache clean --force
{START}"""
    made(api, "learner/05-a", text)
    hold_done("05-a")
    made(api, "learner/05-a", SINGLE + "RUN npm prune --omit=dev\n")
    hold_not_yet("05-a", "it is to be smaller than my-api:single by more than 10MB")
    made(api, "learner/05-a", RUNTIME)
    hold_not_yet("05-a", "it has 2 stages")


@pytest.mark.one_store
def test_05b(api):
    """The engine's sizes are right as bytes and as Docker prints them; a wrong or missing one is named."""
    from dmhelpers.measure.images import list_images
    from dmhelpers.units import docker_size

    made(api, "my-api:single", SINGLE, file="Dockerfile.single")
    made(api, "my-api:latest", RUNTIME)
    names = ("node:20-alpine", "my-api:single", "my-api:latest")
    sizes = {name: list_images(name)[0].size_bytes for name in names}
    sizes["saved"] = sizes["my-api:single"] - sizes["my-api:latest"]
    hold_done("05-b", answer=sizes)
    hold_done("05-b", answer={name: docker_size(size) for name, size in sizes.items()})
    hold_not_yet("05-b", "saved: not filled in yet", answer={**sizes, "saved": ...})
    hold_not_yet(
        "05-b", "my-api:single: 450MB is not what the engine says", answer={**sizes, "my-api:single": "450MB"}
    )
    hold_not_yet("05-b", "'large' is no size", answer={**sizes, "saved": "large"})


@pytest.mark.one_store
def test_06a(api):
    """Names survive a stage that is put in front; a number that is left does not."""
    made(api, "my-api:by-number", RUNTIME.replace("--from=builder", "--from=0"))
    made(api, "learner/06-a", RUNTIME.replace("builder", "compile"))
    hold_done("06-a")
    made(api, "learner/06-a", RUNTIME.replace("--from=builder", "--from=0"))
    hold_not_yet("06-a", "a number is still in use")
    made(api, "learner/06-a", RUNTIME.replace(DIST, DIST + "RUN touch dist/more.js\n"))
    hold_not_yet("06-a", "its files differ from those of my-api:by-number: /app/dist/more.js")


@pytest.mark.one_store
def test_06b(api):
    """Two stages and an image are copied from; the same files by other ways are not the exercise."""
    config = f"{NODE} AS config\nRUN echo '{{\"port\": 3000}}' > /config.json\n"
    copies = f"{DIST}COPY --from=config /config.json ./\n"
    release = "COPY --from=node:20-alpine /etc/os-release ./base-release\n"
    made(api, "learner/06-b", f"{BUILDER}{config}{PACKAGES}{copies}{release}")
    hold_done("06-b")
    made(
        api,
        "learner/06-b",
        f"{BUILDER}{PACKAGES}{DIST}RUN echo '{{' > config.json && cp /etc/os-release base-release",
    )
    hold_not_yet("06-b", "not valid JSON", "the stage builder alone", "copies nothing from the image node:20-alpine")


@pytest.mark.one_store
def test_07a(api):
    """The tag holds the builder, and the answer is its compiler's version, as text or as a run's result."""
    from dmhelpers.engine.containers import run

    made(api, "learner/07-a", RUNTIME, target="builder")
    printed = run("learner/07-a", "npx tsc --version", network=False)
    hold_done("07-a", answer=printed)
    hold_done("07-a", answer=printed.stdout)
    hold_not_yet("07-a", "the answer holds no version yet")
    hold_not_yet("07-a", "the answer says 1.2.3", answer="Version 1.2.3")
    made(api, "learner/07-a", RUNTIME)
    hold_not_yet("07-a", "it is the stage runtime", "compiler is not in the image", answer=printed)


@pytest.mark.one_store
def test_07b(api):
    """A plain build leaves dev out; a stage that something copies from, or that cannot be built, is not it."""
    dev = 'FROM builder AS dev\nCMD ["npx", "tsc", "--watch"]\n'
    made(api, "learner/07-b", f"{BUILDER}{dev}{PACKAGES}{DIST}{START}")
    hold_done("07-b")
    made(api, "learner/07-b", f"{BUILDER}{dev}{PACKAGES}{DIST.replace('builder', 'dev')}{START}")
    hold_not_yet("07-b", "in the build of it: something that it needs depends on dev")
    made(api, "learner/07-b", f"{BUILDER}FROM builder AS dev\nRUN false\n{PACKAGES}{DIST}{START}")
    hold_not_yet("07-b", "--target dev does not build")
    made(api, "learner/07-b", f"{BUILDER}{PACKAGES}{DIST}{START}{dev}")
    hold_not_yet("07-b", "the image is of the stage dev")
    assert not any("depends on dev" in one for one in check("07-b").missing), "dev is itself what was built"


@pytest.mark.one_store
def test_08a(api):
    """A broken test stops a plain build, by either way; a stage that is skipped, or shipped, is not yet."""
    marker = f"{TESTED}{PACKAGES}{DIST}COPY --from=test /tests-passed /\n{START}"
    made(api, "learner/08-a", marker)
    hold_done("08-a")
    made(api, "learner/08-a", f"{TESTED}{PACKAGES}{DIST.replace('builder', 'test')}{START}")
    hold_done("08-a")
    made(api, "learner/08-a", f"{TESTED}{PACKAGES}{DIST}{START}")
    hold_not_yet("08-a", "a plain build still makes the image (stage test: not built)")
    made(api, "learner/08-a", f"{TESTED}FROM test AS runtime\n{START}")
    hold_not_yet("08-a", "ships the TypeScript compiler")
    made(api, "learner/08-a", marker.replace("npm test &&", "npm test;"))
    hold_not_yet("08-a", "a plain build still makes the image (stage test: ran)")


@pytest.mark.one_store
def test_08b(api):
    """The test stage first, then the runtime, both of one Dockerfile."""
    text = f"{TESTED}{PACKAGES}{DIST}{START}"
    made(api, "learner/08-b:latest", text)
    hold_not_yet("08-b", "there is no image learner/08-b:test yet")
    made(api, "learner/08-b:test", target="test")
    hold_not_yet("08-b", "the image was built before the tests")
    made(api, "learner/08-b:latest")
    hold_done("08-b")
    made(api, "learner/08-b:test", target="builder")
    hold_not_yet("08-b", "learner/08-b:test is the stage builder")


@pytest.mark.one_store
def test_09(go):
    """One file in an empty image; by the linker's options at least a fifth less."""
    made(go, "learner/09-a", GO.format(flags="") + ON_SCRATCH)
    hold_done("09-a")
    made(go, "learner/09-b")
    hold_not_yet("09-b", "it is to be at least 20% smaller")
    made(go, "learner/09-b", GO.format(flags='-ldflags "-s -w" ') + ON_SCRATCH)
    hold_done("09-b")
    made(go, "learner/09-a", GO.format(flags="") + ON_SCRATCH.replace("ENTRYPOINT", "COPY go.mod /\n# "))
    hold_not_yet("09-a", "it has 2 files", "does not answer over HTTP")
    made(go, "learner/09-a", GO.format(flags=""))
    hold_not_yet("09-a", "not below 10MB")


@pytest.mark.one_store
def test_10a(api):
    """The image's own answers are right, a guess is not."""
    from dmhelpers.engine.containers import run

    made(api, "my-api:latest", RUNTIME)
    packages = len(run("my-api:latest", "ls node_modules").stdout.split())
    gone = run("my-api:latest", "which tsc")
    hold_done("10-a", answer={"which_tsc": gone.exit_code, "packages": packages})
    hold_done("10-a", answer={"which_tsc": gone, "packages": str(packages)})
    hold_not_yet("10-a", "packages: 3 is not", answer={"which_tsc": 1, "packages": 3})
    hold_not_yet("10-a", "which_tsc: not filled in yet", answer={"which_tsc": None, "packages": packages})
    hold_not_yet("10-a", "no answer was given")


def test_10b(api):
    """The cache goes within its step; deleted by a later step it stays in the layer below."""
    made(api, "my-api:latest", RUNTIME)
    clean = RUNTIME.replace("--omit=dev", "--omit=dev && npm cache clean --force")
    made(api, "learner/10-b", clean)
    hold_done("10-b")
    made(api, "learner/10-b", RUNTIME.replace(DIST, f"RUN rm -rf /root/.npm\n{DIST}"))
    hold_not_yet("10-b", "it is to be smaller than my-api:latest by more than 1MB")
    made(api, "learner/10-b", RUNTIME)
    hold_not_yet("10-b", "npm's cache is still in it")


def test_11a(patient):
    """Small beyond the base, without development packages, and alive: by two stages or by one."""
    made(patient, "learner/11-a", PATIENT)
    made(patient, "patient:poor", PATIENT)
    hold_not_yet("11-a", "patient:poor adds only")
    made(patient, "patient:poor", (original("patient") / "Dockerfile").read_text())
    hold_done("11-a")
    made(patient, "learner/11-a", f"{NODE}\nWORKDIR /app\nCOPY . .\n{PRUNED}{START}")
    hold_done("11-a")
    made(patient, "learner/11-a", PATIENT.replace("COPY limits.json ./\n", ""))
    hold_not_yet("11-a", "no such file or directory, open '/app/limits.json'")
    made(patient, "learner/11-a", PATIENT.replace(" --omit=dev", ""))
    hold_not_yet("11-a", "at least 75% smaller than patient:poor", "it still has development packages")
    made(patient, "learner/11-a", PATIENT.replace(START, f"RUN echo '{{}}' > limits.json\n{START}"))
    hold_not_yet("11-a", "answers GET /pulse?intervals=1000,1000 with 400")


def test_11a_finds_the_token_wherever_it_is(patient):
    """A variable is in the configuration, an argument in the history, a Dockerfile that was copied in a layer."""
    poor = (original("patient") / "Dockerfile").read_text()
    made(patient, "patient:poor", poor)
    secret = next(line for line in poor.splitlines() if line.startswith("ENV")).partition("=")[2]
    made(patient, "learner/11-a", PATIENT.replace(START, f"ENV TOKEN={secret}\n{START}"))
    hold_not_yet("11-a", "the token is in its configuration, for anybody who starts it and its history")
    made(patient, "learner/11-a", PATIENT.replace(START, f"ARG TOKEN={secret}\nRUN true\n{START}"))
    hold_not_yet("11-a", "the token is in its history")
    (patient / "Dockerfile.old").write_text(poor)
    made(patient, "learner/11-a", PATIENT.replace(START, f"COPY Dockerfile.old ./\nRUN rm Dockerfile.old\n{START}"))
    hold_not_yet("11-a", "the token is in the file /app/Dockerfile.old of a layer")


@pytest.mark.one_store
def test_11b(patient):
    """Clutter stays out of the context, and an edited source is compiled and installs nothing; and it lives."""
    made(patient, "learner/11-b", PATIENT)
    hold_not_yet("11-b", "the build context has 17MB, not less than 100kB; the largest: recordings/ 12MB")
    (patient / ".dockerignore").write_text("node_modules\nrecordings\n")
    hold_done("11-b")
    (patient / ".dockerignore").write_text("*\n!src\n!*.json\n")
    hold_done("11-b")
    made(patient, "learner/11-b", f"{NODE}\nWORKDIR /app\nADD . .\nRUN npm ci\nRUN npm run build\n{START}")
    hold_not_yet("11-b", "after a change of src/pulse.ts alone, npm ci ran again (line 4)")
    made(patient, "learner/11-b", PATIENT.replace("COPY limits.json ./\n", ""))
    hold_not_yet("11-b", "does not answer over HTTP")
    (patient / ".dockerignore").write_text("*\n!*.json\n!dist\n")
    hold_not_yet("11-b", "there is no 'src' in the build context")


TESTS_LAST = f"{BUILDER}FROM builder AS test\nCOPY test/ ./test/\nRUN npm test\n"
KEPT = f"""{NODE}
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,id=test-13-b,target=/root/.npm npm ci --omit=dev --prefer-offline
"""


@pytest.mark.one_store
def test_13a_an_edited_test_runs_the_tests_alone(api):
    """Tests that are copied after the compiler ran are done; before it, or not at all, they are not."""
    made(api, "learner/13-a", TESTS_LAST, target="test")
    hold_done("13-a")
    made(api, "learner/13-a", TESTED, target="test")
    hold_not_yet("13-a", "RUN npm run build (line 6)")
    made(api, "learner/13-a", TESTS_LAST.replace("RUN npm test\n", ""), target="test")
    hold_not_yet("13-a", "no step ran the tests")
    made(api, "learner/13-a", BUILDER)
    hold_not_yet("13-a", "it has no test/*.test.js")


@pytest.mark.one_store
def test_13b_what_was_fetched_is_kept(api):
    """A mount with --prefer-offline is done; without the option, without the mount, or with --offline it is not."""
    made(api, "learner/13-b", KEPT)
    hold_done("13-b")
    made(api, "learner/13-b", KEPT.replace("--prefer-offline", "--offline"))
    hold_not_yet("13-b", "with an empty cache it does not build")
    made(api, "learner/13-b", KEPT.replace(" --prefer-offline", ""))
    hold_not_yet("13-b", "asks the registry for what an earlier build had fetched")
    made(api, "learner/13-b", PACKAGES)
    hold_not_yet("13-b", "npm's cache is in the image", "asks the registry")
