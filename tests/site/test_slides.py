"""The decks of slides, in a browser without a window: `make slides` first."""

from __future__ import annotations

import html
import json
import subprocess
from pathlib import Path

import built_pages
import pytest
import slides
import solutions_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "_build" / "slides"
DECKS = sorted(FOLDER.glob("[0-9]*.html"))

try:
    built_pages.find_chromium()
    NO_BROWSER = ""
except built_pages.Missing as message:
    NO_BROWSER = str(message)

pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="there are no slides: make slides first"
)
in_a_browser = pytest.mark.skipif(bool(NO_BROWSER), reason=NO_BROWSER or "-")

# Shows each slide once, and writes down what is wrong with it.
MEASURE = """<script>
Reveal.on('ready', () => {
  const found = [];
  const slides = [...document.querySelectorAll('.slides > section')];
  slides.forEach((slide, number) => {
    Reveal.slide(number);
    const say = (what) => found.push(`slide ${number + 1}: ${what}`);
    if (slide.scrollHeight > 721) say(`${slide.scrollHeight} pixels high`);
    if (slide.scrollWidth > 1281) say(`${slide.scrollWidth} pixels wide`);
    for (const element of slide.querySelectorAll('.body, .body *')) {
      if (element.closest('svg, math') && !element.matches('svg, math')) continue;
      const box = element.getBoundingClientRect();
      const right = slide.getBoundingClientRect().right;
      if (box.width && box.right > right + 1) say(`${element.tagName} is cut off`);
    }
    for (const image of slide.querySelectorAll('img'))
      if (!image.complete || !image.naturalWidth) say(`no image ${image.src}`);
  });
  Reveal.slide(0);
  Reveal.right();
  if (Reveal.getIndices().h !== 1) found.push('the next slide does not come');
  const report = document.createElement('pre');
  report.id = 'report';
  report.textContent = JSON.stringify({count: slides.length, found});
  document.body.append(report);
});
</script></body>"""


def measured(deck: Path, folder: Path) -> dict:
    """Return what the browser found in a deck."""
    page = deck.with_name(f".measured-{deck.name}")
    source = deck.read_text(encoding="utf-8")
    page.write_text(source.replace("</body>", MEASURE), encoding="utf-8")
    try:
        command = built_pages.chromium_command(
            "--window-size=1280,720",
            "--virtual-time-budget=8000",
            "--dump-dom",
            page.as_uri(),
            profile=str(folder),
        )
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    finally:
        page.unlink()
    _, mark, rest = done.stdout.partition('<pre id="report">')
    assert mark, f"the deck did not start:\n{done.stderr[-2000:]}"
    return json.loads(html.unescape(rest.partition("</pre>")[0]))


def test_every_lesson_has_a_deck():
    lessons = sorted(path.stem for path in (ROOT / "lessons").glob("*.md"))
    assert [deck.stem for deck in DECKS] == lessons


def test_no_solution_line_stands_in_the_slides():
    assert solutions_of.leaks([FOLDER]) == []


@in_a_browser
@pytest.mark.parametrize("deck", DECKS, ids=lambda deck: deck.stem)
def test_every_slide_fits_and_shows_its_images(deck, tmp_path):
    report = measured(deck, tmp_path)
    assert report["found"] == []
    assert 10 <= report["count"] <= slides.MOST_SLIDES
