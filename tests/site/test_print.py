"""The PDF and the EPUB of the built site: `make pdf` and `make epub` first."""

from __future__ import annotations

import unicodedata
import zipfile
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import built_pages
import print_book
import pytest
import solutions_of

ROOT = Path(__file__).resolve().parents[2]
PDF = ROOT / "_build" / "pdf" / f"{print_book.NAME}.pdf"
EPUB = ROOT / "_build" / "epub" / f"{print_book.NAME}.epub"
FEWEST_SHEETS = 250  # 372 in the smoke profile, whose figures are the smallest
FEWEST_OF_A_LESSON = 8

needs_pdf = pytest.mark.skipif(
    not PDF.exists(), reason="there is no PDF: make pdf first"
)
needs_epub = pytest.mark.skipif(
    not EPUB.exists(), reason="there is no EPUB: make epub first"
)


@pytest.fixture(scope="module")
def pages():
    """The pages of the site that are printed, in order."""
    site = built_pages.read_pages(ROOT)
    return [page for page in site if not page.article.find(id="course-progress")]


@pytest.fixture(scope="module")
def pdf():
    return pytest.importorskip("pypdf").PdfReader(PDF)


@pytest.fixture(scope="module")
def sheets():
    """On which sheet each page begins, from 1."""
    return print_book.sheets_of(PDF)


def words_of(sheet):
    """Return the text of a sheet in one line, each ligature as its letters."""
    return " ".join(unicodedata.normalize("NFKC", sheet.extract_text()).split())


@needs_pdf
def test_the_pdf_has_every_page_under_its_title(pdf, sheets, pages):
    assert len(pdf.pages) >= FEWEST_SHEETS
    for page in pages:
        text = words_of(pdf.pages[sheets[page.slug] - 1])
        title = unicodedata.normalize("NFKC", page.title)
        assert text.count(title) >= 2, page.name  # at the top, and as its heading


@needs_pdf
def test_the_contents_of_the_pdf_name_the_sheet_of_each_page(pdf, sheets, pages):
    first = min(sheets[page.slug] for page in pages)
    contents = " ".join(words_of(sheet) for sheet in pdf.pages[: first - 1])
    for page in pages:
        title = unicodedata.normalize("NFKC", page.title)
        assert f"{title} {sheets[page.slug]}" in contents


@needs_pdf
def test_no_lesson_is_cut_off_in_the_pdf(pdf, sheets, pages):
    starts = [sheets[page.slug] for page in pages] + [len(pdf.pages) + 1]
    assert starts == sorted(starts)
    for page, (start, end) in zip(pages, pairwise(starts), strict=True):
        if page.name.startswith("lessons/"):
            assert end - start >= FEWEST_OF_A_LESSON, page.name


@needs_pdf
def test_the_pdf_has_bookmarks_and_can_be_read_aloud(pdf, pages):
    marks = [mark.title for mark in pdf.outline if not isinstance(mark, list)]
    assert {page.title for page in pages} <= set(marks)
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert pdf.trailer["/Root"]["/Lang"].startswith("en")


@needs_pdf
def test_no_solution_line_stands_in_what_is_printed():
    assert solutions_of.leaks([PDF.with_name("book.html")]) == []


@needs_epub
def test_the_epub_has_every_page_under_its_title(pages):
    with zipfile.ZipFile(EPUB) as book:
        assert book.testzip() is None
        for page in pages:
            root = ElementTree.fromstring(book.read(f"book/{page.slug}.xhtml"))
            heading = root.find(".//{http://www.w3.org/1999/xhtml}h1")
            assert " ".join("".join(heading.itertext()).split()) == page.title


@needs_epub
def test_no_solution_line_stands_in_the_epub(tmp_path):
    with zipfile.ZipFile(EPUB) as book:
        for name in book.namelist():
            if name.endswith(".xhtml"):
                page = tmp_path / Path(name).with_suffix(".html").name
                page.write_bytes(book.read(name))
    assert solutions_of.leaks([tmp_path]) == []
