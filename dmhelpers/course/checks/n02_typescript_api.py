"""Notebook 02: the TypeScript API, and what of its folder reaches a build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dmhelpers.course.checks.probes import need_built, need_image, running
from dmhelpers.course.checks.records import Exercise, Look
from dmhelpers.course.checks.trials import copied, tried, write_dockerfile
from dmhelpers.measure.built import Built
from dmhelpers.units import docker_size

NOTEBOOK = "02_typescript_api"
JUNK_BYTES = 5_000_000
_JUNK = ("node_modules/left-over/index.js", "dist/left-over.js")
_SOURCES = ("package.json", "package-lock.json", "tsconfig.json", "src/server.ts")


def look_at_version(look: Look) -> None:
    """02-a: the container answers the new route with the version in package.json, and the old one as before."""
    image = need_image(look, "learner/02-a")
    version = _version(image.built)
    with running(look, image) as service:
        answer = service.get("/api/version")
        doubled = answer.status == 404 and service.get("/api/api/version").status == 200
    found = answer.body.get("version") if isinstance(answer.body, dict) else None
    if doubled:
        look.lacks(
            "GET /api/version is answered with 404: your route answers at /api/api/version, for the server puts all "
            "routes of src/routes/api.ts below /api"
        )
    elif answer.status != 200:
        look.lacks(f"GET /api/version is answered with {answer.status} instead of 200")
    else:
        look.expect(
            found == version,
            f'GET /api/version is answered with the version "{version}"',
            f'GET /api/version is answered with {_shown(answer.body)}; it should be {{"version": "{version}"}}',
        )


def look_at_context(look: Look) -> None:
    """02-b: with node_modules and dist on disk, neither is in the build context, and the sources still are."""
    _, built = need_built(look, "learner/02-b")
    with copied(built) as folder:
        junk = _add_junk(folder)
        write_dockerfile(folder, built, "FROM scratch\nCOPY . /context\n")
        with tried(folder, built) as trial:
            context = trial.image.files("/context")
    sent = sum(context.values())
    for path in junk:
        part = path.partition("/")[0]
        look.expect(
            f"/context/{path}" not in context,
            f"{part} stays out of the build context",
            f"{part} is sent to the build: with {docker_size(JUNK_BYTES)} of old files in the folder, "
            f"{docker_size(sent)} are sent",
        )
    lost = [path for path in _SOURCES if f"/context/{path}" not in context and (built.folder / path).is_file()]
    look.expect(
        not lost,
        "what the build needs is still sent",
        f"{', '.join(lost)} stays out of the build context too, and the build needs it",
    )


def _version(built: Built | None) -> str:
    try:
        found: Any = json.loads((built.folder / "package.json").read_text(encoding="utf-8")) if built else {}
    except (OSError, ValueError):
        found = {}
    return str(found.get("version", "1.0.0"))


def _add_junk(folder: Path) -> tuple[str, ...]:
    for path in _JUNK:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"/" * (JUNK_BYTES // len(_JUNK)))
    return _JUNK


def _shown(body: Any) -> str:
    return "something that is not JSON" if body is None else json.dumps(body)[:120]


EXERCISES = (
    Exercise(
        number="02-a",
        notebook=NOTEBOOK,
        title="Add a route",
        prompt='Make the API answer GET /api/version with {"version": "1.0.0"}, the version in package.json, and '
        "build it as learner/02-a.",
        hints=(
            "The routes under /api stand in src/routes/api.ts; each is a call of api.get(path, handler).",
            "A handler answers with response.json(…). Place yours beside the other routes, then build again: the "
            "compiler runs inside the build.",
        ),
        images=("learner/02-a",),
        look=look_at_version,
    ),
    Exercise(
        number="02-b",
        notebook=NOTEBOOK,
        title="Keep the build context small",
        prompt="This project's .dockerignore forgets node_modules and dist. Mend it, and build the project as "
        "learner/02-b.",
        hints=(
            "The file has one pattern a line, each relative to the project's folder.",
            "Two lines are missing. A folder is left out by its name alone; a pattern such as * would leave out the "
            "sources too.",
        ),
        images=("learner/02-b",),
        look=look_at_context,
    ),
)
