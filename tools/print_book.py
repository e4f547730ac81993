"""Make the book for paper and for e-readers from the pages of the built site.

    python tools/print_book.py pdf     _build/pdf/modern-convnets.pdf
    python tools/print_book.py epub    _build/epub/modern-convnets.epub

Call `make book` first. The PDF needs Chromium, which prints the single page
`_build/pdf/book.html`, and pypdf, which finds the page numbers for its contents; the
EPUB needs neither. Hints and the answers of the
self-quizzes stand at the end of each lesson. The solutions are in neither.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import hashlib
import html
import importlib.util
import os
import re
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "book" / "extension"))

import built_pages  # noqa: E402
from built_pages import Missing, Page  # noqa: E402
from course_book import conditions  # noqa: E402

NAME = "modern-convnets"
STYLES = ROOT / "book" / "editions"
SUBTITLE = "An executable course on convolutional networks that measures what it says"
PRINT_SECONDS = 600
# Attributes of SVG whose capitals an HTML parser loses, and XML needs.
CAPITALS = {
    name.lower(): name
    for name in ("viewBox", "markerWidth", "markerHeight", "refX", "refY")
}
CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book/content.opf"
media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
KINDS = {
    ".css": "text/css",
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
}


def facts(root: Path = ROOT) -> dict[str, str]:
    """Return what a title page says: title, author, version, address, commit, date."""
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    address, version = conditions.project(root)
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return {
        "title": settings["title"],
        "author": settings["author"],
        "version": version,
        "address": address,
        "commit": conditions.commit(root),
        "moment": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date": f"{moment.day} {moment:%B %Y}",
    }


def prepared_pages(root: Path = ROOT) -> list[Page]:
    """Return the pages with everything unfolded that paper cannot unfold."""
    pages = built_pages.read_pages(root)
    # A reader's progress is kept by a browser only.
    pages = [p for p in pages if not p.article.find(id="course-progress")]
    for page in pages:
        built_pages.flatten_figures(page.article)
        built_pages.fold_drawings(page.article)
        built_pages.move_help_to_end(page.article)
        for check in page.article.select(".cell_output:has(.course-check)"):
            check.decompose()  # "not attempted" says nothing on paper
    return pages


def title_block(about: dict[str, str], first: Path) -> str:
    """Return the title page's HTML.

    Args:
        about: what `facts` returns.
        first: a page of the site, which may carry a warning about all of it.
    """
    page = built_pages.parse(first.read_text(encoding="utf-8"))
    announcement = page.select_one(".bd-header-announcement")
    commit = f", commit {about['commit']}" if about["commit"] else ""
    warning = html.escape(built_pages.words(announcement))
    return (
        f"<h1>{html.escape(about['title'])}</h1>\n"
        f'<p class="subtitle">{html.escape(SUBTITLE)}</p>\n'
        f'<p class="author">{html.escape(about["author"])}</p>\n'
        f'<p class="stamp">Version {about["version"]}{html.escape(commit)}<br/>\n'
        f"{about['date']}<br/>\n"
        f'<a href="{about["address"]}">{about["address"]}</a></p>\n'
        + (f'<p class="warning">{warning}</p>\n' if warning else "")
    )


def contents(pages: list[Page], places: dict[str, str]) -> str:
    """Return the table of contents: parts, and the pages in each, as nested lists."""
    lines, part = ["<ol>"], ""
    for page in pages:
        if page.part != part:
            lines.append("</ol></li>" if part else "")
            lines.append(f"<li><span>{html.escape(page.part)}</span><ol>")
            part = page.part
        lines.append(
            f'<li><a href="{places[page.name]}">{html.escape(page.title)}</a></li>'
        )
    return "\n".join([*filter(None, lines), "</ol></li></ol>" if part else "</ol>"])


# ---- The PDF ---------------------------------------------------------------------


def single_page(root: Path = ROOT) -> str:
    """Return the whole book as one HTML page, which lies in `_build/pdf`.

    Its contents name no sheets: see `number_contents`.
    """
    pages, about = prepared_pages(root), facts(root)
    places = {page.name: f"#{page.slug}" for page in pages}
    heads, bodies, part = [], [], ""
    for page in pages:
        built_pages.prefix_anchors(page)
        built_pages.lead_links(page, places, "--")
        for image in page.article.select("img:not([src^='data:'])"):
            image["src"] = _beside(page, image["src"], "../html")
        heads.append(_running_head(page))
        heading = page.article.find("h1")
        if page.part != part:
            part = page.part
            kicker = built_pages.parse("").new_tag("p", attrs={"class": "part"})
            kicker.string = part
            heading.insert_before(kicker)
        bodies.append(
            f'<div class="bd-article page" id="{page.slug}" '
            f'style="page: {page.slug}">{page.article.decode_contents()}</div>'
        )
    title = html.escape(about["title"])
    first = root / "_build" / "html" / f"{pages[0].name}.html"
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light"><head>\n'
        f'<meta charset="utf-8"/><title>{title}</title>\n'
        f'<meta name="author" content="{html.escape(about["author"])}"/>\n'
        '<link rel="stylesheet" href="../html/_static/pygments.css"/>\n'
        '<link rel="stylesheet" href="../html/_static/course.css"/>\n'
        f"<style>\n{(STYLES / 'print.css').read_text(encoding='utf-8')}\n"
        f"{''.join(heads)}</style></head><body>\n"
        f'<div class="cover">{title_block(about, first)}</div>\n'
        f'<nav class="contents"><h2>Contents</h2>{contents(pages, places)}</nav>\n'
        + "\n".join(bodies)
        + "\n</body></html>\n"
    )


def _beside(page: Page, address: str, site: str) -> str:
    """Return an image's address as seen from the edition's folder."""
    folder = os.path.dirname(page.name)
    return f"{site}/{os.path.normpath(os.path.join(folder, address))}"


def _running_head(page: Page) -> str:
    """Return the rule that puts a page's title at the top of its sheets."""
    words = page.title.replace("\\", "\\\\").replace('"', '\\"')
    return f'@page {page.slug} {{ @top-left {{ content: "{words}"; }} }}\n'


