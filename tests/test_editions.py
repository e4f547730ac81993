"""The print editions and the slides, made from a site of one page."""

from __future__ import annotations

import posixpath
import re
import subprocess
import zipfile
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import built_pages
import print_book
import pytest
import slides

pytestmark = pytest.mark.repository

LESSON = """<html><body><div class="bd-header-announcement">Only a test.</div>
<article class="bd-article"><section id="small"><h1>07 · Small steps<a
class="headerlink" href="#small">#</a></h1>
<blockquote><div><p>How small is small?</p></div></blockquote>
<section id="what-you-will-learn"><h2>What you will learn</h2>
<ul><li><p>To <a href="../book/words.html#term-count">count</a>.</p></li></ul></section>
<section id="counting"><h2>Counting</h2>
<p>Some long prose that nobody wants to read from a wall.</p>
<p><strong>Predict.</strong> What does it print?</p>
<div class="cell"><div class="cell_input"><div class="highlight"><pre>print(1 + 2)</pre>
</div></div><div class="cell_output"><div class="output stream"><div><pre>3</pre></div>
</div></div></div>
<p>Three is the sum:</p>
<div class="math-display"><math xmlns="http://www.w3.org/1998/Math/MathML"
alttext="1+2"><mn>1</mn><mo>+</mo><mn>2</mn></math></div>
<div class="cell"><div class="cell_input"><div class="highlight"><pre>lines()</pre>
</div></div><div class="cell_output"><a class="image-reference" href="../_images/a.png"
><img alt="A line that rises from one to three." src="../_images/a.png"/></a></div>
</div>
<figure class="course-drawing" id="course-drawing-1"><style>#course-drawing-1 svg
{fill:var(--course-ink,red)}</style><figcaption class="cd-title">Steps</figcaption>
<fieldset><legend>Steps</legend><input type="radio" id="course-drawing-1-1" checked/>
<label for="course-drawing-1-1">1</label><input type="radio" id="course-drawing-1-2"/>
<label for="course-drawing-1-2">2</label><div class="cd-panels" aria-live="polite">
<div class="cd-panel"><svg role="img" viewbox="0 0 9 9"
xmlns="http://www.w3.org/2000/svg"><title>First</title></svg><p>One.</p></div>
<div class="cd-panel"><svg role="img" viewbox="0 0 9 9"
xmlns="http://www.w3.org/2000/svg"><title>Second</title></svg><p>Two.</p></div>
</div></fieldset></figure>
<blockquote class="course-box exercise"><div><p><strong>Exercise 1 · Add</strong></p>
<p>Add two numbers.</p>
<details><summary>Hint 1: what you should see</summary><p>The plus sign.</p></details>
</div></blockquote>
<div class="cell"><div class="cell_input"><div class="highlight"><pre>def add(a, b):
    raise NotImplementedError</pre></div></div></div>
<div class="cell"><div class="cell_input"><div class="highlight"><pre
>check("small.add", add)</pre></div></div><div class="cell_output"><div
class="course-check">Not attempted</div></div></div>
<p>So three it is.</p></section>
<section id="self-quiz"><h2>Self-quiz</h2>
<p><strong>1.</strong> What is 2 + 2?</p>
<details><summary>Three</summary><p><strong>No.</strong> That was before.</p></details>
<details><summary>Four</summary><p><strong>Yes.</strong> Count again.</p></details>
</section>
<section id="take-away"><h2>Take-away</h2><ul><li><p>Count.</p></li></ul></section>
</section></article></body></html>
"""
WORDS = """<html><body><article class="bd-article"><section id="words"><h1>Words</h1>
<p id="term-count"><strong>Count</strong>: see <a href="../lessons/07_small.html">07</a>
and <a href="elsewhere.html">a page that is not in the book</a>.</p>
</section></article></body></html>
"""
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


