"""Make a deck of slides for each lesson, from its page in the built site.

    python tools/slides.py          every lesson, to _build/slides
    python tools/slides.py 02 03    these

Call `make book` first. A deck shows what a lecturer points at: the question, the
predictions, the code and the figures of the cells that decide, the exercises without
their hints, what was concluded, the quiz. The prose between them goes to the speaker's
notes. A deck works from the disk, without a network; reveal.js comes with the package
sphinx-revealjs.
"""

from __future__ import annotations

import argparse
import copy
import html
import importlib.util
import math
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "book" / "extension"))

import built_pages  # noqa: E402
from bs4 import Tag  # noqa: E402
from built_pages import PANEL, Missing, Page, parse, words  # noqa: E402
from course_book import conditions  # noqa: E402

WIDTH, HEIGHT = 1180, 565  # room for a slide's content, below its heading
MOST_SLIDES = 40
SMALLEST_CODE = 17  # pixels; what does not fit then is for reading, not for a wall
LETTERS = "ABCDEFGH"
# What is shown first where a lesson has more than a lecture can hold; lower is kept.
KEEP, FIGURE, FORMULA, TABLE, RESULT, CONCLUSION, CODE = range(7)
KEYS = (
    "Space or → goes on, ← goes back, Esc shows all slides, S opens the speaker's "
    "notes, F fills the screen."
)


@dataclass
class Slide:
    """One slide.

    Attributes:
        title: its heading; HTML.
        body: its content; HTML.
        rank: how soon it is left out where there are too many; see above.
        kind: a class for the style sheet.
        above: the heading of the section that the slide belongs to; HTML.
        notes: paragraphs for the speaker; HTML.
    """

    title: str
    body: str
    rank: int = KEEP
    kind: str = ""
    above: str = ""
    notes: list[str] = field(default_factory=list)


# ---- What fits -------------------------------------------------------------------


def text_lines(text: str, size: float, width: float = WIDTH) -> int:
    """Return how many lines a paragraph takes, by the usual width of a letter."""
    return max(1, math.ceil(len(text) * 0.53 * size / width))


def text_size(paragraphs: list[str], height: float = HEIGHT) -> int:
    """Return the largest size of letters, in pixels, in which paragraphs fit."""
    for size in (36, 33, 30, 28, 26, 24, 22, 20):
        lines = sum(text_lines(paragraph, size) for paragraph in paragraphs)
        if lines * size * 1.42 + len(paragraphs) * 0.55 * size <= height:
            return size
    return 18


def code_size(lines: list[str], height: float) -> int:
    """Return the largest size of letters, in pixels, in which lines of code fit."""
    longest = max(map(len, lines), default=1)
    across = (WIDTH - 48) / (0.605 * max(longest, 1))
    down = (height - 30) / (1.32 * max(len(lines), 1))
    return int(min(30, across, down))


# ---- Pieces of a page ------------------------------------------------------------


def plain(element: Tag) -> str:
    """Return an element's HTML for a slide: no anchors, no links inside the site."""
    element = copy.copy(element)
    for tag in [element, *element.find_all(True)]:
        drawing = tag if "course-drawing" in tag.get("class", []) else None
        if not (drawing or tag.find_parent(class_="course-drawing")):
            del tag["id"]  # a drawing's own style needs its own
    for link in element.select("a"):
        if not str(link.get("href", "")).startswith("http"):
            link.unwrap()
    for comment in element.select("details"):
        comment.decompose()
    images = [element] if element.name == "img" else element.select("img")
    for image in images:
        if image["src"].startswith("data:"):
            continue
        image["src"] = "_images/" + image["src"].rpartition("/")[2]
        del image["style"]
    return str(element)


def source_of(cell: Tag) -> str:
    """Return a cell's code."""
    pre = cell.select_one(".cell_input pre")
    return pre.get_text().rstrip() if pre else ""


def is_plumbing(code: str) -> bool:
    """Tell whether a cell only serves an exercise: its stub, its check, a hint."""
    return bool(
        re.match(r"(check|hint)\(", code)
        or re.search(r"^ *raise NotImplementedError", code, re.MULTILINE)
        or re.match(r"answer = \.\.\.", code)
    )