def make_pdf(root: Path = ROOT) -> Path:
    """Print the book; return the PDF's path.

    Raises:
        Missing: without a site or without a Chromium.
    """
    built_pages.find_chromium()  # before any work
    if importlib.util.find_spec("pypdf") is None:
        raise Missing(
            "The package pypdf is not installed: call "
            ".venv/bin/pip install -c requirements.lock pypdf."
        )
    folder = root / "_build" / "pdf"
    page, target = folder / "book.html", folder / f"{NAME}.pdf"
    text = single_page(root)
    folder.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    # Printed twice: the first time tells the numbers for the contents.
    page.write_text(number_contents(text, {}), encoding="utf-8")
    _print(page, target)
    page.write_text(number_contents(text, sheets_of(target)), encoding="utf-8")
    _print(page, target)
    return target


def _print(page: Path, target: Path) -> None:
    """Let Chromium print a page."""
    with built_pages.scratch_folder() as profile:
        options = ["--no-pdf-header-footer", "--generate-pdf-document-outline"]
        options += ["--export-tagged-pdf", f"--print-to-pdf={target}", page.as_uri()]
        command = built_pages.chromium_command(*options, profile=profile)
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PRINT_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise Missing(
                f"Chromium did not print the book in {PRINT_SECONDS} s."
            ) from error
    if done.returncode or not target.is_file():
        raise Missing(f"Chromium did not print the book:\n{done.stderr.strip()}")


def sheets_of(pdf: Path) -> dict[str, int]:
    """Return the number of the sheet, from 1, that each anchor of a PDF is on."""
    from pypdf import PdfReader  # only the PDF needs it

    reader = PdfReader(pdf)
    return {
        name.lstrip("/"): 1 + (reader.get_destination_page_number(place) or 0)
        for name, place in reader.named_destinations.items()
    }


