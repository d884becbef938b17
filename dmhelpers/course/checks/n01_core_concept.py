"""Notebook 01: stages and their names, and what stays behind in them."""

from __future__ import annotations

from collections.abc import Iterator

from dmhelpers.course.checks.probes import need_built
from dmhelpers.course.checks.records import Exercise, Look
from dmhelpers.course.checks.trials import copied, tried, write_dockerfile
from dmhelpers.measure.built import Built
from dmhelpers.measure.records import Stage
from dmhelpers.measure.saved import read_image

NOTEBOOK = "01_core_concept"
SECRET = "/secret.txt"  # noqa: S105  a file's name


def look_at_names(look: Look) -> None:
    """01-a: stages `tools` and `final`; the image has what was copied and nothing else of `tools`."""
    image, built = need_built(look, "learner/01-a")
    stages, last = built.dockerfile.stages, built.stage
    names = ", ".join(one.label for one in stages)
    first = next((one for one in stages if one.name == "tools"), None)
    look.expect(first is not None, "a stage named tools", f"no stage is named tools; the stages are {names}")
    look.expect(
        last.name == "final",
        "the image is of the stage final",
        f"the image is of the stage {last.label}; the last stage is to be named final",
    )
    if first is not None:
        taken = [edge for edge in last.edges if edge.kind == "copy" and edge.stage_index == first.index]
        look.expect(
            bool(taken), f"{last.label} copies from tools", f"{last.label} copies nothing from the stage tools"
        )
    look.expect(image.content("/made.txt") is not None, "/made.txt is in the image", "/made.txt is not in the image")
    look.expect(
        image.content("/tools-only.txt") is None,
        "/tools-only.txt is not in the image",
        "/tools-only.txt is in the image, though only the stage tools should have it",
    )


def look_at_isolation(look: Look) -> None:
    """01-b: an earlier stage made the file and was built, and no layer of the image holds it."""
    image, built = need_built(look, "learner/01-b")
    dockerfile, last = built.dockerfile, built.stage
    look.need(
        len(dockerfile.stages) > 1,
        f"{len(dockerfile.stages)} stages",
        "the Dockerfile has one stage, so there is no earlier one to leave the file behind in",
    )
    makers = [stage for stage in dockerfile.stages if stage.index != last.index and _makes_secret(built, stage)]
    look.need(
        bool(makers), f"{SECRET} in the stage {_labels(makers)}", f"no stage before the last one makes {SECRET}"
    )
    ran = [stage for stage in makers if built.stages.get(stage.label) in ("ran", "cached")]
    look.expect(
        bool(ran),
        f"the stage {_labels(ran)} was built",
        f"the stage {_labels(makers)} was not built: the image depends on nothing in it, so BuildKit skipped it",
    )
    layers = [SECRET in (entry.path for entry in layer.entries) for layer in read_image(image.image_id).layers]
    if image.content(SECRET) is not None:
        look.lacks(f"{SECRET} is in the image")
    else:
        look.expect(
            not any(layers),
            f"no layer of the image holds {SECRET}",
            f"{SECRET} was deleted, yet a layer below still holds it: whoever has the image has the file",
        )


def _makes_secret(built: Built, stage: Stage) -> bool:
    """Build the Dockerfile up to the end of a stage, and see whether the file is there."""
    with copied(built) as folder:
        write_dockerfile(folder, built, "\n".join(_lines_up_to(built.text, stage)) + "\n")
        with tried(folder, built) as trial:
            return trial.image.content(SECRET) is not None


def _lines_up_to(text: str, stage: Stage) -> Iterator[str]:
    yield from text.splitlines()[: stage.end_line]


def _labels(stages: list[Stage]) -> str:
    return " and ".join(one.label for one in stages)


EXERCISES = (
    Exercise(
        number="01-a",
        notebook=NOTEBOOK,
        title="Name two stages",
        prompt="Give the stages of this Dockerfile the names tools and final, and copy /made.txt by the name. "
        "Build it as learner/01-a.",
        hints=(
            "A stage gets its name on the line that begins it: look at how the FROM lines above end.",
            "Once the first stage has a name, --from can say that name where the number stood.",
        ),
        images=("learner/01-a",),
        look=look_at_names,
    ),
    Exercise(
        number="01-b",
        notebook=NOTEBOOK,
        title="Leave a secret behind",
        prompt=f"Write a Dockerfile with two stages: the first makes {SECRET} and something that the second one "
        f"copies. Build it as learner/01-b. {SECRET} is to be in no layer of the image, and the first stage is to be "
        "built.",
        hints=(
            "If the last stage takes nothing from the first, BuildKit does not build the first at all.",
            "A second stage that begins FROM the first one starts with all of its layers; a fresh base has none "
            "of them. Copy one other file across.",
        ),
        images=("learner/01-b",),
        look=look_at_isolation,
    ),
)
