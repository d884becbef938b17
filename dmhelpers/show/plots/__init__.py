"""The course's pictures: image sizes, layers by stage, and the reduction by kind."""

from dmhelpers.show.plots.layers import plot_layers
from dmhelpers.show.plots.reduction import plot_reduction
from dmhelpers.show.plots.sizes import plot_sizes
from dmhelpers.show.plots.theme import save_plot, stage_colours

__all__ = ["plot_layers", "plot_reduction", "plot_sizes", "save_plot", "stage_colours"]