def number_contents(text: str, sheets: Mapping[str, int]) -> str:
    """Write the number of its sheet behind each line of the contents."""

    def number(match: re.Match[str]) -> str:
        sheet = sheets.get(match[2], "")
        return f'{match[1]}<span class="sheet">{sheet}</span></a></li>'

    head, mark, rest = text.partition("</nav>")
    line = re.compile(r'(<li><a href="#(page-[\w-]+)">.*?)</a></li>')
    return line.sub(number, head) + mark + rest


# ---- The EPUB --------------------------------------------------------------------


def make_epub(root: Path = ROOT) -> Path:
    """Pack the book as an EPUB 3; return its path.

    Raises:
        Missing: without a site.
    """
    pages, about = prepared_pages(root), facts(root)
    places = {page.name: f"{page.slug}.xhtml" for page in pages}
    site = root / "_build" / "html"
    course_css = (site / "_static" / "course.css").read_text(encoding="utf-8")
    colors = built_pages.light_colors(course_css)
    files: dict[str, bytes] = {}
    title_page = title_block(about, site / f"{pages[0].name}.html")
    cover = f'<section class="cover">{title_page}</section>'
    files["cover.xhtml"] = _xhtml(about["title"], cover).encode()
    navigation = (
        '<nav epub:type="toc" role="doc-toc"><h1>Contents</h1>'
        f"{contents(pages, places)}</nav>"
    )
    files["nav.xhtml"] = _xhtml("Contents", navigation).encode()
    for page in pages:
        built_pages.lead_links(page, places, "#")
        for image in page.article.select("img[src]"):
            image["src"], content = _image(site / page.name, image["src"])
            files.setdefault(image["src"], content)
        files[f"{page.slug}.xhtml"] = _page_xhtml(page, colors).encode()
    files.update(_styles(site, colors))
    target = root / "_build" / "epub" / f"{NAME}.epub"
    target.parent.mkdir(parents=True, exist_ok=True)
    order = ["cover.xhtml", "nav.xhtml", *places.values()]
    moment = tuple(map(int, re.findall(r"\d+", about["moment"])))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as book:
        # The first file must be this one, and not compressed: it marks the format.
        kind = zipfile.ZipInfo("mimetype", moment)
        book.writestr(kind, "application/epub+zip", zipfile.ZIP_STORED)
        rest = {
            "META-INF/container.xml": CONTAINER.encode(),
            "book/content.opf": _package(files, order, about).encode(),
            **{f"book/{name}": content for name, content in files.items()},
        }
        for name, content in rest.items():
            entry = zipfile.ZipInfo(name, moment)
            book.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return target


def _image(html_file: Path, address: str) -> tuple[str, bytes]:
    """Return an image's name in the EPUB, and its bytes."""
    if address.startswith("data:"):
        head, _, data = address.partition(",")
        content = base64.b64decode(data)
        kind = head.removeprefix("data:").partition(";")[0]
        end = next(end for end, name in KINDS.items() if name == kind)
        return f"images/{hashlib.sha256(content).hexdigest()[:20]}{end}", content
    source = Path(os.path.normpath(html_file.parent / unquote(address)))
    return f"images/{source.name}", source.read_bytes()


def _styles(site: Path, colors: dict[str, str]) -> dict[str, bytes]:
    """Return the style sheet, with the colors of the light mode, and its font."""
    sheets = [
        (site / "_static" / "pygments.css").read_text(encoding="utf-8"),
        (site / "_static" / "course.css").read_text(encoding="utf-8"),
        (STYLES / "epub.css").read_text(encoding="utf-8"),
    ]
    sheet = built_pages.resolve_variables("\n".join(sheets), colors)
    found = {"style.css": sheet.encode()}
    for name in re.findall(r'url\("(fonts/[^"]+)"\)', sheet):
        found[name] = (site / "_static" / name).read_bytes()
    return found