def printed(cell: Tag) -> str:
    """Return what a cell printed; "" where it printed nothing worth a slide."""
    found = cell.select(".cell_output > .stream pre, .cell_output > .text_plain pre")
    return "\n".join(pre.get_text().rstrip() for pre in found)


def code_block(markup: str, size: int, kind: str) -> str:
    return (
        f'<div class="{kind} highlight" style="font-size:{size}px">'
        f"<pre>{markup}</pre></div>"
    )


def code_and_output(cell: Tag, height: float, *, hidden: bool) -> str:
    """Return a cell's code above what it printed; "" where they do not fit.

    Args:
        cell: the cell.
        height: room for both, in pixels.
        hidden: the output appears at the next key only.
    """
    code, output = source_of(cell).split("\n"), printed(cell)
    outputs = output.split("\n") if output else []
    size = code_size([*code, *outputs], height - (40 if outputs else 0))
    if size < SMALLEST_CODE:
        return ""
    markup = cell.select_one(".cell_input pre").decode_contents().strip("\n")
    body = code_block(markup, size, "code")
    if outputs:
        kind = "output fragment" if hidden else "output"
        body += code_block(html.escape(output), size, kind)
    return body


def stepped(figure: Tag) -> str:
    """Return a figure in steps as a stack: each key shows the next picture."""
    figure = copy.copy(figure)
    panels = figure.select(PANEL)
    for useless in figure.select("input, label, legend, .cd-moves"):
        useless.decompose()
    stack = parse("").new_tag("div", attrs={"class": "r-stack steps"})
    for number, panel in enumerate(panels):
        # The first one makes room for the second, each later one for the next.
        last = number == len(panels) - 1
        kinds = ["fragment", "current-visible"] if not last else ["fragment"]
        panel["class"] = ["step", *(kinds if number else ["fragment", "fade-out"])]
        panel["data-fragment-index"] = str(max(0, number - 1))
        stack.append(panel.extract())
    for fieldset in figure.select("fieldset"):
        fieldset.replace_with(stack)
    return plain(figure)


# ---- A lesson as slides ----------------------------------------------------------


