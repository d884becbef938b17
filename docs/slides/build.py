"""Make the slides from the solutions and their stored outputs: `make slides`. Runs no notebook, needs no engine."""

from __future__ import annotations

import html
import importlib.util
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dmhelpers.course.notebooks import Json, as_text, read, shelf, source
from dmhelpers.course.slides import slides

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent.parent / "build" / "slides"
_TEMPLATE = """\
{%- extends 'reveal/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock html_head_js -%}
{%- block html_head_js_mathjax -%}{%- endblock html_head_js_mathjax -%}
{%- block html_head_css -%}
<link rel="icon" href="data:,">
{%- endblock html_head_css -%}
{%- block data_png scoped -%}
<div class="jp-RenderedImage jp-OutputArea-output"><img alt="{{ output | get_metadata("alt", "image/png") | e }}"
src="data:image/png;base64,{{ output.data["image/png"] | replace("\n", "") | e }}"></div>
{%- endblock data_png -%}
{%- block data_svg scoped -%}
<div class="jp-RenderedSVG jp-OutputArea-output"><img alt="{{ output | get_metadata("alt", "image/svg+xml") | e }}"
src="data:image/svg+xml;base64,{{ output.data["image/svg+xml"] | text_base64 }}"></div>
{%- endblock data_svg -%}
{%- block footer_js -%}
<link rel="stylesheet" href="slides.css">
<script src="reveal/dist/reveal.js"></script>
<script src="reveal/plugin/notes/notes.js"></script>
<script>
Reveal.initialize({ width: 1280, height: 720, margin: 0.04, center: false, hash: true, slideNumber: "h.v",
  transition: "none", plugins: [RevealNotes] });
// What is a little too tall is drawn smaller; what is far too tall can be scrolled.
const fit = () => {
  const slide = Reveal.getCurrentSlide();
  slide.style.zoom = 1;
  if (slide.scrollHeight > 700) slide.style.zoom = Math.max(0.6, 700 / slide.scrollHeight);
};
Reveal.on("ready", fit);
Reveal.on("slidechanged", fit);
</script>
{%- endblock footer_js -%}
"""


def main(output: Path = OUTPUT, numbers: Iterable[str] = ()) -> int:
    """Write a page for each notebook, or those named, a list of them, and reveal.js itself, into an empty folder."""
    where = shelf()
    names = where.written(numbers)
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    copy_reveal(output / "reveal")
    shutil.copyfile(HERE / "slides.css", output / "slides.css")
    titles = {}
    for name in names:
        notebook = read(where.solution(name))
        titles[name] = source(notebook["cells"][0]).splitlines()[0].removeprefix("# ")
        (output / f"{name}.html").write_text(as_page(slides(notebook), titles[name]), encoding="utf-8")
    (output / "index.html").write_text(index(titles), encoding="utf-8")
    sys.stdout.write(f"{len(names)} notebooks; open {output / 'index.html'}\n")
    return 0


def copy_reveal(folder: Path) -> None:
    """Copy reveal.js, its licence, one theme and the speaker's view from the package that carries them."""
    package = importlib.util.find_spec("sphinx_revealjs")
    if package is None or not package.submodule_search_locations:
        sys.exit("slides: sphinx-revealjs, which carries reveal.js, is not installed. Run: make slides")
    origin = Path(package.submodule_search_locations[0]) / "_static" / "revealjs"
    for name in ("dist/reveal.js", "dist/reveal.css", "dist/theme/white.css", "LICENSE"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin / name, folder / name)
    for name in ("dist/theme/fonts/source-sans-pro", "plugin/notes"):
        shutil.copytree(origin / name, folder / name)


def as_page(notebook: Json, title: str) -> str:
    """Return the slides as one page, which loads only what lies beside it."""
    import nbformat
    from jinja2 import DictLoader
    from nbconvert import SlidesExporter

    exporter: Any = SlidesExporter(
        extra_loaders=[DictLoader({"course.html.j2": _TEMPLATE})],
        template_file="course.html.j2",
        reveal_url_prefix="reveal",
        reveal_theme="white",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    node = nbformat.reads(as_text(notebook), as_version=4)
    page, _ = exporter.from_notebook_node(node, {"metadata": {"name": title}})
    return re.sub(r"<title>.*?</title>", f"<title>{html.escape(title)}</title>", str(page), count=1)


def index(titles: dict[str, str]) -> str:
    """Return the page that lists the slides."""
    items = "\n".join(f'<li><a href="{name}.html">{html.escape(title)}</a></li>' for name, title in titles.items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Slides of the course</title><link rel="icon" href="data:,">
<style>body {{ font: 18px/1.6 system-ui, sans-serif; max-width: 45em; margin: 2em auto; padding: 0 1em;
color-scheme: light dark; }} li {{ list-style: none; }}</style></head>
<body>
<h1>Slides of the course</h1>
<p>Space: next. Arrows: right to the next topic, down within it. S: speaker notes. Esc: overview. ?: all keys.
To print: add <code>?print-pdf</code> to a page's address.</p>
<ul>
{items}
</ul>
</body>
</html>
"""


if __name__ == "__main__":
    sys.exit(main())
