"""How an object of the course shows its widget beside a static form."""

from __future__ import annotations

from typing import Any

KIND = "application/vnd.jupyter.widget-view+json"


def view_of(widget: Any) -> dict[str, Any]:
    """Return the entry of a MIME bundle that shows a widget; empty where widgets are not to be had."""
    bundle = widget._repr_mimebundle_()
    return {KIND: bundle[KIND]} if bundle and KIND in bundle else {}
