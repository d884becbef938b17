"""Notebook 06: COPY --from a name, from two stages, from another image."""

from __future__ import annotations

import json

from dmhelpers.course.checks.probes import NODE, Image, find_image, matching, need_built, running
from dmhelpers.course.checks.records import Exercise, Look
from dmhelpers.course.checks.trials import copied, tried, write_dockerfile
from dmhelpers.errors import BuildFailed, DockerfileError
from dmhelpers.measure.built import Built

NOTEBOOK = "06_copy_from"


def look_at_names(look: Look) -> None:
    """06-a: the same files as by number, and the build survives a stage put in front of the others."""
    image, built = need_built(look, "learner/06-a")
    look.expect(
        bool(matching(image.files(), "*/dist/server.js")),
        "the compiled server is there",
        "the image has no dist/server.js",
    )
    _compare_with_numbered(look, image)
    look.end_if_missing()
    _insert_a_stage(look, image, built)
    with running(look, image):
        pass


def look_at_sources(look: Look) -> None:
    """06-b: files from two stages and one from another image, each where it was asked for."""
    image, built = need_built(look, "learner/06-b")
    for path in ("/app/dist/server.js", "/app/config.json", "/app/base-release"):
        look.expect(image.content(path) is not None, path, f"{path} is not in the image")
    look.expect(
        _is_json(image.content("/app/config.json")), "config.json is JSON", "/app/config.json is not valid JSON"
    )
    copies = [edge for edge in built.stage.edges if edge.kind == "copy"]
    stages = {edge.source for edge in copies if edge.stage_index is not None}
    images = {edge.source for edge in copies if edge.stage_index is None}
    look.expect(
        len(stages) >= 2,
        f"it copies from the stages {' and '.join(sorted(stages))}",
        f"it copies from {_counted(stages)}; dist and config.json are to come from two",
    )
    look.expect(NODE in images, f"it copies from the image {NODE}", f"it copies nothing from the image {NODE}")
    original = find_image(NODE)
    same = original is not None and original.content("/etc/os-release") == image.content("/app/base-release")
    look.expect(same, "base-release is that image's /etc/os-release", "/app/base-release is another file")


def _compare_with_numbered(look: Look, image: Image) -> None:
    numbered = find_image("my-api:by-number")
    if numbered is None:
        return
    differing = _differing(image, numbered)
    look.expect(
        not differing,
        "the same files in its WORKDIR as in my-api:by-number",
        f"its files differ from those of my-api:by-number: {', '.join(differing[:3])}",
    )


def _differing(one: Image, other: Image) -> list[str]:
    here, there = one.files().items(), other.files().items()
    return sorted({path for path, _ in here ^ there})


def _insert_a_stage(look: Look, image: Image, built: Built) -> None:
    """Put a stage in front of the others: numbers then mean other stages, names stay."""
    lines, first = built.text.splitlines(), built.dockerfile.stages[0]
    # Not from scratch: an engine keeps the cache of a COPY that finds nothing there in use until it is restarted.
    lines.insert(first.line - 1, f"FROM {first.base} AS put-in-by-the-check")
    why = ""
    with copied(built) as folder:
        write_dockerfile(folder, built, "\n".join(lines) + "\n")
        try:
            with tried(folder, built, target=built.target) as trial:
                same = not _differing(trial.image, image)
        except (BuildFailed, DockerfileError) as error:
            same, why = False, f" (line {error.line})" if error.line else ""
    look.expect(
        same,
        "it still builds when another stage is put in front",
        f"with another stage put in front, it copies from the wrong one{why}: a number is still in use",
    )


def _counted(stages: set[str]) -> str:
    return f"the stage {', '.join(stages)} alone" if stages else "no stage"


def _is_json(content: bytes | None) -> bool:
    try:
        json.loads(content or b"")
    except ValueError:
        return False
    return True


EXERCISES = (
    Exercise(
        number="06-a",
        notebook=NOTEBOOK,
        title="Copy by name",
        prompt="This Dockerfile copies from stages by their numbers. Give the stages names and copy by these; the "
        "image is to stay the same. Build it as learner/06-a.",
        hints=(
            "Numbers count from 0 in the order of the FROM lines; find out which stage each --from means.",
            "Once a stage has a name, every --from that points to it can say the name. The check puts another stage "
            "in front and builds again.",
        ),
        images=("learner/06-a",),
        look=look_at_names,
    ),
    Exercise(
        number="06-b",
        notebook=NOTEBOOK,
        title="Copy from two stages and from an image",
        prompt="Build learner/06-b: /app/dist from the builder, /app/config.json made by another stage, and "
        "/app/base-release, which is /etc/os-release of the image node:20-alpine.",
        hints=(
            "A stage can be as small as a FROM and one RUN that writes a file of JSON.",
            "--from takes a stage's name or an image's. The path after it starts at the root of that stage or image, "
            "the target at your WORKDIR.",
        ),
        images=("learner/06-b",),
        look=look_at_sources,
    ),
)
