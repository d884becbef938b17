"""Notebook 12: the challenge. A service made light, one moved to scratch, one configuration for two images."""

from __future__ import annotations

import json
import posixpath
import re
from contextlib import ExitStack
from typing import Any

from dmhelpers.course.checks.probes import Answer, Image, beyond, need_built, running
from dmhelpers.course.checks.records import Exercise, Look, NotYet, Weight
from dmhelpers.course.checks.shipped import own_paths, reads_from, root_base
from dmhelpers.course.checks.trials import Trial, copied, tried, write_dockerfile
from dmhelpers.course.sample_files import copy
from dmhelpers.course.sample_info import original
from dmhelpers.errors import BuildFailed
from dmhelpers.measure.built import Built
from dmhelpers.units import docker_size

NOTEBOOK = "12_the_challenge"
POSTAGE_LIMIT_BYTES = 5_000_000
CLOCK_LIMIT_BYTES = 7_000_000
LEAST_AUTHORITIES = 50
"""Fewer are no bundle of the public authorities, of which there are well over a hundred."""

_NOT_SHIPPED = {
    "the TypeScript compiler": ("*/node_modules/typescript/package.json",),
    "type packages": ("*/node_modules/@types/*/package.json",),
    "the sources": ("*/src/server.ts", "*/src/postage.ts"),
    "the tests": ("*/postage.test.js",),
    "a package manager's cache": ("*/_cacache/*", "*/.cache/yarn/*"),
}
_PRICES = {
    "/zones": Answer(200, ["home", "near", "far"]),
    "/postage?zone=home&grams=1001": Answer(200, {"zone": "home", "grams": 1001, "cents": 570}),
    "/postage?zone=far&grams=19999": Answer(200, {"zone": "far", "grams": 19999, "cents": 14050}),
    "/postage?zone=near&grams=20001": Answer(400, {"error": "no parcel is heavier than 20000 g"}),
    "/postage?zone=moon&grams=1": Answer(404, {"error": "zone must be one of home, near, far"}),
}
_RIGHT, _WRONG = "Math.ceil(weight / 1000) - 1", "Math.ceil(weight / 1000)"
_TOLD_BY_A_TEST = "570 !== 490"
"""What the tests say of a first kilogram that is charged as a second one, whichever reporter prints it."""

_CLOCKS = {
    "/time?zone=Asia/Kathmandu&at=1000000000": ("2001-09-09 07:31:40", 20700),
    "/time?zone=America/New_York&at=1720000000": ("2024-07-03 05:46:40", -14400),
    "/time?zone=America/New_York&at=1705000000": ("2024-01-11 14:06:40", -18000),
}
_GENERATOR = ("*/generate.js", "*/routes.csv")
_ADDED = "/added-by-the-check"


def look_at_postage(look: Look) -> None:
    """12-a: below the bound beyond its base, the same answers, and a build stops when a test fails."""
    image, built = need_built(look, "learner/12-a")
    _weigh(look, (image, beyond(image), built))
    _expect_below(look, beyond(image), POSTAGE_LIMIT_BYTES, "beyond the base")
    for what, patterns in _NOT_SHIPPED.items():
        found = own_paths(image, *patterns)
        if found:
            cache, is_cache, _ = found[0].partition("/_cacache/")
            look.lacks(f"it ships {what}: {posixpath.basename(cache) if is_cache else found[0]}")
    look.end_if_missing()
    look.saw("nothing in it that only building or testing needs")
    with running(look, image, "postage") as service:
        wrong = [path for path, expected in _PRICES.items() if service.get(path) != expected]
    look.expect(not wrong, "it answers as before", f"it does not answer as before: GET {', '.join(wrong[:2])}")
    look.end_if_missing()
    _break_the_price(look, built)


def look_at_clock(look: Look) -> None:
    """12-b: from scratch, below the bound, and both answers come from data that is in the image."""
    image, built = need_built(look, "learner/12-b")
    base = root_base(built)
    _weigh(look, (image, image.size_bytes, built))
    look.expect(base == "scratch", "from scratch", f"its last stage stands on {base}, not on the empty image")
    _expect_below(look, image.size_bytes, CLOCK_LIMIT_BYTES, "in all")
    look.end_if_missing()
    with running(look, image, "clock") as service:
        for path, (shown, offset) in _CLOCKS.items():
            zone = path.partition("=")[2].partition("&")[0]
            right = Answer(200, {"zone": zone, "local": shown, "offset_s": offset})
            _expect_answer(look, service.get(path), right, f"the time in {zone}")
        authorities = _authorities(service.get("/trust"))
    look.expect(
        authorities >= LEAST_AUTHORITIES,
        f"it trusts {authorities} authorities",
        f"it trusts {authorities or 'no'} authorities, and a bundle has more than {LEAST_AUTHORITIES}",
    )
    look.end_if_missing()
    _take_the_data_away(look, image, built)


