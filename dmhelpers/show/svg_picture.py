"""How an object of the course shows a picture in SVG: with its words, and never wider than the page."""

from __future__ import annotations

import html
from urllib.parse import quote


def picture_bundle(svg: str, words: str) -> dict[str, str]:
    """Return the MIME bundle of a picture.

    JupyterLab shows SVG that comes alone without a word for a screen reader, and cuts off what is wider than its
    column. As an image in HTML it has its words, and fits. Nothing is fetched: the picture stands in the address.

    Args:
        svg: The picture.
        words: What it says, as text: what a screen reader reads, and what a terminal shows.
    """
    address = quote(svg, safe=" !$'()*,-./:;=?@_~")
    image = f'<img alt="{html.escape(words)}" style="max-width:100%;height:auto" src="data:image/svg+xml,{address}"/>'
    return {"text/html": image, "image/svg+xml": svg, "text/plain": words}