class Deck:
    """Walk through a lesson and collect its slides."""

    def __init__(self, page: Page) -> None:
        self.slides: list[Slide] = []
        self.waiting: list[str] = []  # notes for the slide that comes next
        self.prediction: Tag | None = None  # it waits for the code that tests it
        self.above = self.title = ""
        article = page.article
        section = article.find("section") or article
        question = section.find("blockquote", recursive=False)
        self.add("", self._opening(page, question), kind="opening")
        for part in section.find_all("section", recursive=False):
            self._part(part)
        self.slides = fewer(self.slides)

    @staticmethod
    def _opening(page: Page, question: Tag | None) -> str:
        number, _, topic = page.title.partition(" · ")
        body = f'<p class="number">Lesson {html.escape(number)}</p>'
        body += f"<h1>{html.escape(topic or number)}</h1>"
        if question:
            size = min(34, text_size([words(question)], 330))
            body += f'<div class="question" style="font-size:{size}px">'
            body += "".join(plain(p) for p in question.select("p")) + "</div>"
        return body

    def add(self, title: str, body: str, rank: int = KEEP, kind: str = "") -> Slide:
        above = self.above if self.above != title else ""
        slide = Slide(title, body, rank, kind, above, self.waiting)
        self.waiting = []
        self.slides.append(slide)
        return slide

    def note(self, element: Tag) -> None:
        """Give prose to the speaker: with what was shown, or with what it announces."""
        text = words(element)
        announces = text.endswith((":", "?")) or not self.slides
        if announces or not self._within():
            self.waiting.append(plain(element))
        else:
            self.slides[-1].notes.append(plain(element))

    def _within(self) -> bool:
        """Tell whether this section has a slide yet."""
        return self.begun < len(self.slides)

    def _part(self, section: Tag) -> None:
        self.begun = len(self.slides)
        heading = section.find(["h2", "h3"])
        self.above = self.title = heading.decode_contents()
        blocks = [b for b in section.find_all(True, recursive=False) if b != heading]
        match section.get("id"):
            case "what-you-will-learn" | "take-away":
                self._list(blocks)
            case "time-and-needs" | "what-comes-next":
                self.slides[-1].notes += [plain(block) for block in blocks]
            case "set-up" | "references":
                pass
            case "self-quiz":
                self._quiz(section)
            case _:
                self._blocks(blocks)
                self._flush_prediction()
                self._conclude(section)

    def _list(self, blocks: list[Tag]) -> None:
        items = [words(item) for block in blocks for item in block.select("li")]
        size = text_size([*items, *(words(b) for b in blocks if b.name == "p")])
        body = "".join(plain(block) for block in blocks)
        self.add(self.title, f'<div style="font-size:{size}px">{body}</div>')

    def _quiz(self, section: Tag) -> None:
        for number, question in enumerate(built_pages.quiz(section.parent), start=1):
            text = copy.copy(question.text)
            for lead in text.select("strong")[:1]:
                if re.fullmatch(r"\d+\.", words(lead)):
                    lead.decompose()
            for folded in text.select("details"):
                folded.decompose()
            lines = [words(text), *(words(c) for c in question.choices)]
            size = text_size(lines, HEIGHT - 60)
            choices = (f"<li>{c.decode_contents()}</li>" for c in question.choices)
            body = f"<p>{text.decode_contents().strip()}</p>"
            body += f'<ol type="A">{"".join(choices)}</ol>'
            slide = self.add(
                f"Self-quiz · {number}",
                f'<div style="font-size:{size}px">{body}</div>',
                kind="quiz",
            )
            for letter, folded in zip(LETTERS, question.folded, strict=False):
                answer = built_pages.opened(copy.copy(folded))
                start = f"{letter}: "
                for line in answer.find_all("p", recursive=False)[1:]:
                    line.insert(0, start)
                    slide.notes.append(plain(line))
                    start = ""

    def _blocks(self, blocks: list[Tag]) -> None:
        for number, block in enumerate(blocks):
            kinds = block.get("class", [])
            if block.name == "section":
                self._subsection(block)
                continue
            if block.name == "p":
                self._paragraph(block)
            elif "cell" in kinds:
                self._cell(block)
            elif "math-display" in kinds:
                self._formula(block, blocks[number - 1] if number else None)
            elif block.name == "blockquote":
                self._box(block)
            elif block.name == "table" or block.find("table"):
                self._table(block.find("table") if block.name != "table" else block)
            elif block.name in ("ul", "ol", "dl", "div"):
                self.note(block)

    def _subsection(self, section: Tag) -> None:
        self._flush_prediction()
        heading = section.find("h3") or section.find(["h2", "h4"])
        before, self.title = self.title, heading.decode_contents()
        blocks = [b for b in section.find_all(True, recursive=False) if b != heading]
        self._blocks(blocks)
        self._flush_prediction()
        self.title = before

    def _paragraph(self, paragraph: Tag) -> None:
        first = paragraph.find("strong")
        if (
            first
            and words(first).startswith("Predict")
            and words(paragraph).startswith("Predict")
        ):
            self._flush_prediction()
            self.prediction = paragraph
        elif self.prediction is not None and not self.slides:
            self.waiting.append(plain(paragraph))
        else:
            self.note(paragraph)

    def _flush_prediction(self, cell: Tag | None = None) -> bool:
        """Show the prediction that waits, with a cell's code where both fit."""
        if self.prediction is None:
            return False
        paragraph, self.prediction = self.prediction, None
        text = words(paragraph)
        body, used = "", False
        if cell is not None:
            size = 28
            taken = text_lines(text, size) * size * 1.42 + 20
            body = code_and_output(cell, HEIGHT - taken, hidden=True)
            used = bool(body)
        if not used:
            size = min(44, round(1.25 * text_size([text], 330)))
            size = min(size, text_size([text], HEIGHT) + 8)
        self.add(
            self.title,
            f'<div class="predict" style="font-size:{size}px">{plain(paragraph)}</div>'
            + body,
            kind="prediction",
        )
        return used

    def _cell(self, cell: Tag) -> None:
        code = source_of(cell)
        if is_plumbing(code):
            return
        images = cell.select(".cell_output > img")
        drawings = cell.select(".cell_output .course-drawing")
        listing = cell.select_one(".cell_output .text_html .highlight pre")
        if images or drawings:
            self._flush_prediction()
            for image in images:
                self.add(self.title, plain(image), FIGURE, "figure")
            for drawing in drawings:
                self._drawing(drawing)
            return
        if self._flush_prediction(cell):
            return
        if listing is not None:
            markup = listing.decode_contents().strip("\n")
            self._listing(listing.get_text().rstrip(), markup, "code", CODE)
            return
        defines = re.search(r"^(def|class) ", code, re.MULTILINE)
        # The code of a bug to spot is what the slides before its exercise are for.
        rank = KEEP if defines and "Spot the bug" in self.title else CODE
        output = printed(cell)
        body = code_and_output(cell, HEIGHT, hidden=False)
        if body and (output or defines):
            self.add(self.title, body, min(rank, RESULT if output else CODE), "listing")
        elif output or defines:
            markup = cell.select_one(".cell_input pre").decode_contents().strip("\n")
            self._listing(code, markup, "code", rank)
            self._listing(output, html.escape(output), "output", rank)

    def _listing(self, text: str, markup: str, kind: str, rank: int) -> None:
        """Show code alone, or what was printed alone, if it can be read."""
        size = code_size(text.split("\n"), HEIGHT)
        if text and size >= SMALLEST_CODE:
            self.add(self.title, code_block(markup, size, kind), rank, "listing")

    def _drawing(self, drawing: Tag) -> None:
        if built_pages.has_settings(drawing):
            # Its buttons work on a slide, too.
            self.add(self.title, plain(drawing), FIGURE, "figure")
            return
        if drawing.select(PANEL):
            self.add(self.title, stepped(drawing), FIGURE, "figure")
            return
        caption = drawing.select_one(".cd-title")
        title = words(caption)
        svg = drawing.find("svg")
        pieces = built_pages.slices(svg, 570)
        if len(pieces) > 1:  # then it may as well be large
            pieces = built_pages.slices(svg, 450)
        slides = -(-len(pieces) // 3)
        for number in range(slides):
            first, last = (len(pieces) * n // slides for n in (number, number + 1))
            figure = copy.copy(drawing)
            row = parse("").new_tag("div", attrs={"class": "columns"})
            row.extend(copy.copy(piece) for piece in pieces[first:last])
            # Of one width, so that the letters of all columns have one size.
            shapes = [list(map(float, p["viewbox"].split())) for p in row.contents]
            width = min(*(480 * w / h for _, _, w, h in shapes), 370.0)
            for piece in row.contents:
                piece["style"] = f"width:{width:.0f}px"
            figure.find("svg").replace_with(row)
            if slides > 1 and caption:
                figure.select_one(
                    ".cd-title"
                ).string = f"{title} ({number + 1} of {slides})"
            self.add(self.title, plain(figure), FIGURE, "figure")

    def _formula(self, block: Tag, before: Tag | None) -> None:
        self._flush_prediction()
        last = self.slides[-1]
        beside = last.kind == "formula" and last.title == self.title
        if beside and not self.waiting and last.body.count("math-display") < 3:
            last.body += plain(block)
            return
        body = ""
        if before is not None and before.name == "p" and len(words(before)) < 330:
            text = plain(before)
            body = f'<div class="lead">{text}</div>'
            self.waiting = [note for note in self.waiting if note != text]
        self.add(self.title, body + plain(block), FORMULA, "formula")

    def _box(self, box: Tag) -> None:
        """Show an exercise's task; its hints stay where a learner unfolds them."""
        self._flush_prediction()
        if "exercise" not in box.get("class", []):
            self.note(box)
            return
        box = copy.copy(box)
        for hint in box.select("details"):
            hint.decompose()
        texts = [words(t) for t in box.select("p, li, tr") if not t.find_parent("tr")]
        size = min(30, text_size(texts, HEIGHT - 40))
        inner = "".join(plain(child) for child in box.find_all(True, recursive=False))
        bug = " bug" if "bug" in box.get("class", []) else ""
        body = f'<div class="task{bug}" style="font-size:{size}px">{inner}</div>'
        self.add(self.title, body, KEEP, "exercise")

    def _table(self, table: Tag) -> None:
        rows = [words(row) for row in table.select("tr")]
        size = min(28, round(HEIGHT / (len(rows) * 2.1)))
        widest = max(map(len, rows), default=1)
        size = min(size, round(WIDTH / (0.62 * max(widest, 1))) + 6)
        if size >= 17:
            body = f'<div style="font-size:{size}px">{plain(table)}</div>'
            self.add(self.title, body, TABLE, "table")

    def _conclude(self, section: Tag) -> None:
        """Show a section's last words, if they follow something that was seen."""
        if not self._within():
            return
        last = section
        while True:
            inner = last.find_all("section", recursive=False)
            if not inner:
                break
            last = inner[-1]
        blocks = last.find_all(True, recursive=False)
        if blocks and blocks[-1].name == "p" and len(words(blocks[-1])) <= 420:
            text = plain(blocks[-1])
            for slide in self.slides[self.begun :]:
                if text in slide.notes:
                    slide.notes.remove(text)
            if text in self.waiting:
                self.waiting.remove(text)
            size = min(38, text_size([words(blocks[-1])], 420) + 2)
            body = f'<div class="seen" style="font-size:{size}px">{text}</div>'
            self.add(self.above, body, CONCLUSION, "conclusion")


def fewer(slides: list[Slide], most: int = MOST_SLIDES) -> list[Slide]:
    """Leave out what a lecture can miss first; its notes stay, with the slide before.

    Args:
        slides: the slides, in order.
        most: how many may stay. A slide of rank `KEEP` always stays.

    Returns:
        The slides that stay, in order.
    """
    kept = list(slides)
    while len(kept) > most:
        worst = max(slide.rank for slide in kept)
        if worst == KEEP:
            break
        # The longest of those that matter least.
        victim = max((s for s in kept if s.rank == worst), key=lambda s: len(s.body))
        place = kept.index(victim)
        del kept[place]
        kept[max(0, place - 1)].notes += victim.notes
        if victim.kind == "conclusion":
            kept[max(0, place - 1)].notes.append(victim.body)
    return kept


# ---- Files -----------------------------------------------------------------------


def write_deck(page: Page, slides: list[Slide], version: str) -> str:
    """Return a deck as an HTML page."""
    sections = []
    for slide in slides:
        above = f'<p class="above">{slide.above}</p>' if slide.above else ""
        title = f"<h2>{slide.title}</h2>" if slide.title else ""
        notes = "\n".join(slide.notes)
        aside = f'<aside class="notes">{notes}</aside>' if notes else ""
        sections.append(
            f'<section class="{slide.kind}"><header>{above}{title}</header>'
            f'<div class="body">{slide.body}</div>{aside}</section>'
        )
    return (
        '<!DOCTYPE html>\n<html lang="en" data-theme="light"><head>\n'
        '<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>{html.escape(page.title)} · slides</title>\n"
        f'<meta name="generator" content="Modern ConvNets {version}"/>\n'
        '<link rel="icon" href="data:,"/>\n'
        '<link rel="stylesheet" href="_assets/reveal.css"/>\n'
        '<link rel="stylesheet" href="_assets/pygments.css"/>\n'
        '<link rel="stylesheet" href="_assets/slides.css"/>\n'
        '</head><body>\n<div class="reveal"><div class="slides">\n'
        + "\n".join(sections)
        + '\n</div></div>\n<script src="_assets/reveal.js"></script>\n'
        '<script src="_assets/notes.js"></script>\n'
        "<script>Reveal.initialize({width: 1280, height: 720, margin: 0.02, "
        "center: false, hash: true, slideNumber: 'c/t', transition: 'none', "
        "pdfSeparateFragments: false, plugins: [RevealNotes]});</script>\n"
        "</body></html>\n"
    )


def write_index(pages: list[Page]) -> str:
    """Return the page that lists the decks."""
    items = "\n".join(
        f'<li><a href="{file_name(page)}">{html.escape(page.title)}</a></li>'
        for page in pages
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        '<title>Slides</title><link rel="icon" href="data:,"/>\n'
        "<style>body{color:#12283a;font:1.1rem/1.7 system-ui,sans-serif;"
        "margin:2rem auto;max-width:40rem;padding:0 1rem}a{color:#0b5a8f}"
        "</style></head><body><main>\n"
        f"<h1>Slides</h1>\n<p>{KEYS}</p>\n"
        "<p>To print a deck, or to save it as a PDF, add <code>?print-pdf</code> to "
        "its address and print the page.</p>\n"
        f"<ul>\n{items}\n</ul>\n</main></body></html>\n"
    )


def file_name(page: Page) -> str:
    return page.name.rpartition("/")[2] + ".html"


def reveal_folder() -> Path:
    """Return where the installed package sphinx-revealjs keeps reveal.js.

    Raises:
        Missing: where it is not installed.
    """
    found = importlib.util.find_spec("sphinx_revealjs")
    folders = found.submodule_search_locations if found else None
    for start in folders or ():
        folder = Path(start) / "_static" / "revealjs"
        if (folder / "dist" / "reveal.js").is_file():
            return folder
    raise Missing(
        "reveal.js was not found: install the package sphinx-revealjs "
        "(.venv/bin/pip install -c requirements.lock sphinx-revealjs)."
    )


def make_slides(names: list[str] | None = None, root: Path = ROOT) -> list[Path]:
    """Write the decks, and all that they load, to `_build/slides`.

    Args:
        names: numbers of lessons, such as "02"; all of them by default.
        root: the folder of the course.

    Returns:
        The decks' paths.

    Raises:
        Missing: without a site, without reveal.js, or where no lesson has a number.
    """
    reveal = reveal_folder()
    pages = [p for p in built_pages.read_pages(root) if p.name.startswith("lessons/")]
    for name in names or []:
        if not any(file_name(page).startswith(f"{name}_") for page in pages):
            raise Missing(f"There is no lesson {name}.")
    site, target = root / "_build" / "html", root / "_build" / "slides"
    assets = target / "_assets"
    for folder in (assets / "fonts", target / "_images"):
        folder.mkdir(parents=True, exist_ok=True)
    for source in (
        reveal / "dist" / "reveal.js",
        reveal / "dist" / "reveal.css",
        reveal / "plugin" / "notes" / "notes.js",
        site / "_static" / "pygments.css",
        root / "book" / "editions" / "slides.css",
    ):
        shutil.copyfile(source, assets / source.name)
    shutil.copyfile(reveal / "LICENSE", assets / "reveal.js-LICENSE")
    for font in (site / "_static" / "fonts").glob("*"):
        shutil.copyfile(font, assets / "fonts" / font.name)
    _, version = conditions.project(root)
    written = []
    for page in pages:
        if names and not any(file_name(page).startswith(f"{n}_") for n in names):
            continue
        text = write_deck(page, Deck(page).slides, version)
        for image in set(re.findall(r'src="_images/([^"]+)"', text)):
            shutil.copyfile(site / "_images" / image, target / "_images" / image)
        path = target / file_name(page)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    (target / "index.html").write_text(write_index(pages), encoding="utf-8")
    return written


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description="Make a deck for each lesson.")
    parser.add_argument("lessons", nargs="*", help="02 03; default: all")
    options = parser.parse_args(arguments)
    try:
        written = make_slides(options.lessons)
    except Missing as message:
        print(message, file=sys.stderr)
        return 2
    index = ROOT / "_build" / "slides" / "index.html"
    print(f"{len(written)} decks. Open them in a browser:\n{index}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
