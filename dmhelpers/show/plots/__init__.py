"""The course's pictures: image sizes, layers by stage, the reduction by kind, and when a build's steps ran."""

from dmhelpers.show.plots.layers import plot_layers
from dmhelpers.show.plots.reduction import plot_reduction
from dmhelpers.show.plots.sizes import plot_sizes
from dmhelpers.show.plots.stage_looks import stage_colours
from dmhelpers.show.plots.theme import save_plot
from dmhelpers.show.plots.timeline import plot_timeline

__all__ = ["plot_layers", "plot_reduction", "plot_sizes", "plot_timeline", "save_plot", "stage_colours"]
