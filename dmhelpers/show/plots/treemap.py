"""What an image is made of, as a treemap: an area for each kind of file, and within it for each folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dmhelpers.show.plots import lettering, theme
from dmhelpers.show.plots.kind_looks import SMALLER, KindLook, look_of
from dmhelpers.show.rectangle import Rectangle as Box
from dmhelpers.show.treemap_layout import KindBox, Label, Lettering, lay_out
from dmhelpers.show.treemap_model import TreemapModel
from dmhelpers.units import docker_size, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

HEIGHT_IN = 7.0
NOTHING = "There is no byte in this image."
_PAD_PT = 4
_FIRST_PASSES = 4  # after these a name stays in the legend, so that there is an end


def plot_treemap(model: TreemapModel, *, ax: Axes | None = None) -> Axes:
    """Draw an image's files as areas: kinds with a thick border, folders within each with a thin one.

    Args:
        model: What `dmhelpers.show.treemap_model.make_model` returns.
        ax: Axes to draw on; by default a new figure. Their figure's background becomes white.

    Returns:
        The axes, without ticks: their units are pixels of the figure. Areas are proportional to bytes. A kind whose
        name does not fit into its area stands in the legend; a folder without room for its path has no label.
        Sizes are in decimal units, as Docker prints them.
    """
    ax = theme.open_axes(ax, height_in=HEIGHT_IN)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    kinds = _settle(ax, model)
    if not kinds:
        lettering.write(ax, 0, 0, NOTHING, at=("left", "top"), offset_pt=(_PAD_PT, -_PAD_PT))
    for kind in kinds:
        _draw(ax, kind)
        _outline(ax, kind.box, width=2.0)
        _write_labels(ax, kind)
    return ax


def alt_text(model: TreemapModel) -> str:
    """Return what `plot_treemap` shows, in a sentence, for people who cannot see it."""
    total = max(model.size_bytes, 1)
    said = [f"{one.kind} {docker_size(one.size_bytes)} ({percent(one.size_bytes / total)})" for one in model.kinds]
    note = f" {theme.STAND_IN_NOTE}" if model.base_origin == "assembled" else ""
    return f"Treemap. {model.title}: {', '.join(said) or 'no files'}.{note}"


def _settle(ax: Axes, model: TreemapModel) -> tuple[KindBox, ...]:
    """Lay the areas out: what the legend has to name takes room from them, and less room leaves more to name."""
    legend: tuple[KindBox, ...] = ()
    tried: list[set[str]] = []
    while True:
        _set_heading(ax, model, legend)
        lettering.set_note(ax, theme.STAND_IN_NOTE if model.base_origin == "assembled" else "")
        width, height = lettering.settled_size_px(ax)
        ax.set_xlim(0, width)
        ax.set_ylim(height, 0)
        kinds = lay_out(model, Box(0, 0, width, height), _lettering(ax))
        named = {kind.part.kind for kind in legend}
        unnamed = {kind.part.kind for kind in kinds if kind.label is None}
        if unnamed == named or (unnamed <= named and len(tried) >= _FIRST_PASSES):
            return kinds
        tried.append(unnamed)
        wanted = unnamed if len(tried) < _FIRST_PASSES else named | unnamed
        legend = tuple(kind for kind in kinds if kind.part.kind in wanted)


def _set_heading(ax: Axes, model: TreemapModel, unnamed: Sequence[KindBox]) -> None:
    handles = [_handle(kind) for kind in unnamed]
    width, _ = lettering.settled_size_px(ax)
    widest = max((lettering.width_px(ax, str(one.get_label())) for one in handles), default=1.0)
    column = widest + 50 * theme.figure_of(ax).dpi / 72
    short = lettering.wrap_name(model.image, width=40, lines=1)
    title = model.title.replace(model.image, short, 1) if model.image else model.title
    share = theme.TEXT_PT / theme.TITLE_PT
    title = lettering.fit(ax, title, width * share, bold=True) or short
    theme.set_heading(ax, title, handles, most_columns=max(1, int(width // column)))


def _handle(kind: KindBox) -> Patch:
    from matplotlib.patches import Patch
    from matplotlib.patheffects import withStroke

    look = _look(kind)
    label = f"{lettering.drawable(kind.part.kind)} {docker_size(kind.part.size_bytes)}"
    patch = Patch(facecolor=look.fill, edgecolor=look.hatch_ink, hatch=_hatch(look), label=label, linewidth=0)
    patch.set_path_effects([withStroke(linewidth=2, foreground=theme.FAINT_INK)])
    return patch


def _look(kind: KindBox) -> KindLook:
    return SMALLER if kind.is_rest else look_of(kind.part.kind)


def _hatch(look: KindLook) -> str:
    return look.hatch * 2 if look.hatch in {"/", "\\", "x"} else look.hatch


def _lettering(ax: Axes) -> Lettering:
    pad = _PAD_PT * theme.figure_of(ax).dpi / 72
    return Lettering(
        lambda text, bold: lettering.width_px(ax, lettering.drawable(text), bold=bold), lettering.line_px(ax), pad
    )


def _draw(ax: Axes, kind: KindBox) -> None:
    from matplotlib.patches import Rectangle

    look = _look(kind)
    box = kind.box
    ax.add_patch(
        Rectangle(
            (box.x, box.y),
            box.width,
            box.height,
            facecolor=look.fill,
            edgecolor=look.hatch_ink,
            hatch=_hatch(look),
            linewidth=0,
        )
    )
    for folder in kind.folders:
        _outline(ax, folder.box, width=0.6, height=2)


def _outline(ax: Axes, box: Box, *, width: float, height: float = 3) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(
        Rectangle(
            (box.x, box.y), box.width, box.height, fill=False, edgecolor=theme.INK, linewidth=width, zorder=height
        )
    )


def _write_labels(ax: Axes, kind: KindBox) -> None:
    from matplotlib.patches import Rectangle

    look = _look(kind)
    if kind.label is not None:
        patch = kind.label.patch(_lettering(ax).pad)
        corner = (patch.x, patch.y)
        ax.add_patch(Rectangle(corner, patch.width, patch.height, facecolor=look.fill, linewidth=0, zorder=2.5))
    for folder in kind.folders:
        _write(ax, folder.label, look, bold=False)
    _write(ax, kind.label, look, bold=True)


def _write(ax: Axes, label: Label | None, look: KindLook, *, bold: bool) -> None:
    if label is None:
        return
    for number, line in enumerate(label.lines):
        y = label.box.y + number * lettering.line_px(ax)
        text = lettering.drawable(line)
        at = ("left", "top")
        lettering.write(ax, label.box.x, y, text, at=at, colour=look.ink, bold=bold, paper=look.fill)
