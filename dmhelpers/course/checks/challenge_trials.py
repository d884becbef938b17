"""What the checks of the challenge try in a copy: a mistake, a program without its data, one more route."""

from __future__ import annotations

import json
import posixpath
import re
from contextlib import ExitStack
from typing import Any

from dmhelpers.course.checks.probes import Answer, Image, running
from dmhelpers.course.checks.records import Look, NotYet
from dmhelpers.course.checks.trials import Trial, copied, tried, write_dockerfile
from dmhelpers.course.sample_files import copy
from dmhelpers.course.sample_info import original
from dmhelpers.errors import BuildFailed
from dmhelpers.measure.built import Built

RIGHT, WRONG = "Math.ceil(weight / 1000) - 1", "Math.ceil(weight / 1000)"
_TOLD_BY_A_TEST = "570 !== 490"
"""What the tests say of a first kilogram that is charged as a second one, whichever reporter prints it."""
CLOCKS = {
    "/time?zone=Asia/Kathmandu&at=1000000000": ("2001-09-09 07:31:40", 20700),
    "/time?zone=America/New_York&at=1720000000": ("2024-07-03 05:46:40", -14400),
    "/time?zone=America/New_York&at=1705000000": ("2024-01-11 14:06:40", -18000),
}
_ADDED = "/added-by-the-check"


def count_authorities(found: Answer) -> int:
    """Return how many authorities the clock says that it trusts, 0 where it does not say."""
    value = found.body.get("authorities") if isinstance(found.body, dict) else None
    return value if isinstance(value, int) and found.status == 200 else 0


def break_the_price(look: Look, built: Built) -> None:
    """Make the program charge too much in a copy: the project's own tests know that it does."""
    with copied(built) as folder:
        copy(original("postage") / "test", folder / "test")
        source = folder / "src" / "postage.ts"
        text = source.read_text(encoding="utf-8") if source.is_file() else ""
        if RIGHT not in text:
            raise NotYet("src/postage.ts is not what it was: only the Dockerfile and .dockerignore are to change")
        source.write_text(text.replace(RIGHT, WRONG), encoding="utf-8")
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


def take_the_data_away(look: Look, image: Image, built: Built) -> None:
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
        trusted = count_authorities(service.get("/trust"))
        zones = service.get(next(iter(CLOCKS))).status == 200
    look.expect(
        trusted == 0,
        "the certificates are read from a file: without it, nobody is trusted",
        "the program says that it trusts authorities even where there is no certificate",
    )
    look.saw("the zone data is in the program" if zones else "the zone data is read from a file beside the program")


def serial_of(look: Look, image: Image, kind: str) -> str:
    """Return the serial number of the configuration that an image of signpost serves with.

    Raises:
        NotYet: It does not answer as that service.
    """
    with running(look, image, "signpost") as service:
        body = service.get("/health").body
        routes = service.get("/docs" if kind == "web" else "/routes")
    if body.get("service") != kind or routes.status != 200:
        raise NotYet(f"{image.name} does not answer as the service {kind}")
    return str(body.get("serial"))


def add_a_route(look: Look, web_built: Built, admin_built: Built) -> None:
    """Add a route to a copy and build both: it reaches both, from one run of the generator."""
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
