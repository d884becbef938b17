"""The plots of the public face: names of images in, matplotlib axes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmhelpers.measure.images import base_origin_of, read_history
from dmhelpers.measure.kinds import reduction
from dmhelpers.show.plots import layers, sizes, theme, timeline
from dmhelpers.show.plots import reduction as waterfall
from dmhelpers.show.plots import treemap as areas
from dmhelpers.show.plots.described import describe
from dmhelpers.show.treemap_svg import read_model

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dmhelpers.show.builds import Build


def plot_sizes(df: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw image sizes as bars, what the base weighs told apart from what was added.

    Args:
        df: What `dm.compare` returned.
        ax: Axes to draw on; a new figure for None.

    Returns:
        The axes; sizes are in Docker's decimal units.
    """
    return describe(sizes.plot_sizes(df, ax=ax), sizes.alt_text(df))


def plot_layers(*images: str, ax: Axes | None = None) -> Axes:
    """Stack each image's layers, the oldest at the bottom, coloured by the stage that each comes from.

    Args:
        images: Names or IDs, drawn from left to right.
        ax: Axes to draw on; a new figure for None.

    Returns:
        The axes; layers of the base image, and of images that the course did not build, are grey.

    Raises:
        InputError: No image was named.
        ImageNotFound: The engine lacks one of them.
    """
    histories = [read_history(image) for image in images]
    origin = next((one for one in map(base_origin_of, images) if one), "")
    note = f" {theme.STAND_IN_NOTE}" if origin == "assembled" else ""
    words = f"{layers.alt_text(*histories)}{note}"
    return describe(layers.plot_layers(*histories, ax=ax, base_origin=origin), words)


def plot_reduction(before: str, after: str, *, base: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw, as a waterfall, what one image holds that another does not, by kind of file.

    Args:
        before: The larger image's name or ID.
        after: The smaller image's name or ID.
        base: The base image that they start from; found by its label where the course assembled it.
        ax: Axes to draw on; a new figure for None.

    Returns:
        The axes: the first image, a falling step for each kind that went, and what is left.

    Raises:
        ImageNotFound: The engine lacks one of them.
    """
    steps = reduction(before, after, base=base)
    return describe(waterfall.plot_reduction(steps, ax=ax), waterfall.alt_text(steps))


def plot_treemap(contents: pd.DataFrame | str, *, ax: Axes | None = None) -> Axes:
    """Draw what an image is made of as a treemap: an area for each kind of file, and within it for each folder.

    Args:
        contents: An image's name or ID, or what `dm.contents` returned for one.
        ax: Axes to draw on; a new figure for None.

    Returns:
        The axes; areas are proportional to bytes, sizes are in Docker's decimal units.

    Raises:
        ImageNotFound: The engine has no such image.
        InputError: The table is no table of contents.
    """
    model = read_model(contents)
    return describe(areas.plot_treemap(model, ax=ax), areas.alt_text(model))


def plot_timeline(*builds: Build, ax: Axes | None = None) -> Axes:
    """Draw when each step of a build ran: a lane a stage, parallel stages above each other, cache hits hatched.

    Args:
        builds: What `dm.build` returned, drawn from top to bottom on one axis: a first build and one from the cache.
        ax: Axes to draw on; a new figure for None.

    Returns:
        The axes, in seconds from each build's first step. A stage that was not built says so.

    Raises:
        InputError: There is no build.
    """
    records = [one.record for one in builds]
    return describe(timeline.plot_timeline(*records, ax=ax), timeline.alt_text(*records))
