"""Build the course's site from the solutions: `make site`. Needs no engine and no network, and runs no notebook."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from dmhelpers.course.notebook_pictures import with_words
from dmhelpers.course.notebooks import read, shelf, write
from dmhelpers.course.recording import COMES_WITH
from dmhelpers.engine.recorded.store import Recording

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
RECORDING = HERE.parent.parent / COMES_WITH
PACKED = "dmhelpers-recording.zip"
_LOADED = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)|url\(["']?(https?://[^)"']+)"""
)
_IMPORTED = re.compile(r"""\bimport\s*(?:\(|[^;'"]*?from)\s*["'](https?://[^"']+)""")


def main() -> int:
    """Collect the pages, build them, and hold that they load nothing from the network."""
    from sphinx.cmd.build import build_main

    source, site = BUILD / "site-source", BUILD / "site"
    names = collect(source)
    if not names:
        sys.stderr.write("site: there is no notebook in notebooks/solutions.\n")
        return 1
    shutil.rmtree(site, ignore_errors=True)
    cache = BUILD / "site-cache"
    code = build_main(
        ["-q", "-W", "--keep-going", "-b", "html", "-d", str(cache), "-c", str(HERE), str(source), str(site)]
    )
    loaded = loads_from_elsewhere(site)
    for line in loaded:
        sys.stderr.write(f"site: {line}\n")
    if code or loaded:
        return 1
    sys.stdout.write(f"{len(names)} notebooks; open build/site/index.html\n")
    return 0


def collect(source: Path) -> tuple[str, ...]:
    """Put the solutions and the page that lists them into an empty folder; return the notebooks' names."""
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    where = shelf()
    names = where.written()
    for name in names:
        write(source / f"{name}.ipynb", with_words(read(where.solution(name))))
    page = (HERE / "index.md").read_text(encoding="utf-8")
    if (RECORDING / "manifest.json").is_file():
        Recording(RECORDING).pack(source / PACKED)
        page += (HERE / "recording.md").read_text(encoding="utf-8")
    listed = "\n".join(["```{toctree}", ":maxdepth: 1", "", *names, "```", ""])
    (source / "index.md").write_text(page + listed, encoding="utf-8")
    return names


def loads_from_elsewhere(site: Path) -> list[str]:
    """Return a line for each script, style, font or picture that a page would load from the network."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix in (".html", ".css"):
            text = path.read_text(encoding="utf-8")
            matches = [one for pattern in (_LOADED, _IMPORTED) for one in pattern.findall(text)]
            urls = {url for match in matches for url in ([match] if isinstance(match, str) else match) if url}
            # Which page is the canonical one, and who made it, is told, not loaded.
            found += [f"{path.relative_to(site)} loads {url}" for url in sorted(urls)]
    return found


if __name__ == "__main__":
    sys.exit(main())
