"""Pictures of stored notebooks as images with their words, for the pages that are made of them."""

from __future__ import annotations

import copy

from dmhelpers.course.notebooks import Json
from dmhelpers.show.pictures import png_image, svg_image


def with_words(notebook: Json) -> Json:
    """Return a copy in which each picture is an HTML image too, with the words that are stored beside it.

    A notebook stores a picture once: the words of SVG are the output's text, those of PNG stand in its metadata. What
    has a form in HTML already, or no words, stays as it is.

    Args:
        notebook: The notebook as plain JSON.
    """
    made = copy.deepcopy(notebook)
    for cell in made["cells"]:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            image = None if "text/html" in data else _image(data, output.get("metadata", {}))
            if image:
                data["text/html"] = image
    return made


def words_of(output: Json) -> str:
    """Return the words of an output's picture, ``""`` where it has none."""
    data = output.get("data", {})
    if "image/svg+xml" in data:
        return _text(data.get("text/plain", ""))
    return str(output.get("metadata", {}).get("image/png", {}).get("alt", ""))


def _image(data: Json, metadata: Json) -> str:
    words = words_of({"data": data, "metadata": metadata})
    if not words:
        return ""
    if "image/svg+xml" in data:
        return svg_image(_text(data["image/svg+xml"]), words)
    return png_image(_text(data["image/png"]), words) if "image/png" in data else ""


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)
