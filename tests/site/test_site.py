"""The built site, as files: `make book`, then `make test-site`."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import run_lessons  # noqa: F401  (puts the site's extension on the path)
import solutions_of
from bs4 import BeautifulSoup
from course_book import conditions

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
PAGES = [page for page in sorted(SITE.rglob("*.html")) if "_static" not in page.parts]
# Made by Sphinx or Jupyter Book, without a page's frame.
BARE = {"index.html"}
FRAMED = [page for page in PAGES if page.relative_to(SITE).as_posix() not in BARE]
LESSONS = [page for page in PAGES if page.parent.name == "lessons"]
LOADING = {"stylesheet", "icon", "preload", "preconnect", "prefetch", "dns-prefetch"}
LOADING |= {"modulepreload", "manifest", "apple-touch-icon", "shortcut"}
URL = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")

pytestmark = pytest.mark.skipif(not PAGES, reason="there is no site: make book first")


def name(path: Path) -> str:
    return path.relative_to(SITE).as_posix()


@lru_cache(maxsize=64)
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def each(paths):
    return pytest.mark.parametrize("page", paths, ids=name)


def outside(address: str) -> bool:
    """Tell whether an address leads to another host."""
    return bool(urlsplit(address.strip()).netloc)


def loaded(page: BeautifulSoup):
    """Yield every address that a browser loads when it opens a page."""
    for tag in page.find_all(True):
        for attribute in ("src", "srcset", "poster", "data"):
            if tag.name != "a" and tag.get(attribute):
                yield from (part.split()[0] for part in tag[attribute].split(","))
        if tag.name == "link" and LOADING & set(tag.get("rel", [])):
            yield tag["href"]
        if tag.name in ("image", "use"):
            yield tag.get("href") or tag.get("xlink:href") or ""
        if tag.name == "meta" and tag.get("http-equiv", "").lower() == "refresh":
            yield tag["content"].partition("url=")[2]
        styles = [tag.get("style", ""), tag.text if tag.name == "style" else ""]
        for match in URL.finditer(" ".join(styles)):
            yield match[1] or match[2]


@each(PAGES)
def test_opening_a_page_asks_no_other_host(page):
    assert [address for address in loaded(soup(page)) if outside(address)] == []


@each(PAGES)
def test_scripts_in_a_page_name_no_other_host(page):
    # A description for other programs is data, and loads nothing.
    tags = [
        tag
        for tag in soup(page).find_all("script")
        if "json" not in str(tag.get("type"))
    ]
    scripts = " ".join(tag.text for tag in tags)
    assert re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+", scripts) == []


def test_style_sheets_ask_no_other_host():
    found = {}
    for sheet in SITE.rglob("*.css"):
        for match in URL.finditer(sheet.read_text(encoding="utf-8")):
            address = match[1] or match[2]
            if outside(address):
                found.setdefault(name(sheet), []).append(address)
    assert found == {}


def test_fonts_that_style_sheets_name_are_there():
    sheet = SITE / "_static" / "course.css"
    for match in URL.finditer(sheet.read_text(encoding="utf-8")):
        assert (sheet.parent / (match[1] or match[2])).is_file()


@each(PAGES)
def test_every_image_has_words(page):
    for image in soup(page).find_all("img"):
        alt = image.get("alt", "").strip()
        assert alt, image
        # Without alternative text the builder writes the file's name.
        assert not re.search(r"\.(png|svg|jpe?g|gif|webp)$", alt), image


@each([page for page in LESSONS if soup(page).select(".cell_output img")])
def test_figures_say_what_they_show(page):
    for image in soup(page).select(".cell_output img"):
        assert len(image["alt"].split()) >= 5, image["alt"]


@each(LESSONS)
def test_the_colab_button_leads_to_the_lesson(page):
    address, version = conditions.project(ROOT)
    start = address.replace(
        "https://github.com/", "https://colab.research.google.com/github/"
    )
    links = {
        tag["href"]
        for tag in soup(page).find_all("a", href=True)
        if "colab.research.google.com" in tag["href"]
    }
    assert len(links) == 1
    link = links.pop()
    start += f"/blob/v{version}/"  # as the notebook's install cell has it
    assert link.startswith(start)
    notebook = ROOT / link.removeprefix(start)
    assert notebook == ROOT / "lessons" / f"{page.stem}.ipynb"
    assert notebook.is_file()


@lru_cache(maxsize=64)
def anchors(path: Path) -> set[str]:
    page = soup(path)
    named = {tag["name"] for tag in page.find_all("a", attrs={"name": True})}
    return named | {tag["id"] for tag in page.find_all(id=True)}


@each(FRAMED)
def test_links_and_anchors_lead_somewhere(page):
    broken = []
    for tag in soup(page).find_all("a", href=True):
        parts = urlsplit(tag["href"])
        if parts.scheme or parts.netloc or tag["href"] in ("#", ""):
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not target.is_file() or (
            parts.fragment
            and target.suffix == ".html"
            and unquote(parts.fragment) not in anchors(target)
        ):
            broken.append(tag["href"])
    assert broken == []


def test_no_solution_line_is_in_any_file():
    assert solutions_of.leaks([SITE]) == []


def test_no_file_of_the_solutions_or_tests_is_there():
    stems = {path.stem for path in (ROOT / "solutions").rglob("*.py")}
    stems |= {path.stem for path in (ROOT / "tests").glob("*.py")}
    assert [name(path) for path in SITE.rglob("*") if path.stem in stems] == []


@each(LESSONS)
def test_formulas_are_mathml_with_their_source_as_words(page):
    source = (ROOT / "lessons" / f"{page.stem}.md").read_text(encoding="utf-8")
    formulas = soup(page).find_all("math")
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", source, flags=re.DOTALL)
    if re.search(r"\$[^$\n]+\$", prose):
        assert formulas
    assert all(formula.get("alttext") for formula in formulas)
    text = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    for hidden in text.select("pre, code, math, script, style"):
        hidden.decompose()
    assert not re.search(r"\$\$|\\frac|\\mathrm|\\odot", text.get_text())


def test_mathjax_is_nowhere():
    kinds = {".html", ".js", ".css"}
    texts = {
        name(path): path.read_text(encoding="utf-8", errors="replace").lower()
        for path in SITE.rglob("*")
        if path.suffix in kinds and "vendor" not in path.parts
    }
    loading = r"mathjax[\w@./-]*\.js"
    assert [key for key, text in texts.items() if re.search(loading, text)] == []


@each(FRAMED)
def test_the_foot_says_what_a_page_was_built_from(page):
    foot = soup(page).select_one(".course-footer")
    assert foot is not None
    words = " ".join(foot.get_text().split())
    assert re.search(r"Built from (commit [0-9a-f]{7,}|version \d)", words)
    assert re.search(r"on \d{1,2} [A-Z][a-z]+ 20\d\d\.", words)
    assert re.search(r"(smoke|quick|full) profile", words)
    assert re.search(r"(TensorFlow|JAX|PyTorch) \d", words)
    assert re.search(r"CPU \(\d+ cores?\)|GPU", words)
    assert "data:" in words
    if page in LESSONS:
        assert "Its code ran on" in words


@each(LESSONS)
def test_a_smoke_build_says_so_on_every_page(page):
    foot = soup(page).select_one(".course-footer").get_text()
    profile = re.search(r"(smoke|quick|full) profile", " ".join(foot.split()))
    assert profile
    banner = soup(page).select_one(".bd-header-announcement")
    assert bool(banner and "smoke profile" in banner.text) == (profile[1] == "smoke")


@each(LESSONS)
def test_a_lesson_shows_no_error(page):
    traces = [
        tag.get_text()
        for tag in soup(page).select(".cell_output .traceback, .cell_output .stderr")
    ]
    assert traces == []


@each(LESSONS)
def test_a_lesson_has_its_neighbors_and_its_place(page):
    frame = soup(page)
    assert frame.select_one(".prev-next-area a")
    assert frame.title.text.endswith("Modern ConvNets")
    assert frame.select_one("img.logo__image")
    # The older theme of Python 3.10 writes this button by a script.
    assert "theme-switch-button" in page.read_text(encoding="utf-8")


def test_every_lesson_of_the_repository_is_in_the_site():
    sources = {path.stem for path in (ROOT / "lessons").glob("*.md")}
    assert {page.stem for page in LESSONS} == sources


def test_the_search_index_knows_the_lessons():
    index = (SITE / "searchindex.js").read_text(encoding="utf-8")
    for page in LESSONS:
        assert f"lessons/{page.stem}" in index


def test_the_course_is_there_as_data_for_other_programs():
    course = json.loads((SITE / "course.json").read_text(encoding="utf-8"))
    assert [lesson["page"] for lesson in course["lessons"]] == list(map(name, LESSONS))
    for page in LESSONS:
        tag = soup(page).head.find("script", type="application/ld+json")
        assert json.loads(tag.text)["@type"] == "LearningResource"
