"""`dm.stage_graph`: a Dockerfile as a picture of its stages, as text, and in Mermaid's language."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmhelpers.measure.dockerfile import read_dockerfile
from dmhelpers.show.pictures import picture_bundle
from dmhelpers.show.stage_graph import svg as drawing
from dmhelpers.show.stage_graph import text
from dmhelpers.show.stage_graph.layout import lay_out
from dmhelpers.show.stage_graph.model import Graph, make_graph
from dmhelpers.show.stage_graph.sizes import sizes_of

if TYPE_CHECKING:
    from dmhelpers.show.builds import Build


@dataclass(frozen=True)
class StageGraph:
    """The stages of a Dockerfile and what each takes from where. A notebook shows the picture, else the text."""

    graph: Graph

    @cached_property
    def svg(self) -> str:
        """The picture as an SVG document: no script, no font or file from elsewhere, the same bytes every time."""
        return drawing.draw(lay_out(self.graph))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture as an SVG file, for a page or a slide.

        Args:
            path: Where to; its folder must exist.

        Returns:
            The file's path.
        """
        written = Path(path)
        written.write_text(self.svg, encoding="utf-8", newline="\n")
        return written

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart, for pages (GitHub's, JupyterLab's Markdown) that draw it."""
        return text.to_mermaid(self.graph)

    def __str__(self) -> str:
        return text.to_text(self.graph)

    def __repr__(self) -> str:
        said = ", recorded" if any(one.status.endswith("recorded") for one in self.graph.stages) else ""
        return f"<StageGraph {text.headline(self.graph)}{said}>"

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return picture_bundle(self.svg, str(self))


def stage_graph(
    project: str | os.PathLike[str],
    *,
    target: str | int | None = None,
    file: str = "Dockerfile",
    build_args: Mapping[str, str] | None = None,
    build: Build | None = None,
    sizes: Mapping[str, int | str] | None = None,
) -> StageGraph:
    """Draw a Dockerfile's stages in file order, and what each takes from which stage or image.

    Asks no engine, but after a build for the layers of its image, and for images that are named among the sizes.

    Args:
        project: The project's folder (or a sample).
        target: The stage to build, by name or number: the stages that it does not need are drawn as not built.
            The build's own for None, or the last one, as for `docker build`.
        file: The Dockerfile, relative to the project.
        build_args: Values for the ARGs that stand before the first FROM.
        build: What `dm.build` returned for this project: each stage then says what became of it, and its seconds.
            While the engine has its image, its base image and the stages that it is made of say what they weigh:
            a stage with all layers below its own, unpacked. What is not known is left out.
        sizes: What other stages weigh, by stage: the name of an image of it (``{"builder": "my-api:builder"}``), or
            bytes. The picture says where each figure comes from.

    Returns:
        The graph. It shows itself in a notebook; `str()` is the same as text, `.save(path)` writes the SVG.

    Raises:
        ProjectNotFound: There is no such folder or Dockerfile.
        DockerfileError: The Dockerfile cannot be read; carries the line.
        StageNotFound: The target, or a name among the sizes, is not one of its stages.
        ImageNotFound: The engine lacks an image that is named among the sizes.
        InputError: The build is of another Dockerfile or another target.
    """
    dockerfile = read_dockerfile(project, file=file, build_args=build_args)
    record = None if build is None else build.record
    return StageGraph(make_graph(dockerfile, target=target, record=record, sizes=sizes_of(dockerfile, record, sizes)))
