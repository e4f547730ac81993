"""The pages of the built site, as the print editions and the slides read them.

Both are made from the pages that `make book` wrote: outputs, formulas, alternative
text and references are there already, and no lesson is executed again.
"""

from __future__ import annotations

import copy
import os
import posixpath
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parents[1]
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PANEL = ".cd-panels > .cd-panel"


class Missing(Exception):
    """Something to be made or installed first; the message says what."""


@dataclass
class Page:
    """One page of the site: its name, such as "lessons/02_topic", and its article."""

    name: str
    part: str
    article: Tag

    @property
    def slug(self) -> str:
        """Return a name that is a file's name and the start of an anchor."""
        return "page-" + self.name.rpartition("/")[2]

    @property
    def title(self) -> str:
        return words(self.article.find("h1"))


def words(element: Tag | None) -> str:
    """Return an element's text in one line; "" for None."""
    return " ".join(element.get_text().split()) if element else ""


def parse(source: str) -> BeautifulSoup:
    """Read HTML."""
    return BeautifulSoup(source, "html.parser")


def read_pages(root: Path = ROOT) -> list[Page]:
    """Read every page of the table of contents, in its order.

    Raises:
        Missing: where the site has not been built, or not all of it.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    names = [("", toc["root"])]
    for part in toc["parts"]:
        names += [(part["caption"], chapter["file"]) for chapter in part["chapters"]]
    found = []
    for part, name in names:
        path = root / "_build" / "html" / f"{name}.html"
        if not path.is_file():
            raise Missing(
                f"The site has no page {name}.html yet: call make book first."
            )
        found.append(Page(name, part, read_article(path.read_text(encoding="utf-8"))))
    return found


def read_article(source: str) -> Tag:
    """Return the article of a page, without what only a browser's reader can use."""
    article = parse(source).find("article")
    if not isinstance(article, Tag):
        raise Missing("A page has no article: call make book again.")
    for useless in article.select(
        "a.headerlink, script, button, .course-actions, .tag_install"
    ):
        useless.decompose()
    for figure in article.select(".course-drawing"):
        if not has_settings(figure):
            for same_as_text in figure.select(".cd-text"):
                same_as_text.decompose()  # the picture itself has words
    for image_link in article.select("a.image-reference"):
        image_link.unwrap()
    return article


def has_settings(figure: Tag) -> bool:
    """Tell whether a reader chooses a figure's settings, and not one of its steps."""
    return bool(figure.select("fieldset")) and not figure.select("fieldset .cd-panels")


def flatten_figures(article: Tag) -> None:
    """Show what buttons would: paper has none.

    A figure in steps becomes a row of pictures. Of a figure with settings the picture
    of the first choice stays, and the table that says the same as all of them.
    """
    for figure in article.select(".course-drawing"):
        panels = figure.select(PANEL)
        if has_settings(figure):
            _keep_chosen(figure, panels)
        elif panels:
            _lay_out_steps(figure, panels)


def _lay_out_steps(figure: Tag, panels: list[Tag]) -> None:
    for useless in figure.select("input, label, legend, .cd-moves"):
        useless.decompose()
    for wrapper in figure.select("fieldset"):
        wrapper.unwrap()
    for row in figure.select(".cd-panels"):
        row["class"] = ["steps"]
        del row["aria-live"]
    for number, panel in enumerate(panels, start=1):
        panel["class"] = ["step"]
        text = panel.find("p")
        if text:
            lead = parse("").new_tag("strong")
            lead.string = f"Step {number} of {len(panels)}. "
            text.insert(0, lead)


def _keep_chosen(figure: Tag, panels: list[Tag]) -> None:
    chosen, settings = 0, []
    for group in figure.select("fieldset"):
        buttons = group.select("input")
        place = next((n for n, b in enumerate(buttons) if b.has_attr("checked")), 0)
        chosen = chosen * len(buttons) + place  # the last setting changes fastest
        label = words(group.select("label")[place])
        settings.append(f"{words(group.find('legend'))}: {label}")
        group.decompose()
    line = parse("").new_tag("p", attrs={"class": "settings"})
    line.string = " · ".join(settings)
    for panel in panels:
        if panel is panels[chosen]:
            panel["class"] = ["chosen"]
            panel.insert(0, line)
        else:
            panel.decompose()
    for table in figure.select(".cd-text table"):
        for caption in table.select("caption"):
            caption.decompose()
        figure.append(table.extract())
    for folded in figure.select(".cd-text"):
        folded.decompose()