def look_at_signpost(look: Look) -> None:
    """12-c: two targets of one Dockerfile with one configuration, from a stage that ran once and is left behind."""
    web, web_built = need_built(look, "learner/12-c:web")
    admin, admin_built = need_built(look, "learner/12-c:admin")
    _weigh(look, (web, beyond(web), web_built), (admin, beyond(admin), admin_built))
    same = all(getattr(web_built, one) == getattr(admin_built, one) for one in ("folder", "file", "text"))
    look.expect(same, "both were built from one Dockerfile", "the two were built from different Dockerfiles")
    look.end_if_missing()
    shared = reads_from(web_built) & reads_from(admin_built)
    look.expect(
        bool(shared),
        f"both copy from the stage {', '.join(sorted(shared))}",
        "there is no stage that both copy from",
    )
    for image, other in ((web, "admin.js"), (admin, "web.js")):
        left = own_paths(image, *_GENERATOR, f"*/{other}", everywhere=True)
        look.expect(
            not left, f"{image.name} has its own program only", f"{image.name} also holds {', '.join(left[:3])}"
        )
    look.end_if_missing()
    serials = {_serial(look, image, kind) for image, kind in ((web, "web"), (admin, "admin"))}
    look.expect(
        len(serials) == 1, "both have the same configuration", "their configurations have different serial numbers"
    )
    look.end_if_missing()
    _add_a_route(look, web_built, admin_built)


def _weigh(look: Look, *parts: tuple[Image, int, Built]) -> None:
    look.weigh(
        Weight(
            image=" ".join(image.image_id for image, _, _ in parts),
            size_beyond_base_bytes=sum(size for _, size, _ in parts),
            build_s=sum(built.duration_s for _, _, built in parts),
        )
    )


def _expect_below(look: Look, size: int, limit: int, what: str) -> None:
    shown = f"{docker_size(size)} {what}"
    bound = docker_size(limit)
    look.expect(size < limit, f"below {bound}: {shown}", f"it weighs {shown}, not below {bound}")


def _expect_answer(look: Look, found: Answer, right: Answer, what: str) -> None:
    said = found.body.get("error") if isinstance(found.body, dict) else None
    told = f"{what}: answered with {found.status}" + (f", {said}" if said else "")
    look.expect(found == right, f"{what} is right", told if found.status != 200 else f"{what} is wrong")


def _authorities(found: Answer) -> int:
    value = found.body.get("authorities") if isinstance(found.body, dict) else None
    return value if isinstance(value, int) and found.status == 200 else 0


def _break_the_price(look: Look, built: Built) -> None:
    """Make the program charge too much in a copy: the project's own tests know that it does."""
    with copied(built) as folder:
        copy(original("postage") / "test", folder / "test")
        source = folder / "src" / "postage.ts"
        text = source.read_text(encoding="utf-8") if source.is_file() else ""
        if _RIGHT not in text:
            raise NotYet("src/postage.ts is not what it was: only the Dockerfile and .dockerignore are to change")
        source.write_text(text.replace(_RIGHT, _WRONG), encoding="utf-8")
        try:
            with tried(folder, built, target=built.target):
                pass
        except BuildFailed as error:
            look.expect(
                _TOLD_BY_A_TEST in error.log,
                f"with a mistake put into a copy, a test stops the build in the stage {error.stage}",
                f"with a mistake put into a copy, the build stops, but no test says why: {error.message}",
            )
            return
    look.lacks("with a mistake put into a copy, the build ends well: no test stopped it")


