"""What stages and images weigh, as far as it is known, and where each figure comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from dmhelpers.errors import DmHelpersError
from dmhelpers.measure.dockerfile import Dockerfile
from dmhelpers.measure.images import base_origin_of, read_history, size_of
from dmhelpers.measure.records import BuildRecord, ImageHistory, Stage


@dataclass(frozen=True, slots=True)
class Sizes:
    """Unpacked bytes by the stage's number and by the image's name; a name that is not there is not known.

    `note` says in a sentence where they come from; `stand_in` that a stand-in base image is in them.
    """

    stages: Mapping[int, int] = field(default_factory=dict)
    images: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    stand_in: bool = False


def sizes_of(
    dockerfile: Dockerfile, record: BuildRecord | None = None, given: Mapping[str, int | str] | None = None
) -> Sizes:
    """Return what is known of the sizes of a Dockerfile's stages and of the image that they start from.

    A build's image has the layers of the stages that it is made of: each of them weighs its own layers and all below.
    What a stage weighs that it only copies from is not in there. Where the engine no longer has the image, or
    cannot be asked, nothing is known of it.

    Args:
        dockerfile: The Dockerfile.
        record: A build of it.
        given: By stage, its bytes, or the name of an image of it. What is given comes before what a build tells.

    Raises:
        StageNotFound: A name among those given is none of its stages.
        ImageNotFound: The engine lacks an image that is given.
    """
    named = {dockerfile.find(name).index: value for name, value in (given or {}).items()}
    measured = Sizes() if record is None else _of_build(dockerfile, record)
    own = {index: size_of(value) if isinstance(value, str) else value for index, value in named.items()}
    sources = [measured.note] if set(measured.stages) - set(own) else []
    for index, value in named.items():
        source = f"from the image {value}" if isinstance(value, str) else "as given"
        sources.append(f"{dockerfile.stages[index].label} {source}")
    stand_in = measured.stand_in or any(base_origin_of(one) for one in named.values() if isinstance(one, str))
    note = f"Sizes, unpacked: {'; '.join(sources)}." if sources else ""
    return Sizes({**measured.stages, **own}, measured.images, note, stand_in)


def _of_build(dockerfile: Dockerfile, record: BuildRecord) -> Sizes:
    try:
        history = read_history(record.image_id)
        stand_in = bool(base_origin_of(record.image_id))
    except DmHelpersError:  # the picture is of the build, and does without
        return Sizes()
    stages, images = from_layers(dockerfile, dockerfile.find(record.target), history)
    return Sizes(stages, images, f"from the layers of {record.tag}", stand_in)


def from_layers(
    dockerfile: Dockerfile, target: Stage, history: ImageHistory
) -> tuple[dict[int, int], dict[str, int]]:
    """Return what the layers of a stage's image say: bytes by stage, and by the name of the image it starts from."""
    if all(layer.stage is None for layer in history.layers):
        return {target.index: history.size_bytes}, {}
    chain = dockerfile.chain(target)
    base = sum(layer.size_bytes for layer in history.layers if layer.stage is None)
    added = [sum(one.size_bytes for one in history.layers if one.stage == stage.label) for stage in chain]
    totals = list(accumulate(added, initial=base))[1:]
    source = chain[0].edges[0].source
    images = {} if source.lower() == "scratch" else {source: base}
    return {stage.index: total for stage, total in zip(chain, totals, strict=True)}, images