def _page_xhtml(page: Page, colors: dict[str, str]) -> str:
    """Return a page as XHTML, each drawing's own style moved to its head."""
    rules = []
    for style in page.article.select("style"):
        rules.append(style.get_text())
        style.decompose()
    for tag in page.article.find_all(True):
        for small, name in CAPITALS.items():
            if small in tag.attrs:
                tag[name] = tag.attrs.pop(small)
        if tag.get("role") == "doc-biblioentry":
            del tag["role"]  # EPUB has dropped it
    body = page.article.decode_contents(formatter="minimal")
    sheet = built_pages.resolve_variables("\n".join(rules), colors)
    return _xhtml(page.title, f'<div class="bd-article">{body}</div>', sheet)


def _xhtml(title: str, body: str, style: str = "") -> str:
    own = f"<style>{style}</style>" if style else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en" xml:lang="en" '
        'xmlns:epub="http://www.idpf.org/2007/ops" data-theme="light">'
        f"<head><title>{html.escape(title)}</title>"
        f'<link rel="stylesheet" type="text/css" href="style.css"/>{own}</head>\n'
        f"<body>{body}</body></html>\n"
    )


def _package(files: dict[str, bytes], order: list[str], about: dict[str, str]) -> str:
    """Return the EPUB's package document: what it is, what it holds, in which order."""
    items = []
    for number, (name, content) in enumerate(files.items()):
        properties = []
        if name == "nav.xhtml":
            properties.append("nav")
        if name.endswith(".xhtml"):
            properties += [kind for kind in ("mathml", "svg") if _has(content, kind)]
        mark = f' properties="{" ".join(properties)}"' if properties else ""
        items.append(
            f'<item id="file-{number}" href="{name}" '
            f'media-type="{KINDS[Path(name).suffix]}"{mark}/>'
        )
    numbers = {name: number for number, name in enumerate(files)}
    spine = [f'<itemref idref="file-{numbers[name]}"/>' for name in order]
    name = f"{about['address']}#{about['version']}"
    accessible: list[tuple[str, Any]] = [
        ("accessMode", "textual"),
        ("accessMode", "visual"),
        ("accessModeSufficient", "textual"),
        *(
            ("accessibilityFeature", feature)
            for feature in (
                "alternativeText",
                "MathML",
                "structuralNavigation",
                "tableOfContents",
            )
        ),
        ("accessibilityHazard", "none"),
        ("accessibilitySummary", "Figures have alternative text; formulas are MathML."),
    ]
    metas = [
        f'<meta property="schema:{key}">{html.escape(value)}</meta>'
        for key, value in accessible
    ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" '
        'unique-identifier="book-id" xml:lang="en">\n'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">\n'
        f'<dc:identifier id="book-id">urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}'
        "</dc:identifier>\n"
        f"<dc:title>{html.escape(about['title'])}</dc:title>\n"
        f"<dc:creator>{html.escape(about['author'])}</dc:creator>\n"
        f"<dc:language>en</dc:language>\n<dc:description>{html.escape(SUBTITLE)}"
        f"</dc:description>\n<dc:source>{html.escape(about['address'])}</dc:source>\n"
        f'<meta property="dcterms:modified">{about["moment"]}</meta>\n'
        + "\n".join(metas)
        + "\n</metadata>\n<manifest>\n"
        + "\n".join(items)
        + "\n</manifest>\n<spine>\n"
        + "\n".join(spine)
        + "\n</spine>\n</package>\n"
    )


def _has(content: bytes, kind: str) -> bool:
    return (b"<math" if kind == "mathml" else b"<svg") in content


# ---- The command line ------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description="Make the PDF or the EPUB.")
    parser.add_argument("edition", choices=("pdf", "epub"))
    options = parser.parse_args(arguments)
    if options.edition == "pdf":
        print("Printing the book: usually about a minute.", flush=True)
    try:
        path = make_pdf() if options.edition == "pdf" else make_epub()
    except Missing as message:
        print(message, file=sys.stderr)
        return 2
    print(f"{path} ({path.stat().st_size / 2**20:.1f} MiB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