def slices(svg: Tag, tallest: float) -> list[Tag]:
    """Cut a tall drawing between its boxes.

    Args:
        svg: the drawing.
        tallest: the height of a piece, in the drawing's own units; only where no cut
            is free of boxes a piece is taller.

    Returns:
        Pieces from top to bottom; the first one keeps the words for those who cannot
        see it. The drawing itself where it is not taller.
    """
    left, top, width, height = _view(svg)
    places = [top, *_cuts(svg, tallest), top + height]
    if len(places) == 2:
        return [svg]
    pieces = []
    for begin, end in pairwise(places):
        piece = copy.copy(svg)
        piece["viewbox"] = f"{left:g} {begin:g} {width:g} {end - begin:g}"
        if pieces:
            for name in ("aria-labelledby", "aria-describedby", "role"):
                del piece[name]
            piece["aria-hidden"] = "true"
            for label in piece.select("title, desc"):
                label.decompose()
        pieces.append(piece)
    return pieces


def _view(svg: Tag) -> tuple[float, float, float, float]:
    left, top, width, height = map(float, str(svg["viewbox"]).split())
    return left, top, width, height


def _cuts(svg: Tag, tallest: float) -> list[float]:
    """Return where to cut: below a box, and through none."""
    _, top, _, height = _view(svg)
    boxes = [
        (float(box["y"]), float(box["y"]) + float(box["height"]))
        for box in svg.select("rect:not(.cd-frame)")
    ]
    free = [
        bottom + 4
        for bottom in sorted({bottom for _, bottom in boxes})
        if not any(above < bottom + 4 < below for above, below in boxes)
    ]
    chosen, start, end = [], top, top + height
    while end - start > tallest:
        later = [y for y in free if start < y < end - 10]
        if not later:
            break
        start = max([y for y in later if y <= start + tallest], default=later[0])
        chosen.append(start)
    return chosen


def fold_drawings(article: Tag) -> None:
    """Lay tall drawings out in two or three columns, so that one fits on a sheet."""
    for svg in article.select(".course-drawing > svg, .course-drawing .cd-wide > svg"):
        _, _, width, height = _view(svg)
        if height <= 2.1 * width:
            continue
        columns = 2 if height <= 5 * width else 3
        tallest = height / columns
        while tallest < height and len(_cuts(svg, tallest)) >= columns:
            tallest += 10
        row = parse("").new_tag("div", attrs={"class": f"columns columns-{columns}"})
        pieces = slices(svg, tallest)
        svg.replace_with(row)
        row.extend(pieces)


def move_help_to_end(article: Tag) -> None:
    """Move hints and answers to the end of a lesson, so that none is read by chance."""
    soup = parse("")
    hints = soup.new_tag("section", id="hints")
    answers = soup.new_tag("section", id="answers")
    for number, box in enumerate(article.select("blockquote.exercise"), start=1):
        folded = box.select("details")
        if not folded:
            continue
        box["id"] = box.get("id") or f"exercise-{number}"
        heading = soup.new_tag("h3", id=f"hints-{number}")
        back = soup.new_tag("a", href=f"#{box['id']}")
        back.string = words(box.find("strong"))
        heading.append(back)
        hints.append(heading)
        note = soup.new_tag("p", attrs={"class": "to-hints"})
        link = soup.new_tag("a", href=f"#hints-{number}")
        link.string = "Hints at the end of the lesson"
        note.append(link)
        folded[-1].insert_after(note)
        for details in folded:
            hints.append(opened(details))
    for number, question in enumerate(quiz(article), start=1):
        heading = soup.new_tag("h3")
        heading.string = f"Question {number}"
        answers.append(heading)
        choices = soup.new_tag("ol", attrs={"class": "choices", "type": "A"})
        question.folded[0].insert_before(choices)
        for choice in question.choices:
            item = soup.new_tag("li")
            item.extend(copy.copy(child) for child in choice.contents)
            choices.append(item)
        for letter, details in zip("ABCDEFGH", question.folded, strict=False):
            answer = opened(details)
            answer.find("strong").insert(0, f"{letter} · ")
            answers.append(answer)
    for details in article.select("details"):
        place = soup.new_tag("div")  # `opened` takes the folded part out of its place
        details.insert_before(place)
        place.replace_with(opened(details))
    sections = (("Hints", hints), ("Answers to the self-quiz", answers))
    for title, section in sections:
        if section.contents:
            heading = soup.new_tag("h2")
            heading.string = title
            section.insert(0, heading)
            (article.find("section") or article).append(section)


