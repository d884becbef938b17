"""How a notebook is given a picture: with its words, and never wider than the page.

JupyterLab shows PNG and SVG that come alone without a word for a screen reader, and cuts SVG off that is wider than
its column. As an image in HTML a picture has its words, and fits. Nothing is fetched: the address is the picture.
"""

from __future__ import annotations

import html
import os
from urllib.parse import quote

_STYLE = "max-width:100%;height:auto"


def is_stored() -> bool:
    """Return whether outputs are stored and compared: then a picture comes once, and pages add the image to it."""
    return os.environ.get("DMHELPERS_PROGRESS") == "plain"


def picture_bundle(svg: str, words: str) -> dict[str, str]:
    """Return the MIME bundle of a picture in SVG.

    Args:
        svg: The picture.
        words: What it says, as text: what a screen reader reads, and what a terminal shows.
    """
    static = {"image/svg+xml": svg, "text/plain": words}
    return static if is_stored() else {"text/html": svg_image(svg, words), **static}


def svg_image(svg: str, words: str) -> str:
    """Return a picture in SVG as an HTML image with its words."""
    return _image(f"data:image/svg+xml,{quote(svg, safe=' !$()*,-./:;=?@_~')}", words)


def png_image(png_base64: str, words: str) -> str:
    """Return a picture in PNG as an HTML image with its words."""
    return _image(f"data:image/png;base64,{''.join(png_base64.split())}", words)


def _image(address: str, words: str) -> str:
    return f'<img alt="{html.escape(words)}" style="{_STYLE}" src="{address}"/>'
