"""A picture as a notebook shows it: with its words, within its column, and from nowhere else."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import unquote

from dmhelpers.show.pictures import picture_bundle

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><text>50 % "a" &amp; #b\n</text></svg>\n'
WORDS = 'Dockerfile: 1 stage\n0 "a" <b> & c'


class Images(HTMLParser):
    """Collects the attributes of each image."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Take an image's attributes; there is nothing else."""
        assert tag == "img"
        self.found.append(dict(attrs))


def test_the_image_has_its_words_and_is_the_picture():
    """As HTML it is one image: all words as its alternative text, the very SVG in its address."""
    bundle = picture_bundle(SVG, WORDS)
    (image,) = Images(bundle["text/html"]).found
    assert image["alt"] == WORDS
    kind, _, address = image["src"].partition(",")
    assert kind == "data:image/svg+xml"
    assert unquote(address) == SVG
    assert not set('"<>#\n') & set(address)
    assert "max-width:100%" in image["style"]
    assert (bundle["image/svg+xml"], bundle["text/plain"]) == (SVG, WORDS)


def test_a_stored_output_has_the_picture_once(monkeypatch):
    """Where outputs are stored and compared, the SVG and the words come alone."""
    monkeypatch.setenv("DMHELPERS_PROGRESS", "plain")
    assert picture_bundle(SVG, WORDS) == {"image/svg+xml": SVG, "text/plain": WORDS}
