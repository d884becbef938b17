"""The graph in words, for people who do not see the picture, and in Mermaid's language, for pages that draw it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dmhelpers.measure.records import EdgeKind
from dmhelpers.show.stage_graph.model import SCRATCH, Graph, Link, StageNode, line_words, span_words

_VERBS: dict[EdgeKind, str] = {"from": "FROM", "copy": "COPY --from", "mount": "RUN --mount from"}
_ARROWS: dict[EdgeKind, str] = {"from": "-->", "copy": "-.->", "mount": "==>"}


def headline(graph: Graph) -> str:
    """Return the graph's title: ``"Dockerfile: 2 stages, target runtime"``."""
    count = len(graph.stages)
    return f"{graph.file}: {count} stage{'s' * (count != 1)}, target {graph.target}"


def to_text(graph: Graph) -> str:
    """Return the graph as lines of text: each stage in file order, and under it what it takes, whole names."""
    rows = [headline(graph)]
    for stage in graph.stages:
        rows.append(_stage_line(stage))
        rows += [f"  {_link_words(link)}" for link in graph.into(stage)]
    rows.append(f"images from outside: {', '.join(_outside(graph)) or 'none'}")
    return "\n".join([*rows, *filter(None, graph.notes)])


def to_mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart: base images at the foot, arrows from what is taken to who takes it."""
    return "\n".join(["flowchart BT", *(f"    {row}" for row in _mermaid_rows(graph))]) + "\n"


def _stage_line(stage: StageNode) -> str:
    notes = [note for note in ("target" if stage.is_target else "", stage.status) if note]
    return f"{stage.index} {stage.label} ({span_words(stage)}){': ' if notes else ''}{', '.join(notes)}"


def _link_words(link: Link) -> str:
    where = "" if link.from_stage is None else f" (stage {link.from_stage})"
    return f"{_VERBS[link.kind]} {link.source}{where}, {line_words(link.lines)}"


def _outside(graph: Graph) -> list[str]:
    sized = ((image.name, f" ({image.size})" if image.size else "") for image in graph.images)
    return [f"{name}{size}" for name, size in sized if name != SCRATCH]


def _mermaid_rows(graph: Graph) -> Iterator[str]:
    for index, image in enumerate(graph.images):
        yield f'image{index}[("{"<br/>".join(_mermaid_text(one) for one in (image.name, image.size) if one)}")]'
    for stage in graph.stages:
        words = [f"{stage.index} {stage.label}", span_words(stage), "target" if stage.is_target else "", stage.status]
        yield f'stage{stage.index}["{"<br/>".join(_mermaid_text(one) for one in words if one)}"]'
    for link in graph.links:
        source = f"image{link.from_image}" if link.from_stage is None else f"stage{link.from_stage}"
        label = _mermaid_text(f"{_VERBS[link.kind]}, {line_words(link.lines)}")
        yield f'{source} {_ARROWS[link.kind]}|"{label}"| stage{link.to_stage}'
    yield "classDef target stroke-width:3px"
    yield "classDef skipped stroke-dasharray:5 4"
    yield from (f"class stage{stage.index} target" for stage in graph.stages if stage.is_target)
    yield from (f"class stage{stage.index} skipped" for stage in graph.stages if not stage.needed)
    yield from (f"class image{index} skipped" for index, image in enumerate(graph.images) if not image.needed)


def _mermaid_text(text: str) -> str:
    # Mermaid ends a label at a quotation mark and reads HTML in it; it has its own spelling for character codes.
    return re.sub(r"[^\w .,:/@()+-]", lambda found: f"#{ord(found[0])};", text)