def _take_the_data_away(look: Look, image: Image, built: Built) -> None:
    """Put the program alone into an empty image: what it then cannot answer came from the data beside it."""
    command = [*(image.config.get("Entrypoint") or []), *(image.config.get("Cmd") or [])]
    program = posixpath.join(image.workdir, command[0])
    lines = f"FROM scratch\nCOPY --from={built.stage.index} {program} {program}\nENTRYPOINT {json.dumps([program])}\n"
    end = built.dockerfile.stages[built.stage.index].end_line
    head = "\n".join(built.text.splitlines()[:end])
    with copied(built) as folder, ExitStack() as stack:
        write_dockerfile(folder, built, f"{head}\n\n{lines}")
        alone = stack.enter_context(tried(folder, built)).image
        service = stack.enter_context(running(Look(), alone, "clock"))
        trusted = _authorities(service.get("/trust"))
        zones = service.get(next(iter(_CLOCKS))).status == 200
    look.expect(
        trusted == 0,
        "the certificates are read from a file: without it, nobody is trusted",
        "the program says that it trusts authorities even where there is no certificate",
    )
    look.saw("the zone data is in the program" if zones else "the zone data is read from a file beside the program")


def _serial(look: Look, image: Image, kind: str) -> str:
    with running(look, image, "signpost") as service:
        body = service.get("/health").body
        routes = service.get("/docs" if kind == "web" else "/routes")
    if body.get("service") != kind or routes.status != 200:
        raise NotYet(f"{image.name} does not answer as the service {kind}")
    return str(body.get("serial"))


def _add_a_route(look: Look, web_built: Built, admin_built: Built) -> None:
    with copied(web_built) as folder, ExitStack() as stack:
        with (folder / "routes.csv").open("a", encoding="utf-8") as stream:
            stream.write(f"{_ADDED},https://docs.docker.com/,\n")
        # Both at the same time in the cache's eyes: the second build finds what the first one generated.
        trials = [stack.enter_context(tried(folder, one, target=one.target)) for one in (web_built, admin_built)]
        configs = [_config(stack, one, kind) for one, kind in zip(trials, ("web", "admin"), strict=True)]
        runs = sum(_generated(one) for one in trials)
    look.expect(
        all(known for _, known in configs) and len({serial for serial, _ in configs}) == 1,
        "a route added in a copy reaches both, with one serial number",
        "a route added in a copy does not reach both with one serial number",
    )
    look.expect(runs <= 1, "the generator ran once for both", f"for the two images, the generator ran {runs} times")


def _config(stack: ExitStack, trial: Trial, kind: str) -> tuple[Any, bool]:
    service = stack.enter_context(running(Look(), trial.image, "signpost"))
    serial = service.get("/health").body.get("serial")
    if kind == "web":
        return serial, service.get(_ADDED).status == 200
    return serial, _ADDED in (service.get("/routes").body or {})


def _generated(trial: Trial) -> int:
    steps = [one for one in trial.record.steps if re.match(r"RUN\b.*generate\.js", one.instruction, re.DOTALL)]
    return sum(one.state == "ran" and one.shared_with is None for one in steps)


EXERCISES = (
    Exercise(
        number="12-a",
        notebook=NOTEBOOK,
        title="Make it light",
        prompt="Build postage as learner/12-a, below 5 MB beyond its base image. It answers as before, and a build "
        "still stops when a test fails.",
        hints=(
            "Sort what the start's image holds into three: needed to build, needed to test, read when it runs. "
            "dm.contents weighs each kind.",
            "Tests that nobody depends on are not run: notebook 08 had two ways. And a package manager keeps a copy "
            "of what it installs: notebook 10 found it.",
        ),
        images=("learner/12-a",),
        look=look_at_postage,
        scored=True,
    ),
    Exercise(
        number="12-b",
        notebook=NOTEBOOK,
        title="Nothing but what it needs",
        prompt="Build clock from the empty image as learner/12-b, below 7 MB, with the right time in every zone "
        "and the certificates that it trusts.",
        hints=(
            "Ask the image for /time and /trust, and read the error: it says which kind of data is missing. "
            "Notebook 09 brought both from the stage that compiled.",
            "A program can also carry its zone data in itself: go build has a tag for that. If it is too heavy, "
            "think of what only a debugger reads.",
        ),
        images=("learner/12-b",),
        look=look_at_clock,
        scored=True,
    ),
    Exercise(
        number="12-c",
        notebook=NOTEBOOK,
        title="One configuration for two",
        prompt="Build the targets web and admin of signpost as learner/12-c:web and learner/12-c:admin, both with "
        "the same configuration, generated once and by a stage that is not shipped.",
        hints=(
            "Which lines do both stages have in common? What is common to two stages can be a third one.",
            "A final image needs what was generated, and its own program. Neither the generator nor its input has to "
            "pass through it, not even in a lower layer.",
        ),
        images=("learner/12-c:web", "learner/12-c:admin"),
        look=look_at_signpost,
        scored=True,
    ),
)
