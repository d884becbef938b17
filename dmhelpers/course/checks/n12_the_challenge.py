"""Notebook 12: the challenge. A service made light, one moved to scratch, one configuration for two images."""

from __future__ import annotations

import posixpath

from dmhelpers.course.checks.challenge_trials import (
    CLOCKS,
    add_a_route,
    break_the_price,
    count_authorities,
    serial_of,
    take_the_data_away,
)
from dmhelpers.course.checks.probes import Answer, Image, beyond, need_built, running
from dmhelpers.course.checks.records import Exercise, Look, Weight
from dmhelpers.course.checks.shipped import own_paths, reads_from, root_base
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

_GENERATOR = ("*/generate.js", "*/routes.csv")


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
    break_the_price(look, built)


def look_at_clock(look: Look) -> None:
    """12-b: from scratch, below the bound, and both answers come from data that is in the image."""
    image, built = need_built(look, "learner/12-b")
    base = root_base(built)
    _weigh(look, (image, image.size_bytes, built))
    look.expect(base == "scratch", "from scratch", f"its last stage stands on {base}, not on the empty image")
    _expect_below(look, image.size_bytes, CLOCK_LIMIT_BYTES, "in all")
    look.end_if_missing()
    with running(look, image, "clock") as service:
        for path, (shown, offset) in CLOCKS.items():
            zone = path.partition("=")[2].partition("&")[0]
            right = Answer(200, {"zone": zone, "local": shown, "offset_s": offset})
            _expect_answer(look, service.get(path), right, f"the time in {zone}")
        authorities = count_authorities(service.get("/trust"))
    look.expect(
        authorities >= LEAST_AUTHORITIES,
        f"it trusts {authorities} authorities",
        f"it trusts {authorities or 'no'} authorities, and a bundle has more than {LEAST_AUTHORITIES}",
    )
    look.end_if_missing()
    take_the_data_away(look, image, built)


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
    serials = {serial_of(look, image, kind) for image, kind in ((web, "web"), (admin, "admin"))}
    look.expect(
        len(serials) == 1, "both have the same configuration", "their configurations have different serial numbers"
    )
    look.end_if_missing()
    add_a_route(look, web_built, admin_built)


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
