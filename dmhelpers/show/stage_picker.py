"""`dm.stage_picker`: choose a target, see which stages a build of it takes, which it skips, and why."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dmhelpers.measure.dockerfile import read_dockerfile
from dmhelpers.show.stage_graph import StageGraph
from dmhelpers.show.stage_graph.model import make_graph
from dmhelpers.show.stage_graph.plan import BuildPlan, plan_of
from dmhelpers.show.stage_graph.sizes import sizes_of
from dmhelpers.show.widget_view import view_of

if TYPE_CHECKING:
    from dmhelpers.show.builds import Build

_STYLE = """<style>
.dm-picker .widget-toggle-button.mod-active { font-weight: bold; outline: 2px solid currentColor;
  outline-offset: -3px; }
.dm-picker button:focus-visible { box-shadow: 0 0 0 3px var(--jp-brand-color1, #1976d2); }
</style>"""


class StagePicker:
    """A control for a Dockerfile's target, over the picture of its stages.

    `stage_graph` and `would_build` say the same without it. Where there are no widgets (an exported page, a
    terminal), the picture and the sentence of the chosen target stand in its place.

    Args:
        project: The project's folder.
        target: The stage to begin with; the build's own, else the last one, for None.
        file: The Dockerfile, relative to the project.
        build_args: Values for the ARGs before the first FROM.
        build: A build of it: its states are shown while its own target is chosen.
    """

    def __init__(
        self,
        project: str | os.PathLike[str],
        *,
        target: str | int | None = None,
        file: str = "Dockerfile",
        build_args: Mapping[str, str] | None = None,
        build: Build | None = None,
    ) -> None:
        self._dockerfile = read_dockerfile(project, file=file, build_args=build_args)
        self._record = None if build is None else build.record
        self._sizes = sizes_of(self._dockerfile, self._record)
        aim = self._record.target if target is None and self._record is not None else target
        self._index = self._dockerfile.find(aim).index
        self._widget: Any = None
        self._show()

    @property
    def target(self) -> str:
        """The chosen stage; setting it, by name or number, draws anew.

        Raises:
            StageNotFound: When set to what is none of the stages.
        """
        return self._dockerfile.stages[self._index].label

    @target.setter
    def target(self, value: str | int) -> None:
        self._index = self._dockerfile.find(value).index
        self._show()
        if self._widget is not None:
            self.control.value = self._index

    @property
    def widget(self) -> Any:
        """The ipywidgets box: the control, the sentence and the picture."""
        if self._widget is None:
            self._widget = self._assembled()
        return self._widget

    def _show(self) -> None:
        own = self._record is not None and self._dockerfile.find(self._record.target).index == self._index
        record, sizes = (self._record, self._sizes) if own else (None, None)
        self.graph = StageGraph(make_graph(self._dockerfile, target=self._index, record=record, sizes=sizes))
        self.plan: BuildPlan = plan_of(self.graph.graph)
        if self._widget is not None:
            self._sentence.value, self._picture.value = self._words(), self.graph.svg

    def _words(self) -> str:
        return f'{_STYLE}<p role="status" style="max-width:56em;line-height:1.5">{html.escape(str(self.plan))}</p>'

    def _assembled(self) -> Any:
        import ipywidgets

        # Buttons, for JupyterLab takes the arrow keys that a list or radio buttons would need.
        self.control = ipywidgets.ToggleButtons(
            options=[(f"{one.label} (line {one.line})", one.index) for one in self._dockerfile.stages],
            value=self._index,
            description="Target stage",
            style={"description_width": "initial", "button_width": "auto"},
        )
        self._sentence = ipywidgets.HTML(self._words())
        self._picture = ipywidgets.HTML(self.graph.svg)
        self.control.observe(self._chosen, names="value")
        box = ipywidgets.VBox([self.control, self._sentence, self._picture])
        box.add_class("dm-picker")
        return box

    def _chosen(self, change: Mapping[str, Any]) -> None:
        if change["new"] != self._index:
            self._index = change["new"]
            self._show()

    def __str__(self) -> str:
        return f"{self.plan}\n{self.graph}"

    def __repr__(self) -> str:
        return f"<StagePicker {self._dockerfile.path.name}, target {self.target}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        static = {"text/plain": str(self), "text/html": f"{self._words()}{self.graph.svg}"}
        return static | view_of(self.widget)


def stage_picker(
    project: str | os.PathLike[str],
    *,
    target: str | int | None = None,
    file: str = "Dockerfile",
    build_args: Mapping[str, str] | None = None,
    build: Build | None = None,
) -> StagePicker:
    """Choose a target and see the stages that a build of it takes and skips, drawn and in a sentence.

    Asks no engine, but after a build for the layers of its image.

    Args:
        project: The project's folder (or a sample).
        target: The stage to begin with, by name or number; the build's own, else the last one, for None.
        file: The Dockerfile, relative to the project.
        build_args: Values for the ARGs that stand before the first FROM.
        build: What `dm.build` returned for this project: the picture has its states while its target is chosen.

    Returns:
        The control: ``.target`` (read it or set it), ``.plan``, ``.graph``, ``.widget``.

    Raises:
        ProjectNotFound: There is no such folder or Dockerfile.
        DockerfileError: The Dockerfile cannot be read; carries the line.
        StageNotFound: The target is not one of its stages.
        InputError: The build is of another Dockerfile.
    """
    return StagePicker(project, target=target, file=file, build_args=build_args, build=build)
