"""The instructor's kit in Chromium without a network: slides, and the learners' cards."""

from __future__ import annotations

import importlib.util
from collections import namedtuple
from pathlib import Path

import pytest

from dmhelpers.workshop.view.cards import cards

ROOT = Path(__file__).parent.parent.parent
SCREENSHOTS = ROOT / "build" / "browser"

LIMIT_MS = 300_000

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Build the slides of two notebooks, without running anything."""
    spec = importlib.util.spec_from_file_location("build_slides", ROOT / "docs" / "slides" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = tmp_path_factory.mktemp("slides") / "slides"
    assert module.main(made, ["05", "08"]) == 0
    return made


def test_slides_need_no_network_and_show_their_pictures(browser, folder):
    """A page of slides asks nothing of anybody else, moves by keyboard, and every picture and text fits its slide."""
    window = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    window.set_default_timeout(LIMIT_MS)
    page = window.new_page()
    asked, broken = [], []
    page.on("request", lambda one: asked.append(one.url))
    page.on("pageerror", lambda one: broken.append(str(one)))
    page.on("requestfailed", lambda one: broken.append(one.url))
    page.goto((folder / "index.html").as_uri())
    page.get_by_role("link", name="05 · Building and measuring").click()
    ready(page)
    page.keyboard.press("Space")
    assert page.evaluate("Reveal.getIndices().h") == 1
    notes = page.locator("aside.notes").evaluate_all("all => all.map(one => one.textContent).join()")
    assert "Write down three guesses" in notes
    assert walked(page, "05") == 3
    page.goto((folder / "08_test_stage.html").as_uri())
    ready(page)
    assert walked(page, "08") == 2
    assert broken == []
    assert [one for one in asked if not one.startswith(("file:", "data:"))] == []
    window.close()


def ready(page):
    """Wait until a page is loaded with all that belongs to it, and its slides can be moved."""
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.wait_for_load_state("load")


def walked(page, number):
    """Look at each slide, keep a picture of those with pictures, and return how many there are."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    pictures = 0
    indices = page.evaluate("Reveal.getSlides().map(one => Reveal.getIndices(one))")
    assert len(indices) > 30
    for at in indices:
        page.evaluate("at => Reveal.slide(at.h, at.v)", at)
        slide = page.evaluate(_LOOK)
        assert slide["tall"] <= 720, (at, slide)
        assert slide["text"].strip() or slide["widths"], at
        assert all(width > 300 for width in slide["widths"]), (at, slide)
        assert all(slide["alts"]), "each picture is described"
        if slide["widths"]:
            page.screenshot(path=SCREENSHOTS / f"slide_{number}_{pictures}.png")
        pictures += len(slide["widths"])
    return pictures


_LOOK = """async () => {
  const slide = Reveal.getCurrentSlide(), pictures = [...slide.querySelectorAll("img")];
  await Promise.all(pictures.map(one => one.decode().catch(() => {})));
  return { tall: slide.scrollHeight * (slide.style.zoom || 1), text: slide.innerText,
    widths: pictures.map(one => one.naturalWidth && one.getBoundingClientRect().width),
    alts: pictures.map(one => one.alt && !one.alt.startsWith("No description")) };
}"""


def test_cards_fit_their_sheets(browser, tmp_path):
    """Nothing of a card is cut off, not even with the longest name, and a sheet is one page of A4."""
    seat = namedtuple("seat", "name login code")
    long = seat(
        "Konstantin Alexander Papadopoulos-Hadjigeorgiou of Thessaloniki " * 2, "konstantin-" * 3 + "hadjige", "k7"
    )
    seats = [seat("Zoë de Vries", "zoe-de-vries", "k7qm-x3nf-p2wd")] * 8 + [long]
    path = tmp_path / "cards.html"
    made = cards(seats, url="https://docker-workshop.seminar.example.org:8000/", network="Seminar-Guest-Network")
    path.write_text(made, encoding="utf-8")
    page = browser.new_page(viewport={"width": 900, "height": 1200})
    page.set_default_timeout(LIMIT_MS)
    asked = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto(path.as_uri())
    page.emulate_media(media="print")
    cut = "all => all.map(one => [one.scrollHeight - one.clientHeight, one.scrollWidth - one.clientWidth])"
    assert page.locator(".card").evaluate_all(cut) == [[0, 0]] * 9
    sizes = page.locator(".sheet").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert [round(one / 96 * 25.4) for one in sizes] == [297, 297]
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.count(b"/Type /Page\n") == 2
    assert [one for one in asked if not one.startswith(("file:", "data:"))] == []
    page.screenshot(path=SCREENSHOTS / "cards.png", full_page=True)
    page.close()