def opened(details: Tag) -> Tag:
    """Take a folded part out of its place; return it unfolded, its summary in bold."""
    soup = parse("")
    opened = soup.new_tag("div", attrs={"class": "opened"})
    line, bold = soup.new_tag("p"), soup.new_tag("strong")
    line.append(bold)
    opened.append(line)
    for child in list(details.contents):
        if isinstance(child, Tag) and child.name == "summary":
            bold.extend(list(child.contents))
        else:
            opened.append(child.extract())
    details.extract()
    return opened


@dataclass
class Question:
    """A question of a self-quiz: its text, and the choices that are folded below it."""

    text: Tag
    folded: list[Tag]

    @property
    def choices(self) -> list[Tag]:
        """Return the choices as they stand before they are unfolded."""
        return [details.find("summary") for details in self.folded]


def quiz(article: Tag) -> list[Question]:
    """Return the questions of a lesson's self-quiz."""
    found: list[Question] = []
    section = article.find("section", id="self-quiz")
    for details in section.select("details") if section else ():
        before = details.find_previous_sibling(
            lambda tag: tag.name not in ("details", "ol")
        )
        if not found or found[-1].text is not before:
            found.append(Question(before, []))
        found[-1].folded.append(details)
    return found


def lead_links(page: Page, places: Mapping[str, str], join: str) -> None:
    """Make a page's links lead to where its neighbors are in the edition.

    Args:
        page: the page, whose article is changed.
        places: where each page begins, by its name, such as "02_topic.xhtml".
        join: what stands between that and an anchor of the page, such as "#".
    """
    here = posixpath.dirname(page.name)
    for link in page.article.select("a[href]"):
        parts = urlsplit(link["href"])
        if parts.scheme or parts.netloc:
            continue
        path = unquote(parts.path)
        target = posixpath.normpath(posixpath.join(here, path)) if path else page.name
        start = places.get(target.removesuffix(".html"))
        if start is None or not (path or parts.fragment):
            link.unwrap()  # the edition does not hold it
        else:
            link["href"] = start + (join + parts.fragment if parts.fragment else "")


def prefix_anchors(page: Page) -> None:
    """Make a page's anchors differ from those of all other pages."""
    start = f"{page.slug}--"
    names = {tag["id"] for tag in page.article.select("[id]")}
    for tag in page.article.find_all(True):
        for attribute in ("id", "for", "aria-labelledby", "aria-describedby"):
            if tag.get(attribute) in names:
                tag[attribute] = start + tag[attribute]
        for attribute in ("marker-end", "clip-path", "fill"):
            if str(tag.get(attribute, "")).startswith("url(#"):
                tag[attribute] = tag[attribute].replace("url(#", f"url(#{start}")
        if tag.name == "style" and tag.string:
            tag.string = tag.string.replace("#course-", f"#{start}course-")


def find_chromium() -> str:
    """Return the path of a Chromium that is installed.

    Raises:
        Missing: where there is none.
    """
    named = os.environ.get("COURSE_CHROMIUM", "")
    for name in filter(None, (named, *CHROMIUMS)):
        path = shutil.which(name)
        if path:
            return path
    raise Missing(
        "No Chromium was found: install one (Debian and Ubuntu: apt-get install "
        "chromium), or set COURSE_CHROMIUM to the path of Chromium or Chrome."
    )


def chromium_command(*options: str, profile: str) -> list[str]:
    """Return the command line of a Chromium without a window and without a network.

    Args:
        options: more options, and the page to open.
        profile: an empty folder for the browser's own files.
    """
    command = [find_chromium(), "--headless", "--disable-gpu", "--no-first-run"]
    command += [f"--user-data-dir={profile}", "--disable-background-networking"]
    command += ["--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND"]
    if getattr(os, "geteuid", lambda: 1)() == 0:
        command.append("--no-sandbox")  # Chromium refuses to run as root with one
    return [*command, *options]


def resolve_variables(css: str, values: Mapping[str, str]) -> str:
    """Write the values of CSS variables in their places: few e-readers know them."""
    pattern = re.compile(r"var\(\s*(--[\w-]+)\s*(?:,\s*([^()]*(?:\([^()]*\))?))?\)")
    return pattern.sub(
        lambda match: values.get(match[1]) or (match[2] or "inherit").strip(), css
    )


def light_colors(css: str) -> dict[str, str]:
    """Return the variables of the light mode, from the course's style sheet."""
    block = re.search(r'html\[data-theme="light"\]\s*{([^}]*)}', css)
    return dict(re.findall(r"(--[\w-]+):\s*([^;]+);", block[1])) if block else {}


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder, which outlives a browser that ends slowly."""
    return tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True)