@pytest.fixture
def root(tmp_path):
    """A course whose built site has one lesson and one other page."""
    site = tmp_path / "_build" / "html"
    for folder in ("book", "lessons", "_images", "_static/fonts"):
        (site / folder).mkdir(parents=True)
    files = {
        "_toc.yml": "root: book/words\nparts:\n- caption: Part I\n  chapters:\n"
        "  - file: lessons/07_small\n",
        "_config.yml": "title: A Small Book\nauthor: Its authors\n",
        "pyproject.toml": '[project]\nversion = "1.2.3"\n[project.urls]\n'
        'Repository = "https://example.org/book"\n',
        "_build/html/index.html": "",
        "_build/html/book/words.html": WORDS,
        "_build/html/lessons/07_small.html": LESSON,
        "_build/html/_static/pygments.css": "",
        "_build/html/_static/course.css": '@font-face {src: url("fonts/f.woff2")}\n'
        'html[data-theme="light"] {\n  --course-ink: #123456;\n}\n',
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    (site / "_images" / "a.png").write_bytes(DOT)
    (site / "_static" / "fonts" / "f.woff2").write_bytes(b"")
    return tmp_path


@pytest.fixture
def lesson(root):
    return built_pages.read_pages(root)[1]


@pytest.mark.parametrize(
    ("program", "arguments"), [(print_book, ["epub"]), (slides, [])]
)
def test_without_a_site_one_line_says_what_to_call(
    program, arguments, tmp_path, monkeypatch, capsys, reveal
):
    (tmp_path / "_toc.yml").write_text("root: book/words\nparts: []\n")
    read_pages = built_pages.read_pages
    monkeypatch.setattr(built_pages, "read_pages", lambda root: read_pages(tmp_path))
    assert program.main(arguments) == 2
    said = capsys.readouterr().err
    assert "call make book first" in said
    assert said.count("\n") == 1


def test_without_chromium_one_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("COURSE_CHROMIUM", raising=False)
    assert print_book.main(["pdf"]) == 2
    said = capsys.readouterr().err
    assert "apt-get install chromium" in said
    assert said.count("\n") == 1


def test_without_reveal_one_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(slides.importlib.util, "find_spec", lambda name: None)
    assert slides.main([]) == 2
    said = capsys.readouterr().err
    assert "sphinx-revealjs" in said
    assert said.count("\n") == 1


# ---- What paper cannot unfold ----------------------------------------------------


def test_hints_and_answers_stand_at_the_end_of_a_lesson(lesson):
    built_pages.move_help_to_end(lesson.article)
    assert not lesson.article.select("details")
    text = built_pages.words(lesson.article)
    order = ["Add two numbers.", "Four", "Take-away", "The plus sign."]
    assert sorted(order, key=text.index) == order
    answers = lesson.article.find(id="answers").select("p")
    assert [built_pages.words(answer) for answer in answers] == [
        "A · Three",
        "No. That was before.",
        "B · Four",
        "Yes. Count again.",
    ]
    box = lesson.article.select_one("blockquote.exercise")
    target = box.select_one(".to-hints a")["href"]
    assert lesson.article.select_one(target).find("a")["href"] == f"#{box['id']}"


def test_any_other_folded_part_is_opened_in_its_place():
    article = built_pages.parse(
        "<article><p>before</p><details><summary>Show output</summary><pre>42</pre>"
        "</details><p>after</p></article>"
    ).article
    built_pages.move_help_to_end(article)
    assert not article.select("details")
    told = article.get_text("|", strip=True)
    assert told == "before|Show output|42|after"


def test_a_figure_in_steps_shows_all_of_them(lesson):
    built_pages.flatten_figures(lesson.article)
    figure = lesson.article.select_one("figure")
    assert not figure.select("input, label, legend, fieldset, .cd-panel")
    assert [built_pages.words(p) for p in figure.select("p")] == [
        "Step 1 of 2. One.",
        "Step 2 of 2. Two.",
    ]


def test_a_figure_with_settings_keeps_its_first_choice_and_its_table():
    groups = "".join(
        f"<fieldset><legend>{name}</legend>"
        + "".join(
            f"<input type='radio' {'checked' if n == start else ''}/><label>{n}</label>"
            for n in range(count)
        )
        + "</fieldset>"
        for name, count, start in (("Window", 2, 1), ("Stride", 3, 2))
    )
    panels = "".join(f"<div class='cd-panel'><p>{n}</p></div>" for n in range(6))
    figure = built_pages.parse(
        f"<div><figure class='course-drawing'>{groups}<div class='cd-panels'>{panels}"
        "</div><details class='cd-text'><summary>Table</summary><table><caption>c"
        "</caption><tr><td>all of them</td></tr></table></details></figure></div>"
    )
    built_pages.flatten_figures(figure)
    found = [built_pages.words(tag) for tag in figure.select("p, td")]
    assert found == ["Window: 1 · Stride: 2", "5", "all of them"]
    assert not figure.select("input, details, .cd-panel")


def drawing(heights, gap=10.0):
    y, boxes = 0.0, []
    for height in heights:
        boxes.append(f'<rect y="{y}" height="{height}"/>')
        y += height + gap
    svg = (
        f'<svg role="img" viewbox="0 0 100 {y}"><title>T</title>{"".join(boxes)}</svg>'
    )
    return built_pages.parse(svg).find("svg")


def test_a_tall_drawing_is_cut_between_its_boxes():
    svg = drawing([50] * 7)
    pieces = built_pages.slices(svg, 130)
    views = [list(map(float, piece["viewbox"].split())) for piece in pieces]
    assert len(pieces) == 4
    assert all(height <= 130 for *_, height in views)
    # Nothing is lost and nothing is shown twice.
    assert [top for _, top, _, _ in views[1:]] == [
        top + height for _, top, _, height in views[:-1]
    ]
    assert views[-1][1] + views[-1][3] == 7 * 60
    for _, top, _, _ in views[1:]:
        assert not any(60 * n < top < 60 * n + 50 for n in range(7))


def test_only_the_first_piece_of_a_drawing_is_read_aloud():
    first, *others = built_pages.slices(drawing([50] * 4), 130)
    assert first["role"] == "img"
    assert first.find("title")
    assert others
    assert all(o["aria-hidden"] == "true" and not o.find("title") for o in others)


def test_a_drawing_that_fits_stays_whole():
    svg = drawing([50])
    assert built_pages.slices(svg, 130) == [svg]


def test_colors_are_written_where_an_e_reader_knows_no_variables():
    css = "a{color:var(--ink, red);fill:var(--no, #fff);top:var(--none)}"
    resolved = built_pages.resolve_variables(css, {"--ink": "#123456"})
    assert resolved == "a{color:#123456;fill:#fff;top:inherit}"


# ---- The editions ----------------------------------------------------------------


@pytest.fixture
def epub(root):
    path = print_book.make_epub(root)
    with zipfile.ZipFile(path) as book:
        return {info: book.read(info) for info in book.infolist()}


def test_an_epub_begins_with_its_mark(epub):
    first = next(iter(epub))
    assert first.filename == "mimetype"
    assert first.compress_type == zipfile.ZIP_STORED
    assert epub[first] == b"application/epub+zip"


def test_an_epub_lists_all_that_it_holds(epub):
    names = {info.filename: content for info, content in epub.items()}
    package = ElementTree.fromstring(names["book/content.opf"])
    items = {
        f"book/{item.get('href')}": item.get("properties", "")
        for item in package.iter("{http://www.idpf.org/2007/opf}item")
    }
    rest = {"mimetype", "META-INF/container.xml", "book/content.opf"}
    assert set(items) == set(names) - rest
    assert items["book/nav.xhtml"] == "nav"
    assert items["book/page-07_small.xhtml"] == "mathml svg"
    assert b"<dc:title>A Small Book</dc:title>" in names["book/content.opf"]


def test_every_link_in_an_epub_leads_somewhere(epub):
    pages = {
        info.filename: ElementTree.fromstring(content)
        for info, content in epub.items()
        if info.filename.endswith(".xhtml")
    }
    names = {info.filename for info in epub}
    anchors = {
        name: {e.get("id") for e in page.iter() if e.get("id")}
        for name, page in pages.items()
    }
    followed = 0
    for name, page in pages.items():
        for element in page.iter():
            address = element.get("href") or element.get("src") or ""
            parts = urlsplit(address)
            if not address or parts.netloc:
                continue
            target = posixpath.join("book", parts.path) if parts.path else name
            assert target in names, address
            assert not parts.fragment or parts.fragment in anchors[target], address
            followed += 1
    assert followed >= 8


def test_an_epub_loads_nothing_from_elsewhere_and_keeps_words_and_formulas(epub):
    page = next(v for k, v in epub.items() if k.filename.endswith("07_small.xhtml"))
    text = page.decode()
    assert not re.search(r"<script|<input|<details|src=\"http|var\(--", text)
    assert 'alt="A line that rises from one to three."' in text
    assert 'viewBox="0 0 9 9"' in text
    assert "fill:#123456" in text
    assert '<math alttext="1+2"' in text or 'alttext="1+2"' in text


def test_the_single_page_has_no_anchor_twice_and_no_dead_link(root):
    page = built_pages.parse(print_book.single_page(root))
    anchors = [tag["id"] for tag in page.select("[id]")]
    assert len(anchors) == len(set(anchors))
    links = [link["href"] for link in page.select("a[href^='#']")]
    assert {link[1:] for link in links} <= set(anchors)
    assert "#page-words--term-count" in links
    assert not page.select("a[href$='.html']")
    # Each drawing's own rules follow its new anchor.
    figure = page.select_one("figure")
    assert f"#{figure['id']} svg" in figure.find("style").get_text()
    assert page.select_one("img")["src"] == "../html/_images/a.png"


def test_the_contents_name_the_sheet_of_each_page(root):
    text = print_book.single_page(root)
    numbered = print_book.number_contents(text, {"page-07_small": 4, "page-words": 3})
    lines = built_pages.parse(numbered).select("nav a")
    assert [line.get_text("|") for line in lines] == ["Words|3", "07 · Small steps|4"]
    # Nothing but the contents has changed.
    assert numbered.partition("</nav>")[2] == text.partition("</nav>")[2]


@pytest.mark.skipif(
    not any(map(built_pages.shutil.which, built_pages.CHROMIUMS)),
    reason="no Chromium is installed: apt-get install chromium",
)
def test_chromium_prints_the_book(root):
    pytest.importorskip("pypdf")
    path = print_book.make_pdf(root)
    # The title, the contents, then one sheet for each page.
    sheets = print_book.sheets_of(path)
    assert (sheets["page-words"], sheets["page-07_small"]) == (3, 4)
    content = path.read_bytes()
    assert content.startswith(b"%PDF-")
    assert b"/Outlines" in content  # headings as bookmarks
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 4


# ---- The slides ------------------------------------------------------------------


@pytest.fixture
def deck(lesson):
    return slides.Deck(lesson).slides


def of_kind(deck, kind):
    return [slide for slide in deck if slide.kind == kind]


def test_a_deck_asks_shows_and_sums_up(deck):
    kinds = [slide.kind or slide.title for slide in deck]
    assert kinds == [
        "opening",
        "What you will learn",
        "prediction",
        "formula",
        "figure",
        "exercise",
        "conclusion",
        "quiz",
        "Take-away",
    ]
    assert "How small is small?" in deck[0].body


def test_a_prediction_hides_what_the_cell_prints_until_the_next_key(deck):
    (slide,) = of_kind(deck, "prediction")
    body = built_pages.parse(slide.body)
    assert "print(1 + 2)" in body.select_one(".code").get_text()
    assert body.select_one(".output.fragment").get_text() == "3"


def test_long_prose_goes_to_the_speaker(deck):
    prose = "nobody wants to read"
    assert not any(prose in slide.body for slide in deck)
    assert any(prose in note for slide in deck for note in slide.notes)


def test_an_exercise_is_its_task_alone(deck):
    (slide,) = of_kind(deck, "exercise")
    assert "Add two numbers." in slide.body
    for hidden in ("plus sign", "NotImplementedError", "small.add"):
        assert not any(hidden in s.body + "".join(s.notes) for s in deck)


def test_a_question_shows_its_choices_and_tells_the_speaker_why(deck):
    (slide,) = of_kind(deck, "quiz")
    choices = built_pages.parse(slide.body).select("li")
    assert [choice.get_text() for choice in choices] == ["Three", "Four"]
    assert "Count again" not in slide.body
    assert built_pages.words(built_pages.parse(slide.notes[1])).startswith("B: Yes.")


def test_figures_keep_their_words_and_slides_have_no_link_into_the_site(deck):
    (slide,) = of_kind(deck, "figure")
    assert 'alt="A line that rises from one to three."' in slide.body
    assert 'src="_images/a.png"' in slide.body
    assert not any(".html" in s.body + "".join(s.notes) for s in deck)


def test_too_many_slides_lose_the_least_and_keep_their_notes():
    deck = [
        slides.Slide(str(n), "", rank, notes=[f"note {n}"])
        for n, rank in enumerate((slides.KEEP, slides.CODE, slides.FIGURE, slides.KEEP))
    ]
    kept = slides.fewer(deck, most=3)
    assert [slide.title for slide in kept] == ["0", "2", "3"]
    assert kept[0].notes == ["note 0", "note 1"]
    # What must stay stays, however many there are.
    assert [slide.title for slide in slides.fewer(deck, most=1)] == ["0", "3"]


def test_code_is_as_large_as_fits():
    assert slides.code_size(["x"] * 3, 500) > slides.code_size(["x" * 88] * 3, 500)
    assert slides.code_size(["x"] * 40, 500) < slides.SMALLEST_CODE


@pytest.fixture
def reveal(tmp_path, monkeypatch):
    folder = tmp_path / "revealjs"
    for name in ("dist/reveal.js", "dist/reveal.css", "plugin/notes/notes.js"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    (folder / "LICENSE").write_text("")
    monkeypatch.setattr(slides, "reveal_folder", lambda: folder)


def test_a_deck_brings_all_that_it_loads(root, reveal):
    styles = root / "book" / "editions"
    styles.mkdir(parents=True)
    source = Path(slides.ROOT, "book", "editions", "slides.css")
    (styles / "slides.css").write_text(source.read_text(encoding="utf-8"))
    (path,) = slides.make_slides(["07"], root)
    page = built_pages.parse(path.read_text(encoding="utf-8"))
    loaded = [tag["src"] for tag in page.select("[src]")]
    loaded += [tag["href"] for tag in page.select("link[rel=stylesheet]")]
    assert len(loaded) >= 6
    assert all((path.parent / address).is_file() for address in loaded)
    index = built_pages.parse((path.parent / "index.html").read_text(encoding="utf-8"))
    assert [link["href"] for link in index.select("a")] == ["07_small.html"]


def test_a_lesson_that_is_not_there_has_no_deck(root, reveal):
    with pytest.raises(built_pages.Missing, match="no lesson 99"):
        slides.make_slides(["99"], root)


def test_the_programs_start_by_themselves():
    for name in ("print_book.py", "slides.py"):
        program = Path(print_book.ROOT, "tools", name)
        done = subprocess.run(
            (print_book.sys.executable, str(program), "--help"), capture_output=True
        )
        assert done.returncode == 0
