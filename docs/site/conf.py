"""Sphinx's settings for the course's site: solutions as stored, nothing run, nothing loaded from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ipython_pygments_lexers import IPython3Lexer
from pygments.lexer import bygroups, using
from pygments.lexers import DockerLexer
from pygments.token import Operator, Text

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Docker multi-stage builds"
author = "the authors of dmhelpers"
html_title = project
language = "en"
smartquotes = False  # `--from` in a title is two hyphens
extensions = ["myst_nb"]

# The outputs are those that the solutions were stored with: building the site runs nothing.
nb_execution_mode = "off"
nb_merge_streams = True
# Widgets would be loaded from the network; their plain forms, tables and pictures, are shown.
nb_ipywidgets_js: dict[str, Any] = {}

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_use_index = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {
    "article_header_end": [],
    "content_footer_items": [],
    "navbar_persistent": [],
    "show_toc_level": 2,
    "use_download_button": False,
}


class CourseLexer(IPython3Lexer):
    """IPython's lexer, which also colours the Dockerfile under `%%dockerfile`."""

    tokens: ClassVar = IPython3Lexer.tokens | {
        "root": [
            (r"(?s)(%%dockerfile)([^\n]*\n)(.*)", bygroups(Operator, Text, using(DockerLexer))),
            *IPython3Lexer.tokens["root"],
        ]
    }


def setup(app: Sphinx) -> None:
    """Use the lexer for every notebook's code."""
    app.add_lexer("ipython3", CourseLexer)
